//! Where a copy of the database comes from: the program that sends it, in a container that has it mounted.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::{
    attach::{COPY, TARGET, present},
    data::Facts,
    database::possible,
    refusal::{Refusal, Refusals},
    snapshot::restorable,
};
use crate::{
    names::{DATABASE, NODE, OBSERVER, VERIFICATION_PROGRAM, port},
    plan::Target,
};

/// What sends a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is a copy of, for a person.
    pub name: String,
    /// The pod.
    pub pod: String,
    /// Its container.
    pub container: &'static str,
    /// The program and its arguments: a stream of `longrun-copy` on stdout.
    pub command: Vec<String>,
    /// A shorter way, where there is one.
    pub door: Option<DirectTransfer>,
    /// Nothing writes to it: a copy that is not consistent is no copy of it.
    pub still: bool,
}

/// A port that the stream can be read from through the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectTransfer {
    /// Its number.
    pub port: u16,
    /// What opens it for whoever knows the first line of stdin.
    pub command: Vec<String>,
}

/// The database that the node writes to.
///
/// # Errors
/// When there is no node, or something is not permitted.
pub fn live(target: &Target, facts: &Facts) -> Result<Source, Refusals> {
    let denied = facts.denied.iter().cloned().map(Refusal::Denied);
    let no_node = facts.set.is_none();
    let no_node = no_node.then(|| Refusal::NoNode {
        target: target.clone(),
    });
    let against: Vec<Refusal> = denied.chain(no_node).collect();
    if !against.is_empty() {
        return Err(Refusals(against));
    }
    Ok(Source {
        name: format!("the live database of {target}"),
        pod: format!("{NODE}-0"),
        container: OBSERVER,
        command: command(),
        // Nothing of the node's pod is opened for it.
        door: None,
        still: false,
    })
}

/// A snapshot, in the pod that an attachment of it has.
#[must_use]
pub fn of_snapshot(target: &Target, snapshot: &str) -> Source {
    Source {
        name: format!("VolumeSnapshot {snapshot} of {target}"),
        pod: snapshot.to_string(),
        container: COPY,
        command: command(),
        door: Some(door()),
        still: true,
    }
}

/// A snapshot that somebody has attached already; `None` when nobody has, and it has to be attached first.
///
/// # Errors
/// Everything that speaks against a copy from there.
pub fn attached(
    target: &Target,
    facts: &Facts,
    snapshot: &str,
) -> Result<Option<Source>, Refusals> {
    let Some(present) = present(target, facts, snapshot) else {
        return Ok(None);
    };
    let mut against = possible(facts);
    against.extend(restorable(target, facts, snapshot).err());
    if present.writable {
        against.push(Refusal::Writable {
            name: snapshot.to_string(),
            by: present.by,
        });
    }
    if against.is_empty() {
        Ok(Some(of_snapshot(target, snapshot)))
    } else {
        Err(Refusals(against))
    }
}

fn door() -> DirectTransfer {
    let mut command = command();
    command.extend(["--at".to_string(), format!("0.0.0.0:{}", port::COPY)]);
    DirectTransfer {
        port: port::COPY,
        command,
    }
}

fn command() -> Vec<String> {
    let directory = format!("{TARGET}/{DATABASE}");
    vec![
        VERIFICATION_PROGRAM.to_string(),
        "send".to_string(),
        directory,
    ]
}
