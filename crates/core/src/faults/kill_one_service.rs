//! One pod of the services ends at once, and the others take over.

use super::{DELETES_PODS, Fault, Hits};

pub(super) const FAULT: Fault = Fault {
    name: "kill-one-service",
    does: "Kills one pod of the services, another one each time.",
    hits: Hits::Services,
    inject: |context| context.kill_services(false),
    undo: None,
    recovery: 180,
    rules: &[DELETES_PODS],
    needs_policies: false,
};
