//! A journal as it is kept in the namespace, so that another driver can go on with it, and nobody with
//! something else.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
};

use jiff::Timestamp;
use serde::{Deserialize as _, Deserializer, de::Error as _};
use serde_json::{Value, json};

use super::{FORMAT, Journal, State};
use crate::{
    approval::By,
    gate::text,
    names::{ENVIRONMENT_LABEL, FIELD_MANAGER, JOURNAL, MANAGED_BY_LABEL},
    object::Digest,
    plan::Target,
};

/// A journal and which of its drivers writes it. Every write compares and swaps: the object must be the
/// version that was read, and its epoch must be the driver's own.
///
/// A driver writes before each effect and each undo, then looks again and asks [`Journal::next`] again, and
/// only then does what is asked for once more: between a look and a deletion there is no other request.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Which driver writes it: rises with each, over all journals of the environment. A new journal takes
    /// the second in which it begins, so that it is another one even when somebody has deleted the last.
    pub epoch: u64,
    /// What is written.
    pub journal: Journal,
    /// The plan's digest: what was approved.
    plan: Digest,
    /// The operation past its point of no return whose place this one takes. When this one is taken back,
    /// that one is unfinished again: nobody else knows what it left.
    closes: Option<Box<Self>>,
    /// The epoch of what it may be written over: of what it was made of, and its own when it is written.
    follows: u64,
}

/// Why a journal is not taken over, or not written any more. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// There is nothing to go on with.
    #[error("the last {operation} of {target} {how}: there is nothing to resume or abort")]
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
        "the {operation} of {target} cannot be taken back: {last} is done; go on with `cargo xtask operation resume {flags}`, or with `deploy` or `restore`, which close it"
    )]
    PastReturn {
        /// Of the journal.
        operation: String,
        /// Of the journal.
        target: String,
        /// What a command takes to mean it.
        flags: String,
        /// What cannot be taken back.
        last: String,
    },
    /// The journal is of another cluster or environment.
    #[error(
        "the journal belongs to {found}, this is {expected}: it was copied from there and does not apply here"
    )]
    OtherTarget {
        /// Of the journal.
        found: String,
        /// The present one.
        expected: String,
    },
    /// Another driver has taken the journal over.
    #[error(
        "another process took the journal over (epoch {found}, this one had {ours}): this one has stopped"
    )]
    Overtaken {
        /// In the cluster.
        found: u64,
        /// Of this driver.
        ours: u64,
    },
    /// It cannot be read.
    #[error(
        "ConfigMap {JOURNAL} cannot be read: {cause}; it records an operation on the database: inspect it before you delete it"
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

/// A journal, whose plan must still be the one that was approved.
fn read(journal: Option<&str>, approved: Option<&str>) -> Result<(Journal, Digest), NotTaken> {
    let unreadable = |cause: String| NotTaken::Unreadable { cause };
    let journal: Journal = serde_json::from_str(journal.unwrap_or_default())
        .map_err(|error| unreadable(error.to_string()))?;
    let plan = journal.plan.digest();
    if Some(&*plan.to_string()) != approved {
        return Err(unreadable(
            "its plan is not the one that was approved".to_string(),
        ));
    }
    Ok((journal, plan))
}

impl Stored {
    /// A new journal over the last one, which must be finished, or past its point of no return: then it is
    /// kept until this one is past its own.
    #[must_use]
    pub fn begin(journal: Journal, last: Option<&Self>, now: Timestamp) -> Self {
        let follows = last.map_or(0, |last| last.epoch);
        let closed = last.filter(|last| last.journal.state().can_be_closed());
        Self {
            epoch: now.as_second().unsigned_abs().max(follows + 1),
            plan: journal.plan.digest(),
            journal,
            closes: closed.map(|last| Box::new(last.alone())),
            follows,
        }
    }

    /// What one that is closed itself left is among the steps of the one that closed it.
    fn alone(&self) -> Self {
        Self {
            closes: None,
            ..self.clone()
        }
    }

