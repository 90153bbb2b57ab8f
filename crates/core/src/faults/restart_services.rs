//! The services roll, as in a deployment of the same version.

use super::{CHANGES_SERVICES, Fault, Hits};

pub(super) const FAULT: Fault = Fault {
    name: "restart-services",
    does: "Rolls the services: each pod is replaced in order, as `kubectl rollout restart` does.",
    hits: Hits::Services,
    inject: |context| context.roll(),
    undo: None,
    recovery: 240,
    rules: &[CHANGES_SERVICES],
    needs_policies: false,
};
