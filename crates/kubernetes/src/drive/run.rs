//! A plan that is being driven: what each answer of the journal means in requests.

use std::time::Duration;

use longrun_core::{
    approval::Approved,
    journal::{Journal, Reason},
    plan::{Effect, Guard},
    wait::{Sight, Wait},
};

use super::{
    Stopped,
    effect::{self, Trouble},
    wake::Wake,
};
use crate::{
    client::Client,
    clock::Moment,
    failure::Failure,
    lease::{Lease, LeaseStanding},
    progress::{Doing, Progress},
    report::Report,
    sight::sight,
};

/// How long the API server may be silent, or the lease not be renewed, before the plan is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// How long after a failed request the next one is sent.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Why a plan stops that somebody stopped.
pub(super) const INTERRUPTED: &str = "it was interrupted";

/// The API server did not answer, and there is still patience.
pub(super) struct Silent;

/// A plan that is being driven.
pub(super) struct Run<'a> {
    client: &'a Client,
    progress: Progress<'a>,
    pub(super) journal: Journal,
    report: Option<Report>,
    /// Since when the API server has given no usable answer.
    silent_since: Option<Moment>,
    /// Since when the lease cannot be relied upon.
    overdue_since: Option<Moment>,
    /// What is watched while the present step waits.
    wake: Option<Wake>,
}

impl<'a> Run<'a> {
    pub(super) fn new(client: &'a Client, approved: Approved, progress: Progress<'a>) -> Self {
        Self {
            client,
            progress,
            journal: Journal::open(approved),
            report: None,
            silent_since: None,
            overdue_since: None,
            wake: None,
        }
    }

    /// What the journal's next decision needs to see. A step whose write is enough needs no second look.
    pub(super) async fn look(&mut self) -> Result<Sight, Failure> {
        let Some(step) = self.journal.current() else {
            return Ok(Sight::default());
        };
        let written =
            self.journal.entries().last().is_some_and(|entry| {
                entry.step == self.journal.position() && entry.acted.is_some()
            });
        if written && step.until == Wait::None {
            return Ok(Sight::default());
        }
        let seen = sight(self.client, &step).await?;
        self.silent_since = None;
        Ok(seen)
    }

    /// Does the present step's effect. Without an answer nobody knows whether it is done: the journal finds
    /// out by looking again.
    pub(super) async fn act(&mut self, effect: &Effect, seen: &Sight) -> Option<Silent> {
        let step = self.journal.current()?;
        (self.progress)(&Doing::Step {
            index: self.journal.position(),
            of: self.journal.plan().steps.len(),
            step: &step,
        });
        let done = effect::perform(self.client, effect, &step.guard, seen).await;
        match done {
            Ok(uid) => {
                self.silent_since = None;
                self.journal.acted(uid, self.client.now());
            }
            Err(Trouble::Refused(cause)) => self.journal.refused(cause, self.client.now()),
            Err(Trouble::Passing(failure)) => match self.silence(&failure) {
                Some(cause) => self.journal.interrupt(cause),
                None => return Some(Silent),
            },
        }
        None
    }

    pub(super) async fn undo(&mut self, effect: &Effect, seen: &Sight) {
        (self.progress)(&Doing::Undoing { effect });
        let since = Moment::now();
        let failed = loop {
            match effect::perform(self.client, effect, &Guard::None, seen).await {
                Ok(_) => return self.journal.undone(),
                Err(Trouble::Passing(_)) if since.at_least_ago() < SILENCE => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(trouble) => break trouble.into_words(),
            }
        };
        if let Some(report) = &mut self.report {
            report.not_undone.push(format!("{effect}: {failed}"));
        }
        self.journal.refused(failed, self.client.now());
    }

