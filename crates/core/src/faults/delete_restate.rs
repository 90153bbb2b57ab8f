//! The node's pod goes in order, as in a drain or an upgrade.

use super::{DELETES_PODS, Fault, Hits};

pub(super) const FAULT: Fault = Fault {
    name: "delete-restate",
    does: "Deletes the node's pod, which has the time to stop that it asks for.",
    hits: Hits::Node,
    inject: |context| context.end_node(),
    undo: None,
    // A node may take its minute to stop before another one starts.
    recovery: 240,
    rules: &[DELETES_PODS],
    needs_policies: false,
};
