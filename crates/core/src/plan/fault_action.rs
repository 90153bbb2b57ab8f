//! What a fault does to a cluster, and what takes it back.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::object::Uid;

/// One thing that only faults do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "action")]
pub enum FaultAction {
    /// Sends a signal to every process of a name in a pod, from within its sidecar. The pod shares its process
    /// namespace, and so the process is not number 1, which ignores SIGKILL from inside.
    Signal {
        /// Which signal.
        signal: Signal,
        /// The process: its command.
        process: String,
    },
    /// Deletes pods, all at once; their controller makes others.
    End {
        /// Which ones.
        pods: Vec<PodTarget>,
        /// How many seconds they have to stop; `None` for what they ask for.
        grace: Option<u32>,
    },
    /// Lets a Deployment have so many pods.
    Scale {
        /// How many.
        replicas: u64,
    },
    /// Rolls a Deployment, as `kubectl rollout restart` does.
    Restart {
        /// When: the annotation's value.
        at: String,
    },
    /// Takes a NetworkPolicy's rules out. Policies only add permissions, so what it opened is closed.
    Shut,
    /// Puts the rendered rules back: they are in an annotation of the policy.
    Open,
}

/// A pod that is about to be ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodTarget {
    /// Its name.
    pub name: String,
    /// Its incarnation.
    pub uid: Uid,
}

/// What is sent to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// It ends at once.
    Kill,
    /// It stands still.
    Stop,
    /// It goes on.
    Cont,
}

impl Signal {
    /// As `kill` takes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Cont => "CONT",
        }
    }
}

/// What is done, to be followed by the object.
impl fmt::Display for FaultAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Signal { signal, process } => {
                format!("send SIG{} to {process} in", signal.word())
            }
            Self::End { pods, grace } => {
                let names: Vec<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
                match grace {
                    Some(_) => format!("kill the pods {} of", names.join(", ")),
                    None => format!("delete the pods {} of", names.join(", ")),
                }
            }
            Self::Scale { replicas } => format!("scale to {replicas}"),
            Self::Restart { .. } => "roll".into(),
            Self::Shut => "shut".into(),
            Self::Open => "open".into(),
        };
        f.write_str(&text)
    }
}