    pub(super) fn ended(&mut self) {
        self.wake = None;
        let entry = self.journal.entries().last();
        let steps = &self.journal.plan().steps;
        if let Some((entry, step)) = entry.and_then(|entry| Some((entry, steps.get(entry.step)?))) {
            (self.progress)(&Doing::Ended {
                index: entry.step,
                of: steps.len(),
                step,
            });
        }
    }

    pub(super) fn say_waiting(&self, cause: &str, since: jiff::Timestamp, seen: &Sight) {
        if let Some(step) = self.journal.current() {
            (self.progress)(&Doing::Waiting {
                index: self.journal.position(),
                of: self.journal.plan().steps.len(),
                step: &step,
                cause,
                since,
                latest: seen
                    .warnings
                    .first()
                    .filter(|warning| warning.last >= since),
            });
        }
    }

    /// Waits for a change of what the step waits for, or for a reason to stop.
    pub(super) async fn wait(&mut self, lease: &Lease, interrupted: impl Future<Output = ()>) {
        let Some(step) = self.journal.current() else {
            return;
        };
        let wake = self
            .wake
            .get_or_insert_with(|| Wake::for_step(self.client, &step));
        let interrupt = tokio::select! {
            () = wake.changed() => false,
            () = lease.until_lost() => false,
            () = interrupted => true,
        };
        if interrupt {
            self.journal.interrupt(INTERRUPTED.to_owned());
        }
    }

    pub(super) async fn pause(
        &mut self,
        time: Duration,
        lease: &Lease,
        interrupted: impl Future<Output = ()>,
    ) {
        let interrupt = tokio::select! {
            () = tokio::time::sleep(time) => false,
            () = lease.until_lost() => false,
            () = interrupted => true,
        };
        if interrupt {
            self.journal.interrupt(INTERRUPTED.to_owned());
        }
    }

    /// Whether to give up after one more failed request: then why.
    pub(super) fn silence(&mut self, failure: &Failure) -> Option<String> {
        if !failure.is_passing() {
            return Some(failure.to_string());
        }
        let since = *self.silent_since.get_or_insert_with(Moment::now);
        let seconds = since.at_least_ago().as_secs();
        if since.at_least_ago() >= SILENCE {
            return Some(format!("{failure}, for {seconds} s now"));
        }
        (self.progress)(&Doing::Note(&format!(
            "{failure}; trying again for {} s",
            SILENCE.as_secs() - seconds
        )));
        None
    }

    /// The report is about the moment in which things went wrong.
    pub(super) async fn gather(&mut self, seen: &Sight) {
        if self.report.is_none() {
            let since = self.journal.entries().last().map(|entry| entry.began);
            self.report = Some(Report::gather(self.client, seen, since).await);
        }
    }

    /// Keeps in mind since when the lease cannot be relied upon.
    pub(super) fn watch(&mut self, lease: &LeaseStanding) {
        if *lease == LeaseStanding::Held {
            self.overdue_since = None;
        } else {
            self.overdue_since.get_or_insert_with(Moment::now);
        }
    }

    /// Whether to give up because the lease has not been renewed for too long: then why.
    pub(super) fn overdue(&self) -> Option<String> {
        (self.progress)(&Doing::Note(
            "the lease could not be renewed: nothing is changed until it is",
        ));
        let since = self.overdue_since?;
        (since.at_least_ago() >= SILENCE)
            .then(|| "the lease could not be renewed: another operation may have begun".to_owned())
    }

    /// Stops without taking anything back.
    pub(super) fn abandon(mut self, cause: String) -> Box<Stopped> {
        let step = self.journal.current();
        let step = step.map_or_else(String::new, |step| step.act.to_string());
        self.journal.interrupt(cause.clone());
        let reason = self.journal.stopped().cloned();
        self.stopped(reason.unwrap_or(Reason::Interrupted { step, cause }))
    }

    pub(super) fn stopped(self, reason: Reason) -> Box<Stopped> {
        Box::new(Stopped {
            reason,
            journal: self.journal,
            report: self.report.unwrap_or_default(),
        })
    }
}
