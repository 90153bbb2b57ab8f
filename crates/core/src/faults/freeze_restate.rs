//! The node stands still without being dead: connections stay open, and nobody answers.

use super::{Fault, Hits, SIGNALS, Signal};

pub(super) const FAULT: Fault = Fault {
    name: "freeze-restate",
    does: "Stops the node's process with SIGSTOP, and lets it go on with SIGCONT after `hold`.",
    hits: Hits::Node,
    inject: |context| context.signal(Signal::Stop),
    undo: Some(|context| context.signal(Signal::Cont)),
    recovery: 180,
    rules: &[SIGNALS],
    needs_policies: false,
};
