//! A program as people read it: a tree, without what was left out.

use crate::tree::{Command, Lock, Node, Program};
use core::fmt;

impl fmt::Display for Program {
    /// One command a line, indented below its node, with its index in the whole program in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(&self.root, f)?;
        write_commands(&self.root, 1, f)
    }
}

/// `target 3`, with what it holds.
fn describe(node: &Node, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let lock = match node.lock {
        Lock::Exclusive => "exclusive",
        Lock::Shared => "shared",
    };
    write!(f, "target {} ({lock})", node.target)
}

fn write_commands(node: &Node, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, command) in node.commands.iter().enumerate() {
        if *command == Command::LeftOut {
            continue;
        }
        write!(f, "\n{:1$}{index}: ", "", depth * 2)?;
        match command {
            Command::Increment => f.write_str("increment")?,
            Command::Await(call) => write!(f, "wait for {call}")?,
            Command::Sleep(ms) => write!(f, "sleep {ms} ms")?,
            Command::Call(_) => f.write_str("call and wait: ")?,
            Command::CallAsync(_) => f.write_str("call: ")?,
            Command::Send(_) => f.write_str("send: ")?,
            Command::SendDelayed { delay_ms, .. } => write!(f, "send in {delay_ms} ms: ")?,
            Command::LeftOut => {}
        }
        if let Some(callee) = command.callee() {
            describe(callee, f)?;
            write_commands(callee, depth + 1, f)?;
        }
    }
    Ok(())
}

impl Program {
    /// How many commands it has; an await is part of its call.
    #[must_use]
    pub fn commands(&self) -> usize {
        let nodes = self.nodes();
        let of = |node: &Node| {
            let is_own =
                |command: &&Command| !matches!(command, Command::LeftOut | Command::Await(_));
            node.commands.iter().filter(is_own).count()
        };
        nodes.iter().map(|(_, node)| of(node)).sum()
    }
}
