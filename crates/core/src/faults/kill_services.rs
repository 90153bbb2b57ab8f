//! Every pod of the services ends at once: what they were at is retried by the node.

use super::{DELETES_PODS, Fault, Hits};

pub(super) const FAULT: Fault = Fault {
    name: "kill-services",
    does: "Kills all pods of the services at once.",
    hits: Hits::Services,
    inject: |context| context.kill_services(true),
    undo: None,
    recovery: 180,
    rules: &[DELETES_PODS],
    needs_policies: false,
};
