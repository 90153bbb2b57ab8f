//! A plan that is being driven: what each answer of the journal means in requests.

use std::time::Duration;

use longrun_core::{
    journal::Reason,
    operations::snapshot::{Kept, kept},
    plan::{Effect, Guard},
    wait::{Observation, Wait},
};

use super::{
    JournalStore, Stopped,
    change_watcher::ChangeWatcher,
    effect::{self, Trouble},
};
use crate::{
    client::Client,
    clock::Moment,
    failure::Failure,
    lease::{Lease, LeaseStatus},
    observation::observation,
    progress::{OnProgress, Progress},
    report::Report,
    volumes::kept_by,
};

/// How long the API server may be silent, or the lease not be renewed, before the plan is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// How long after a failed request the next one is sent.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// How often the last word of a journal is tried.
const CLOSING: u32 = 10;

/// Why a plan stops that somebody stopped.
pub(super) const INTERRUPTED: &str = "it was interrupted";

/// The API server did not answer, and there is still patience.
pub(super) struct Silent;

/// A plan that is being driven.
pub(super) struct Run<'a> {
    client: &'a Client,
    progress: OnProgress<'a>,
    pub(super) journal: JournalStore,
    lease: Option<&'a Lease>,
    report: Option<Report>,
    kept: Option<Kept>,
    /// Since when the API server has given no usable answer.
    silent_since: Option<Moment>,
    /// Since when the lease cannot be relied upon.
    overdue_since: Option<Moment>,
    /// What is watched while the present step waits.
    changes: Option<ChangeWatcher>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        client: &'a Client,
        journal: JournalStore,
        lease: Option<&'a Lease>,
        progress: OnProgress<'a>,
    ) -> Self {
        Self {
            client,
            progress,
            journal,
            lease,
            report: None,
            kept: None,
            silent_since: None,
            overdue_since: None,
            changes: None,
        }
    }

    /// What the journal's next decision needs to see. A step whose write is enough needs no second look.
    pub(super) async fn look(&mut self) -> Result<Observation, Failure> {
        let Some(step) = self.journal.current() else {
            return Ok(Observation::default());
        };
        let written =
            self.journal.entries().last().is_some_and(|entry| {
                entry.step == self.journal.position() && entry.acted.is_some()
            });
        // What takes it back looks for itself.
        if written && step.until == Wait::None && self.journal.stopped().is_none() {
            return Ok(Observation::default());
        }
        let seen = observation(self.client, &step).await?;
        self.silent_since = None;
        Ok(seen)
    }

    /// Does the present step's effect. Without an answer nobody knows whether it is done: the journal finds
    /// out by looking again.
    pub(super) async fn act(&mut self, effect: &Effect, seen: &Observation) -> Option<Silent> {
        let step = self.journal.current()?;
        (self.progress)(&Progress::Step {
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
            Err(Trouble::Unclear(cause)) => {
                let cause = format!("nobody knows whether it was done: {cause}");
                self.journal.interrupt(cause);
            }
            Err(Trouble::Passing(failure)) => match self.silence(&failure) {
                Some(cause) => self.journal.interrupt(cause),
                None => return Some(Silent),
            },
        }
        None
    }

    pub(super) async fn undo(&mut self, effect: &Effect, seen: &Observation) {
        (self.progress)(&Progress::Undoing { effect });
        let guard = self
            .journal
            .current()
            .map_or(Guard::None, |step| step.guard);
        let since = Moment::now();
        let failed = loop {
            match effect::perform(self.client, effect, &guard, seen).await {
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
        self.changes = None;
        let entry = self.journal.entries().last();
        let steps = &self.journal.plan().steps;
        if let Some((entry, step)) = entry.and_then(|entry| Some((entry, steps.get(entry.step)?))) {
            (self.progress)(&Progress::Ended {
                index: entry.step,
                of: steps.len(),
                step,
            });
        }
    }

    pub(super) fn say_waiting(&self, cause: &str, since: jiff::Timestamp, seen: &Observation) {
        if let Some(step) = self.journal.current() {
            (self.progress)(&Progress::Waiting {
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
    pub(super) async fn wait(&mut self, interrupted: impl Future<Output = ()>) {
        let Some(step) = self.journal.current() else {
            return;
        };
        let changes = self
            .changes
            .get_or_insert_with(|| ChangeWatcher::for_step(self.client, &step));
        let interrupt = tokio::select! {
            () = changes.changed() => false,
            () = until_lost(self.lease) => false,
            () = interrupted => true,
        };
        if interrupt {
            self.journal.interrupt(INTERRUPTED.to_owned());
        }
    }

    pub(super) async fn pause(&mut self, time: Duration, interrupted: impl Future<Output = ()>) {
        let interrupt = tokio::select! {
            () = tokio::time::sleep(time) => false,
            () = until_lost(self.lease) => false,
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
        (self.progress)(&Progress::Note(&format!(
            "{failure}; trying again for {} s",
            SILENCE.as_secs() - seconds
        )));
        None
    }

    /// The report is about the moment in which things went wrong.
    pub(super) async fn gather(&mut self, seen: &Observation) {
        if self.report.is_none() {
            let since = self.journal.entries().last().map(|entry| entry.began);
            // What stopped it may be younger than what was seen of its pods.
            let again = match self.journal.current() {
                Some(step) => observation(self.client, &step).await.ok(),
                None => None,
            };
            let seen = again.as_ref().unwrap_or(seen);
            self.report = Some(Report::gather(self.client, seen, since).await);
        }
    }

    /// What became of the snapshot that the plan took is told as it is when the plan has stopped.
    pub(super) async fn find_kept(&mut self) {
        self.kept = kept_by(self.client, &self.journal).await;
    }

    /// Whether nobody else can be at work.
    pub(super) fn standing(&self) -> LeaseStatus {
        self.lease.map_or(LeaseStatus::Held, Lease::standing)
    }

    /// Writes the journal before something is done. Says whether it is written; otherwise look again.
    ///
    /// # Errors
    /// When it will never be written: nothing more is done then, and nothing taken back.
    pub(super) async fn write(
        &mut self,
        interrupted: impl Future<Output = ()>,
    ) -> Result<bool, Box<Stopped>> {
        let cause = match self.journal.write(self.client).await {
            Ok(()) => {
                self.silent_since = None;
                return Ok(true);
            }
            Err(Trouble::Passing(failure)) => match self.silence(&failure) {
                None => {
                    self.pause(PAUSE, interrupted).await;
                    return Ok(false);
                }
                Some(cause) => cause,
            },
            Err(trouble) => trouble.into_words(),
        };
        Err(self.give_up(cause))
    }

    /// Writes how far it is, for whoever reads it. It is written again before the next effect.
    pub(super) async fn note(&mut self) {
        let _ = self.journal.write(self.client).await;
    }

    /// Writes the journal's last word. Without it, whoever comes next finds the operation unfinished, and
    /// by going on that nothing is left to do.
    pub(super) async fn close(&mut self) {
        for _ in 0..CLOSING {
            match self.journal.write(self.client).await {
                Err(Trouble::Passing(_)) => tokio::time::sleep(PAUSE).await,
                _ => break,
            }
        }
    }

    /// Keeps in mind since when the lease cannot be relied upon.
    pub(super) fn watch(&mut self) {
        if self.standing() == LeaseStatus::Held {
            self.overdue_since = None;
        } else {
            self.overdue_since.get_or_insert_with(Moment::now);
        }
    }

    /// Whether to give up because the lease has not been renewed for too long: then why.
    pub(super) fn overdue(&self) -> Option<String> {
        (self.progress)(&Progress::Note(
            "the lease could not be renewed: nothing is changed until it is",
        ));
        let since = self.overdue_since?;
        (since.at_least_ago() >= SILENCE)
            .then(|| "the lease could not be renewed: another operation may have begun".to_owned())
    }

    /// Stops without taking anything back.
    pub(super) fn abandon(mut self, cause: String) -> Box<Stopped> {
        self.give_up(cause)
    }

    fn give_up(&mut self, cause: String) -> Box<Stopped> {
        let step = self.journal.current();
        let step = step.map_or_else(String::new, |step| step.act.to_string());
        self.journal.interrupt(cause.clone());
        let reason = self.journal.stopped().cloned();
        self.stopped(reason.unwrap_or(Reason::Interrupted { step, cause }))
    }

    pub(super) fn stopped(&mut self, reason: Reason) -> Box<Stopped> {
        Box::new(Stopped {
            reason,
            is_kept: self.journal.is_kept(),
            journal: self.journal.clone(),
            kept: self.kept.take().or_else(|| kept(&self.journal, None)),
            report: self.report.take().unwrap_or_default(),
        })
    }
}

async fn until_lost(lease: Option<&Lease>) {
    match lease {
        Some(lease) => lease.until_lost().await,
        None => std::future::pending().await,
    }
}
