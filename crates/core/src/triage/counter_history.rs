//! From a wrong counter to the place in the program that leads to it.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};

use longrun_program::{Command, Lock, Node, Path, Program, ProgramId, Target};
use serde::Serialize;

use super::attempt::Counter;

/// A wrong counter and how the program reaches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CounterHistory {
    /// What is wrong.
    #[serde(flatten)]
    pub counter: Counter,
    /// What the counter held when the evidence was gathered, if that is known.
    pub now: Option<u64>,
    /// The nodes that increment it.
    pub nodes: Vec<Reach>,
}

/// A node of the program, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reach {
    /// Its path: `root`, `3.0.12`.
    pub path: String,
    /// Each call on the way, from the root down: `call → 5`, `send after 300 ms → 117`.
    pub calls: Vec<String>,
    /// How often it increments.
    pub increments: u64,
    /// Whether it holds the lock of its counter while it runs.
    pub locks: bool,
    /// The nearest caller above it whose counter is wrong as well: that one is looked at first.
    pub behind: Option<String>,
}

/// The program of an id.
///
/// # Errors
/// When this build cannot generate it, with the reason.
pub(super) fn program(id: Option<&str>) -> Result<Program, String> {
    let id = id.ok_or("neither the Job nor an attempt says which program it ran")?;
    let id: ProgramId = id.parse().map_err(|error| format!("{error}"))?;
    Ok(id.generate())
}

/// The counters of a program that are not as they should be, given those that the database has.
#[must_use]
pub(super) fn wrong(program: &Program, found: &BTreeMap<u32, u64>) -> Vec<Counter> {
    let expected = program.expected();
    let counter = |target: u32| Counter {
        target,
        expected: expected.get(&Target(target)).copied().unwrap_or(0),
        actual: found.get(&target).copied().unwrap_or(0),
    };
    let known = expected.keys().map(|target| target.0);
    let all: BTreeSet<u32> = known.chain(found.keys().copied()).collect();
    all.into_iter()
        .map(counter)
        .filter(|counter| counter.distance() > 0)
        .collect()
}

/// How the program reaches each wrong counter. Counters with a node that is behind no other wrong one come
/// first: that is where it began.
#[must_use]
pub(super) fn trails(
    program: &Program,
    off: &[Counter],
    now: Option<&BTreeMap<u32, u64>>,
) -> Vec<CounterHistory> {
    let targets: BTreeSet<u32> = off.iter().map(|counter| counter.target).collect();
    let nodes = program.nodes();
    let mut trails: Vec<CounterHistory> = off
        .iter()
        .map(|counter| CounterHistory {
            counter: *counter,
            now: now.map(|now| now.get(&counter.target).copied().unwrap_or(0)),
            nodes: nodes
                .iter()
                .filter(|(_, node)| node.target.0 == counter.target)
                .map(|(path, node)| reach(program, path, node, &targets))
                .filter(|reach| reach.increments > 0)
                .collect(),
        })
        .collect();
    let begins = |trail: &CounterHistory| trail.nodes.iter().any(|reach| reach.behind.is_none());
    trails.sort_by_key(|trail| (!begins(trail), trail.counter.target));
    trails
}

fn reach(program: &Program, path: &Path, node: &Node, wrong: &BTreeSet<u32>) -> Reach {
    let mut calls = Vec::new();
    let mut behind = None;
    let mut caller = &program.root;
    let mut here = Path::root();
    for &step in path.steps() {
        if wrong.contains(&caller.target.0) && caller.target != node.target {
            behind = Some(format!("{here} (target {})", caller.target));
        }
        let Some(command) = caller.commands.get(usize::from(step)) else {
            break;
        };
        let Some(callee) = command.callee() else {
            break;
        };
        calls.push(format!("{} → {}", how(command), callee.target));
        caller = callee;
        here = here.child(step);
    }
    let increments = node.commands.iter();
    Reach {
        path: path.to_string(),
        calls,
        increments: increments
            .filter(|command| **command == Command::Increment)
            .count() as u64,
        locks: node.lock == Lock::Exclusive,
        behind,
    }
}

fn how(command: &Command) -> String {
    match command {
        Command::CallAsync(_) => "call async".to_string(),
        Command::Send(_) => "send".to_string(),
        Command::SendDelayed { delay_ms, .. } => format!("send after {delay_ms} ms"),
        _ => "call".to_string(),
    }
}
