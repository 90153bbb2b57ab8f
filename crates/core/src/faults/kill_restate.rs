//! The node's process ends at once. A forced deletion of the pod would not do: the object is gone before the
//! process is, and for that time there can be two of `restate-0`.

use super::{Fault, Hits, SIGNALS, Signal};

pub(super) const FAULT: Fault = Fault {
    name: "kill-restate",
    does: "Sends SIGKILL to the node's process; its container is restarted in place.",
    hits: Hits::Node,
    inject: |context| context.signal(Signal::Kill),
    undo: None,
    recovery: 240,
    rules: &[SIGNALS],
    needs_policies: false,
};
