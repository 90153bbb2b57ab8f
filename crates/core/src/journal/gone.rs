//! A database that somebody else deleted while an operation had stopped its node: what is left of it, and how it comes
//! back.

use alloc::{format, string::String};

use serde::{Deserialize, Serialize};

use super::{Journal, Kept, Standing};
use crate::plan::Guard;

/// The node stays stopped: starting it would begin an empty database in the place of the one from before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseGone {
    /// What became of its claim.
    pub why: String,
    /// The node's claim.
    pub claim: String,
    /// The `PersistentVolume` that it was on, and that stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
}

impl DatabaseGone {
    /// How it comes back, by the best of what is left: the snapshot that was taken of it, if that is a way back, its
    /// volume, or a snapshot that nobody has compared with it. `flags` mean its target.
    #[must_use]
    pub fn way_back(&self, flags: &str, kept: Option<&Kept>) -> String {
        let restore = format!("cargo xtask restore {flags} -s");
        if let Some(copy) = kept.and_then(Kept::way_back) {
            return format!("bring it back: {restore} {copy}");
        }
        if let Some(volume) = &self.volume {
            let claim = &self.claim;
            return format!(
                r#"bring it back: its volume is kept; when PersistentVolumeClaim {claim} is gone, the next one of that name gets it: kubectl patch pv {volume} --type=merge --patch='{{"spec":{{"claimRef":{{"uid":null,"resourceVersion":null}}}}}}', then cargo xtask deploy {flags}"#
            );
        }
        match kept {
            Some(Kept {
                name,
                standing: Standing::Unverified | Standing::NotReady | Standing::Unknown,
            }) => format!(
                "what is left:  VolumeSnapshot {name}, which was not compared with it: {restore} {name}"
            ),
            Some(Kept {
                standing: Standing::Verified | Standing::Empty | Standing::Gone,
                ..
            })
            | None => {
                format!("no snapshot of it is left; to go back to another one: {restore} SNAPSHOT")
            }
        }
    }
}

impl Journal {
    /// What is left of a database that somebody else deleted.
    pub(super) fn database_gone(&self) -> Option<DatabaseGone> {
        let why = self.database_gone.clone()?;
        let mut guards = self.plan.steps.iter().map(|step| &step.guard);
        let database = guards.find_map(|guard| match guard {
            Guard::Node { database, .. } => Some(database),
            _ => None,
        })?;
        Some(DatabaseGone {
            why,
            claim: database.claim.name.clone(),
            volume: database.volume.clone(),
        })
    }
}
