//! A journal as it is kept in the namespace, so that another driver can go on with it, and nobody with
//! something else.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Journal, State};
use crate::{
    approval::By, gate::text, object::Digest, operations::deploy::ENVIRONMENT_LABEL, plan::Target,
};

/// The ConfigMap that holds the journal of the last operation on data.
pub const JOURNAL: &str = "longrun-journal";

/// A journal and which of its drivers writes it. Every write compares and swaps: the object must be the
/// version that was read, and its epoch must be the driver's own.
///
/// A driver writes before each effect and each undo, then looks again and asks [`Journal::next`] again, and
/// only then does what is asked for once more: between a look and a deletion there is no other request.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Counts the drivers, over all journals of the environment.
    pub epoch: u64,
    /// What is written.
    pub journal: Journal,
    /// The plan's digest: what was approved.
    plan: Digest,
}

/// Why a journal is not taken over, or not written any more. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// There is nothing to go on with.
    #[error(
        "the last {operation} of {target} {how}: there is nothing to resume and nothing to take back"
    )]
    Finished {
        /// Of the journal.
        operation: String,
        /// Of the journal.
        target: String,
        /// How it ended.
        how: String,
    },
    /// What is lost cannot be taken back.
    #[error(
        "the {operation} of {target} cannot be taken back: {last} is done; go on with `cargo xtask wipe -n {environment} --resume`, or with `deploy` or `restore`, which close it"
    )]
    PastReturn {
        /// Of the journal.
        operation: String,
        /// Of the journal.
        target: String,
        /// The namespace.
        environment: String,
        /// What cannot be taken back.
        last: String,
    },
    /// The journal is of another cluster or environment.
    #[error(
        "the journal is of {found}, and this is {expected}: it was copied from there, and says nothing about this one"
    )]
    OtherTarget {
        /// Of the journal.
        found: String,
        /// The present one.
        expected: String,
    },
    /// Another driver has taken the journal over.
    #[error(
        "another driver took the journal over (epoch {found}, ours was {ours}): this one has stopped"
    )]
    Overtaken {
        /// In the cluster.
        found: u64,
        /// Of this driver.
        ours: u64,
    },
    /// It cannot be read.
    #[error(
        "ConfigMap {JOURNAL} cannot be read: {cause}; it is the record of an operation on the database: look at it before you delete it"
    )]
    Unreadable {
        /// What is wrong with it.
        cause: String,
    },
}

fn epoch(config_map: &Value) -> Result<u64, NotTaken> {
    let epoch = text(config_map, "/data/epoch");
    epoch.parse().map_err(|_| NotTaken::Unreadable {
        cause: "its epoch is not a number".to_string(),
    })
}

impl Stored {
    /// A new journal over the last one, which must be finished or superseded.
    #[must_use]
    pub fn begin(journal: Journal, last: Option<&Self>) -> Self {
        Self {
            epoch: last.map_or(0, |last| last.epoch) + 1,
            plan: journal.plan.digest(),
            journal,
        }
    }

    /// What the ConfigMap says.
    ///
    /// # Errors
    /// When it is not what this program wrote: the plan must still be the one that was approved.
    pub fn read(config_map: &Value) -> Result<Self, NotTaken> {
        let unreadable = |cause: String| NotTaken::Unreadable { cause };
        let epoch = epoch(config_map)?;
        let journal: Journal = serde_json::from_str(text(config_map, "/data/journal"))
            .map_err(|error| unreadable(error.to_string()))?;
        let plan = journal.plan.digest();
        if plan.to_string() != text(config_map, "/data/plan") {
            return Err(unreadable(
                "its plan is not the one that was approved".to_string(),
            ));
        }
        Ok(Self {
            epoch,
            journal,
            plan,
        })
    }

    /// The ConfigMap, without the version that a write must meet.
    #[must_use]
    pub fn manifest(&self) -> Value {
        let environment = &self.journal.plan.target.environment;
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": JOURNAL,
                "namespace": environment,
                "labels": {
                    "app.kubernetes.io/managed-by": "longrun",
                    ENVIRONMENT_LABEL: environment,
                },
            },
            "data": {
                "epoch": self.epoch.to_string(),
                "plan": self.plan,
                "journal": json!(self.journal).to_string(),
            },
        })
    }

    /// Whether this driver may write over what is there. A journal that somebody deleted is written again:
    /// the lease keeps others from having begun.
    ///
    /// # Errors
    /// When another driver writes it now, or nobody can read it.
    pub fn may_replace(&self, present: Option<&Value>) -> Result<(), NotTaken> {
        let Some(present) = present else {
            return Ok(());
        };
        let (found, ours) = (epoch(present)?, self.epoch);
        if found == ours {
            Ok(())
        } else {
            Err(NotTaken::Overtaken { found, ours })
        }
    }

    /// Whether this driver may write for the first time over what is there: only what it was made of.
    ///
    /// # Errors
    /// When another driver has written meanwhile, or nobody can read what is there.
    pub fn may_follow(&self, present: Option<&Value>) -> Result<(), NotTaken> {
        let Some(present) = present else {
            return Ok(());
        };
        let (found, ours) = (epoch(present)?, self.epoch);
        if found + 1 == ours {
            Ok(())
        } else {
            Err(NotTaken::Overtaken { found, ours })
        }
    }

    /// Takes the journal over to go on with it. The consent it holds is for this plan and no other.
    ///
    /// # Errors
    /// When it is finished, or of another target.
    pub fn resume(self, target: &Target, now: Timestamp) -> Result<Self, NotTaken> {
        self.check_open(target)?;
        let mut next = self.next_driver();
        next.journal.go_on(now);
        Ok(next)
    }

    /// Takes the journal over to take back what can be taken back.
    ///
    /// # Errors
    /// When it is finished, of another target, or past the point from which nothing is taken back.
    pub fn abort(self, target: &Target, cause: &str) -> Result<Self, NotTaken> {
        self.check_open(target)?;
        if let Some(last) = self.journal.point_of_no_return() {
            return Err(NotTaken::PastReturn {
                operation: self.journal.plan.operation.clone(),
                target: target.to_string(),
                environment: target.environment.clone(),
                last: last.to_string(),
            });
        }
        let mut next = self.next_driver();
        next.journal.interrupt(cause.to_string());
        Ok(next)
    }

    /// Another operation takes the place of this one, which is past its point of no return.
    #[must_use]
    pub fn superseded(&self, operation: &str) -> Self {
        let mut stored = self.clone();
        stored.journal.superseded = Some(operation.to_string());
        stored
    }

    fn check_open(&self, target: &Target) -> Result<(), NotTaken> {
        let own = &self.journal.plan.target;
        if own != target {
            return Err(NotTaken::OtherTarget {
                found: format!("{own} (kube-system UID {})", own.kube_system),
                expected: format!("{target} (kube-system UID {})", target.kube_system),
            });
        }
        match self.journal.state() {
            State::Open | State::PastReturn => Ok(()),
            finished => Err(NotTaken::Finished {
                operation: self.journal.plan.operation.clone(),
                target: own.to_string(),
                how: finished.to_string(),
            }),
        }
    }

    fn next_driver(mut self) -> Self {
        self.epoch += 1;
        self.journal.by = match self.journal.by {
            resumed @ By::Resumed { .. } => resumed,
            by => By::Resumed {
                consent: Box::new(by),
            },
        };
        self
    }
}
