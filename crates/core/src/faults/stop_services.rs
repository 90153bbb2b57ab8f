//! Nobody answers the node for a while.

use super::{CHANGES_SERVICES, Fault, Hits};

pub(super) const FAULT: Fault = Fault {
    name: "stop-services",
    does: "Stops all pods of the services, and starts them again after `hold`.",
    hits: Hits::Services,
    inject: |context| context.scale(0),
    // As many as the environment's file says.
    undo: Some(|context| context.scale(context.settings.replicas)),
    recovery: 180,
    rules: &[CHANGES_SERVICES],
    needs_policies: false,
};
