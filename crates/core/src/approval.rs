//! Consent to one plan: what must be said for its worst loss, and the token that proves that it was.
//! The token names its plan, so it is no use for another.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use crate::plan::{Loss, Plan};

/// A plan that waits for its answer.
#[derive(Debug)]
pub struct Ask {
    plan: Plan,
}

/// What must be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// `y` or `yes`; in a pipe `--yes`.
    Yes,
    /// Exactly this; in a pipe `--approve` with the plan's digest.
    Phrase(String),
}

/// A plan and the proof that somebody consented to it. Only an [`Ask`] makes one.
#[derive(Debug)]
pub struct Approved {
    plan: Plan,
    by: By,
}

/// Who or what consented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "by")]
pub enum By {
    /// A person at a terminal.
    Typed,
    /// A flag: `--yes`, or `--approve` with this digest.
    Piped {
        /// The digest, when the loss demanded one.
        digest: Option<String>,
    },
    /// A policy in the environment's file: what it asks for needs no one at the keyboard.
    Standing {
        /// The key of the file.
        policy: String,
    },
    /// Nobody needed to: the plan changes nothing.
    NothingToApprove,
    /// The consent that was given when the plan began: another driver goes on with the same plan.
    Resumed {
        /// Who consented then.
        consent: Box<By>,
    },
}

/// Consent was not given; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The answer was not the demanded one.
    #[error("not confirmed; nothing was changed: expected {expected}, got {got:?}")]
    Answer {
        /// What had to be said.
        expected: String,
        /// What was said.
        got: String,
    },
    /// `--approve` named another plan: the world has changed since its dry run, or it was mistyped.
    #[error(
        "not approved; nothing was changed: the digest of this plan is {digest}, --approve has {given:?}"
    )]
    OtherPlan {
        /// The digest of the present plan.
        digest: String,
        /// What the flag said.
        given: String,
    },
    /// A policy allows disruptions, and nothing that loses data.
    #[error(
        "not approved; nothing was changed: the policy `{policy}` does not cover this plan, which needs {expected}"
    )]
    NotCovered {
        /// The key of the file.
        policy: String,
        /// What would have to be said.
        expected: String,
    },
    /// There is no terminal to ask at, and no flag that answers.
    #[error("no terminal to ask at; nothing was changed. Answer with {flag}")]
    NoTerminal {
        /// The flag that answers.
        flag: String,
    },
    /// The plan that was approved is not the plan that would be done now.
    #[error(
        "the cluster changed while the plan waited for approval; nothing was changed: plan {approved} was approved, the plan is now {now}{}",
        listed(moved)
    )]
    Moved {
        /// Digest of the approved plan.
        approved: String,
        /// Digest of the plan as of now.
        now: String,
        /// How they differ, a sentence each.
        moved: Vec<String>,
    },
}

fn listed(moved: &[String]) -> String {
    moved.iter().map(|one| format!("\n  - {one}")).collect()
}

