//! The program as a tree, and what it must have done when all of it has run.

use crate::id::ProgramId;
use crate::path::{Kept, Path};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// The number of a counter. Nodes may share one; blocking calls only go to a larger one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Target(pub u32);

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a node holds the lock of its target while it runs, calls included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// An exclusive handler: one at a time for its target, and it increments in place.
    Exclusive,
    /// A shared handler: any number at once. It may not write state, so each of its increments is
    /// an exclusive invocation of its own on the same target, which calls nothing.
    Shared,
}

/// One invocation of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// The counter that it increments.
    pub target: Target,
    /// Whether it holds the target's lock.
    pub lock: Lock,
    /// What it does, in order.
    pub commands: Vec<Command>,
}

/// One step of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Adds one to the counter of the node's target.
    Increment,
    /// Calls and waits for the end of it. The callee's target is larger.
    Call(Node),
    /// Calls and keeps what can be awaited. The callee's target is larger.
    CallAsync(Node),
    /// Waits for the `CallAsync` at this index among the commands of the same node. Each is
    /// awaited at most once; one that never is runs in the background.
    Await(u16),
    /// Calls without waiting for anything. Any target.
    Send(Node),
    /// As `Send`, but the callee starts only after a while. Any target.
    SendDelayed {
        /// Milliseconds until it starts.
        delay_ms: u32,
        /// The callee.
        node: Node,
    },
    /// Waits for this many milliseconds.
    Sleep(u32),
    /// Was left out when the program was made smaller, by [`Kept`]. Indices stay as they were.
    LeftOut,
}

impl Command {
    /// The node that this command calls, in whatever way.
    #[must_use]
    pub fn callee(&self) -> Option<&Node> {
        match self {
            Self::Call(node)
            | Self::CallAsync(node)
            | Self::Send(node)
            | Self::SendDelayed { node, .. } => Some(node),
            Self::Increment | Self::Await(_) | Self::Sleep(_) | Self::LeftOut => None,
        }
    }

    fn callee_mut(&mut self) -> Option<&mut Node> {
        match self {
            Self::Call(node)
            | Self::CallAsync(node)
            | Self::Send(node)
            | Self::SendDelayed { node, .. } => Some(node),
            Self::Increment | Self::Await(_) | Self::Sleep(_) | Self::LeftOut => None,
        }
    }
}

/// A generated program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Program {
    /// The id that gives this program, and no other.
    pub id: ProgramId,
    /// The invocation that starts everything.
    pub root: Node,
}

impl Program {
    pub(crate) fn new(id: ProgramId, mut root: Node) -> Self {
        if id.kept != Kept::All {
            leave_out(&mut root, &Path::root(), &id.kept);
        }
        Self { id, root }
    }

    /// The node at a path; none where the path leads to no call.
    #[must_use]
    pub fn node(&self, path: &Path) -> Option<&Node> {
        path.steps().iter().try_fold(&self.root, |node, &step| {
            node.commands
                .get(usize::from(step))
                .and_then(Command::callee)
        })
    }

    /// Every node with its path, a caller before what it calls.
    #[must_use]
    pub fn nodes(&self) -> Vec<(Path, &Node)> {
        let mut found = Vec::new();
        collect(&self.root, &Path::root(), &mut found);
        found
    }

    /// How many invocations of the interpreter Restate runs for this program.
    #[must_use]
    pub fn invocations(&self) -> u32 {
        self.nodes()
            .iter()
            .map(|(_, node)| 1 + separate_increments(node))
            .sum()
    }

    /// The simulation: what each counter holds when everything has run exactly once. Every target
    /// of the program is listed, also one that is only the way to others (0).
    #[must_use]
    pub fn expected(&self) -> BTreeMap<Target, u64> {
        let mut counters = BTreeMap::new();
        count(&self.root, &mut counters);
        counters
    }
}

/// The invocations that a node causes beside itself and its callees.
fn separate_increments(node: &Node) -> u32 {
    match node.lock {
        Lock::Exclusive => 0,
        Lock::Shared => node
            .commands
            .iter()
            .map(|command| u32::from(*command == Command::Increment))
            .sum(),
    }
}

fn collect<'a>(node: &'a Node, path: &Path, found: &mut Vec<(Path, &'a Node)>) {
    found.push((path.clone(), node));
    for (index, command) in (0..).zip(&node.commands) {
        if let Some(callee) = command.callee() {
            collect(callee, &path.child(index), found);
        }
    }
}

fn count(node: &Node, counters: &mut BTreeMap<Target, u64>) {
    let counter = counters.entry(node.target).or_default();
    *counter += node
        .commands
        .iter()
        .filter(|command| **command == Command::Increment)
        .count() as u64;
    for callee in node.commands.iter().filter_map(Command::callee) {
        count(callee, counters);
    }
}

fn leave_out(node: &mut Node, path: &Path, kept: &Kept) {
    for (index, command) in (0..).zip(&mut node.commands) {
        let child = path.child(index);
        let stays = match command {
            // An await stays where its call does, whether or not this node still works.
            Command::Await(call) => kept.keeps_call(&path.child(*call)),
            _ if command.callee().is_some() => kept.keeps_call(&child),
            _ => kept.keeps_work(path, index),
        };
        if !stays {
            *command = Command::LeftOut;
        } else if let Some(callee) = command.callee_mut() {
            leave_out(callee, &child, kept);
        }
    }
}