    /// What the namespace is to hold: when this one was taken back, the one whose place it took.
    #[must_use]
    pub fn written(&self) -> Self {
        match (&self.closes, self.journal.state()) {
            (Some(closed), State::TakenBack) => Self {
                epoch: self.epoch,
                ..closed.alone()
            },
            (Some(_), State::Open | State::DatabaseGone(_)) | (None, _) => self.clone(),
            (Some(_), State::PastReturn | State::Done | State::Superseded { .. }) => self.alone(),
        }
    }

    /// What the ConfigMap says.
    ///
    /// # Errors
    /// When it is not what this program wrote: the plan must still be the one that was approved.
    pub fn read(config_map: &Value) -> Result<Self, NotTaken> {
        let epoch = epoch(config_map)?;
        let data = |key| config_map.get("data")?.get(key)?.as_str();
        let (journal, plan) = read(data("journal"), data("plan"))?;
        let closes = match data("closes") {
            None => None,
            closes => {
                let (journal, plan) = read(closes, data("closesPlan"))?;
                let (closes, follows) = (None, epoch);
                Some(Box::new(Self {
                    epoch,
                    journal,
                    plan,
                    closes,
                    follows,
                }))
            }
        };
        Ok(Self {
            epoch,
            journal,
            plan,
            closes,
            follows: epoch,
        })
    }

    /// The ConfigMap, without the version that a write must meet.
    #[must_use]
    pub fn manifest(&self) -> Value {
        let written = self.written();
        let environment = &self.journal.plan.target.environment;
        let mut config_map = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": JOURNAL,
                "namespace": environment,
                "labels": {
                    MANAGED_BY_LABEL: FIELD_MANAGER,
                    ENVIRONMENT_LABEL: environment,
                },
            },
            "data": {
                "epoch": self.epoch.to_string(),
                "plan": written.plan,
                "journal": json!(written.journal).to_string(),
            },
        });
        if let Some(closes) = &written.closes {
            config_map["data"]["closes"] = json!(closes.journal).to_string().into();
            config_map["data"]["closesPlan"] = json!(closes.plan);
        }
        config_map
    }

    /// Whether this driver may write over what is there: over its own, and the first time over what it was made of. A
    /// journal that somebody deleted is written again: the lease keeps others from having begun.
    ///
    /// # Errors
    /// When another driver writes it now, or nobody can read it.
    pub fn may_replace(&self, present: Option<&Value>) -> Result<(), NotTaken> {
        let Some(present) = present else {
            return Ok(());
        };
        let (found, ours) = (epoch(present)?, self.epoch);
        // The answer to the first write may have been lost.
        let is_written = || present.get("data") == self.manifest().get("data");
        if found == self.follows || found == ours && is_written() {
            Ok(())
        } else {
            Err(NotTaken::Overtaken { found, ours })
        }
    }

    /// It is written as this driver's.
    pub fn is_written(&mut self) {
        self.follows = self.epoch;
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
                flags: target.flags(),
                last: last.to_string(),
            });
        }
        let mut next = self.next_driver();
        next.journal.interrupt(cause.to_string());
        Ok(next)
    }

    /// Another operation takes the place of this one, which is past its point of no return. No driver of
    /// this one writes any more.
    #[must_use]
    pub fn superseded(&self, operation: &str) -> Self {
        let mut stored = self.alone();
        stored.epoch += 1;
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
        self.follows = self.epoch;
        self.epoch += 1;
        // The last driver may have died before it heard.
        self.journal.unanswered();
        self.journal.by = match self.journal.by {
            resumed @ By::Resumed { .. } => resumed,
            by => By::Resumed {
                consent: Box::new(by),
            },
        };
        self
    }
}

pub(super) fn known_format<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        FORMAT => Ok(FORMAT),
        other => Err(D::Error::custom(format!(
            "this journal has format {other}, this program reads {FORMAT}: use the version that wrote it"
        ))),
    }
}
