//! How long a step may take: as long as it gets somewhere and does not look bad.

use alloc::{borrow::Cow, format, string::String};

use jiff::Timestamp;

use super::{Entry, guard::moved};
use crate::{
    object::Uid,
    plan::{Guard, Step},
    wait::{Observation, Wait},
};

impl Entry {
    /// Since when the present driver waits.
    pub(super) fn since(&self) -> Timestamp {
        self.resumed.unwrap_or(self.began)
    }

    /// What the plan made, in this step or in the earlier one whose object it watches, must be there while
    /// it is waited for.
    pub(super) fn lost(
        &self,
        step: &Step,
        watched: Option<Uid>,
        observation: &Observation,
    ) -> Option<String> {
        let uid = watched.or_else(|| self.uid.clone().filter(|_| step.act.makes()))?;
        if step.until == Wait::None {
            return None;
        }
        moved(&Guard::Is { uid }, observation)
    }

    /// What was seen, without what proves nothing: Jobs that existed when the step began.
    pub(super) fn news<'a>(
        &self,
        step: &Step,
        observation: &'a Observation,
    ) -> Cow<'a, Observation> {
        if step.until != Wait::FirstSuccess {
            return Cow::Borrowed(observation);
        }
        let mut news = observation.clone();
        news.jobs
            .retain(|job| !self.known.contains(&job.metadata.uid));
        Cow::Owned(news)
    }

    /// A bad state counts after it has held for a while: until then it may pass.
    pub(super) fn looks_bad(
        &mut self,
        step: &Step,
        cause: String,
        now: Timestamp,
    ) -> Result<String, String> {
        let since = earliest(&mut self.bad_since, now);
        if now.duration_since(since) >= step.until.bad_holds() {
            Err(cause)
        } else {
            Ok(cause)
        }
    }

    /// The cause, for as long as there is progress and time.
    pub(super) fn be_patient(
        &mut self,
        step: &Step,
        cause: String,
        observation: &Observation,
        now: Timestamp,
    ) -> Result<String, String> {
        if self.causes.insert(cause.clone()) {
            self.still_since = Some(now);
        }
        let still = now.duration_since(earliest(&mut self.still_since, now));
        let whole = now.duration_since(self.since());
        let given_up = if step
            .until
            .patience(observation)
            .is_some_and(|most| still >= most)
        {
            format!("nothing has changed for {} s: {cause}", still.as_secs())
        } else if step.until.bound().is_some_and(|most| whole >= most) {
            format!("not after {} s: {cause}", whole.as_secs())
        } else {
            return Ok(cause);
        };
        let warned = match observation.warnings.first() {
            None => given_up,
            Some(warning) => format!("{given_up}; the latest warning is {warning}"),
        };
        Err(match step.until.way_on() {
            None => warned,
            Some(way) => format!("{warned}; {way}"),
        })
    }

    pub(super) fn has_had_its_time(&self, step: &Step, now: Timestamp) -> bool {
        let waited = now.duration_since(self.since());
        step.until.grace().is_some_and(|grace| waited >= grace)
    }
}

/// Since when something holds. A clock that is set back must not make it last longer.
fn earliest(since: &mut Option<Timestamp>, now: Timestamp) -> Timestamp {
    let earliest = since.map_or(now, |since| since.min(now));
    *since = Some(earliest);
    earliest
}
