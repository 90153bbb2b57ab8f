//! Which evidence goes when there is no room. A failure that occurs every minute must not push out the only one
//! of its kind: what occurred again goes first, the oldest of it before the newer, and the last of a signature
//! only when nothing else is left.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::object::Uid;

/// Evidence that is kept, as the recorder lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The Job.
    pub job: String,
    /// Its incarnation; nothing where that cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// It has failed: what goes on may still verify. Older recorders do not say it.
    #[serde(default)]
    pub failed: bool,
    /// By what its failure is known.
    pub signature: String,
    /// When it was made.
    pub created: Timestamp,
    /// How much room it takes.
    pub bytes: u64,
}

/// The Jobs whose evidence goes, in this order, so that all that stays and what is coming fit into the budget.
/// What is coming never goes. The newest of a signature is a Job that has failed, what is coming included: what was
/// gathered of others goes first.
#[must_use]
pub fn leaving<'a>(
    kept: impl IntoIterator<Item = &'a Kept>,
    coming: Option<&'a Kept>,
    budget: u64,
) -> Vec<&'a str> {
    let kept: Vec<&Kept> = kept.into_iter().collect();
    let mut newest: BTreeMap<&str, (Timestamp, &str)> = BTreeMap::new();
    for one in kept.iter().copied().chain(coming).filter(|one| one.failed) {
        let at = (one.created, one.job.as_str());
        let newest = newest.entry(&one.signature).or_insert(at);
        *newest = at.max(*newest);
    }
    let is_last = |one: &Kept| {
        let last = newest.get(one.signature.as_str());
        last.is_some_and(|(_, job)| *job == one.job)
    };
    let mut order = kept;
    order.sort_by_key(|one| (one.failed, is_last(one), one.created, &one.job));
    let coming = coming.map_or(0, |coming| coming.bytes);
    let mut bytes = order
        .iter()
        .fold(coming, |sum, one| sum.saturating_add(one.bytes));
    let mut leaving = Vec::new();
    for one in order {
        if bytes <= budget {
            break;
        }
        bytes = bytes.saturating_sub(one.bytes);
        leaving.push(one.job.as_str());
    }
    leaving
}