impl Ask {
    /// Asks for consent to a plan.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self { plan }
    }

    /// The plan in question.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What must be said, by the worst loss of the plan.
    #[must_use]
    pub fn demand(&self) -> Demand {
        match self.plan.worst_loss() {
            None | Some(Loss::Disruption { .. } | Loss::Copy { .. }) => Demand::Yes,
            Some(Loss::Snapshot { .. }) if self.snapshots() > 1 => {
                Demand::Phrase(format!("delete {} snapshots", self.snapshots()))
            }
            Some(Loss::Evidence { job: name } | Loss::Snapshot { name }) => {
                Demand::Phrase(name.clone())
            }
            Some(Loss::Incomparable { .. } | Loss::Database { .. }) => {
                Demand::Phrase(self.plan.target.to_string())
            }
            Some(Loss::OnlyCopy { .. }) => {
                Demand::Phrase(format!("destroy {} without a copy", self.plan.target))
            }
        }
    }

    fn snapshots(&self) -> usize {
        let is_snapshot = |loss: &&Loss| matches!(loss, Loss::Snapshot { .. });
        self.plan.loses.iter().filter(is_snapshot).count()
    }

    /// The flag with which a pipe answers.
    #[must_use]
    pub fn flag(&self) -> String {
        match self.demand() {
            Demand::Yes => "--yes".to_string(),
            Demand::Phrase(_) => format!("--approve {}", self.plan.digest().short()),
        }
    }

    /// Takes the line that was typed at the terminal, without its line end.
    ///
    /// # Errors
    /// When it is anything but what was demanded.
    pub fn typed(self, line: &str) -> Result<Approved, Refused> {
        let (granted, expected) = match self.demand() {
            Demand::Yes => (matches!(line, "y" | "Y" | "yes"), "y".to_string()),
            // A nameless loss cannot be consented to: an empty line must never do.
            Demand::Phrase(phrase) => (!phrase.is_empty() && line == phrase, format!("{phrase:?}")),
        };
        if granted {
            Ok(Approved {
                plan: self.plan,
                by: By::Typed,
            })
        } else {
            Err(Refused::Answer {
                expected,
                got: line.to_string(),
            })
        }
    }

    /// Takes what the flags say, where nobody can be asked or the flags answer already.
    ///
    /// # Errors
    /// When they do not amount to what the worst loss demands.
    pub fn piped(self, yes: bool, approve: Option<&str>) -> Result<Approved, Refused> {
        let digest = self.plan.digest();
        if let Some(given) = approve {
            return if given == digest.short() || given == digest.to_string() {
                Ok(Approved {
                    plan: self.plan,
                    by: By::Piped {
                        digest: Some(given.to_string()),
                    },
                })
            } else {
                Err(Refused::OtherPlan {
                    digest: digest.short().to_string(),
                    given: given.to_string(),
                })
            };
        }
        if yes && self.demand() == Demand::Yes {
            return Ok(Approved {
                plan: self.plan,
                by: By::Piped { digest: None },
            });
        }
        Err(Refused::NoTerminal { flag: self.flag() })
    }

    /// Takes what a policy in the environment's file says, once and for all. It covers disruptions only: nothing
    /// that is lost is ever lost without somebody who has seen it.
    ///
    /// # Errors
    /// When the plan loses more than that.
    pub fn standing(self, policy: &str) -> Result<Approved, Refused> {
        let policy = policy.to_string();
        let covered = self
            .plan
            .loses
            .iter()
            .all(|loss| matches!(loss, Loss::Disruption { .. }));
        if covered {
            Ok(Approved {
                plan: self.plan,
                by: By::Standing { policy },
            })
        } else {
            let expected = self.flag();
            Err(Refused::NotCovered { policy, expected })
        }
    }

    /// A plan that changes nothing needs no consent; any other is handed back to be asked for.
    ///
    /// # Errors
    /// The question itself, when the plan changes something.
    pub fn unneeded(self) -> Result<Approved, Self> {
        if self.plan.changes() || !self.plan.loses.is_empty() {
            Err(self)
        } else {
            Ok(Approved {
                plan: self.plan,
                by: By::NothingToApprove,
            })
        }
    }
}

impl Approved {
    /// The plan that was consented to.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Who consented.
    #[must_use]
    pub fn by(&self) -> &By {
        &self.by
    }

    /// Carries the consent over to the same plan made anew from fresh facts, of which the first `done`
    /// steps of the approved one are done already.
    ///
    /// # Errors
    /// When the fresh plan is another plan.
    pub fn renew(self, fresh: Plan, done: usize) -> Result<Self, Refused> {
        let approved = self.plan.digest_from(done);
        let now = fresh.digest();
        if approved == now {
            Ok(Self {
                plan: fresh,
                by: self.by,
            })
        } else {
            Err(Refused::Moved {
                approved: approved.short().to_string(),
                now: now.short().to_string(),
                moved: self.plan.moved(done, &fresh),
            })
        }
    }

    /// The plan's first step alone, when that makes the namespace: neither a lease nor a dry run exists without it, so
    /// that it is done before anything else.
    #[must_use]
    pub fn namespace(&self) -> Option<Self> {
        let first = self.plan.steps.first()?;
        let made = first.act.object().filter(|_| first.act.makes())?;
        let is_first = made.kind == "Namespace" && made.name == self.plan.target.environment;
        is_first.then(|| Self {
            plan: Plan {
                steps: [first.clone()].into(),
                loses: Vec::new(),
                notes: Vec::new(),
                ..self.plan.clone()
            },
            by: self.by.clone(),
        })
    }

    /// Takes the token apart: the journal keeps both.
    pub(crate) fn into_parts(self) -> (Plan, By) {
        (self.plan, self.by)
    }
}

#[cfg(test)]
mod tests;
