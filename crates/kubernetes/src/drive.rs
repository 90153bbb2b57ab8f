//! Does what an approved plan says, step by step: look, ask the journal what comes next, do exactly that.
//! Every decision is the journal's; here are only the requests, and the patience with a silent API server.

use std::{fmt, pin::pin, time::Duration};

use futures::FutureExt as _;
use longrun_core::{
    approval::Approved,
    journal::{Journal, Next, Reason, moved},
    plan::{Effect, Guard, Step},
    wait::{Sight, Standing, Wait},
};

use crate::{
    client::Client,
    clock::{Moment, now},
    failure::Failure,
    lease::Lease,
    progress::{Doing, Progress},
    report::Report,
    sight::sight,
};

mod effect;
mod wake;

use effect::Trouble;
use wake::Wake;

/// How long the API server may be silent before the plan is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// How long after a failed request the next one is sent.
const PAUSE: Duration = Duration::from_secs(1);

/// A plan that was not done to its end, and what state that leaves.
#[derive(Debug)]
pub struct Stopped {
    /// Why.
    pub reason: Reason,
    /// How far it came.
    pub journal: Journal,
    /// What the reader needs to find the cause.
    pub report: Report,
}

impl std::error::Error for Stopped {}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = &self.journal.plan().steps;
        let entries = self.journal.entries();
        let acted = entries.iter().filter(|entry| {
            let watch = steps
                .get(entry.step)
                .is_some_and(|step| step.act.is_watch());
            entry.acted.is_some() && !entry.undone && !watch
        });
        let writes = steps.iter().filter(|step| !step.act.is_watch()).count();
        let undone = entries.iter().filter(|entry| entry.undone).count();
        writeln!(f, "{}", self.reason)?;
        write!(f, "{}", self.report)?;
        write!(f, "{} of {writes} changes are made and stay", acted.count())?;
        if undone > 0 {
            write!(f, ", {undone} taken back")?;
        }
        write!(
            f,
            "; run the same command again when the cause is gone, it goes on from there"
        )
    }
}

/// Does what must be done before a lease can be taken: creates the environment's namespace, when that is the
/// plan's first step. Says how many steps are done, for [`Approved::renew`].
///
/// # Errors
/// When the namespace cannot be created, or appeared meanwhile. Nothing was changed then.
pub async fn prepare(
    client: &Client,
    approved: &Approved,
    progress: Progress<'_>,
) -> Result<usize, Reason> {
    let plan = approved.plan();
    let creates_namespace = |step: &&Step| {
        let object = step.act.object();
        matches!(step.act, Effect::Create { .. })
            && object.is_some_and(|object| {
                object.kind == "Namespace" && object.name == plan.target.environment
            })
    };
    let Some(step) = plan.steps.first().filter(creates_namespace) else {
        return Ok(0);
    };
    let said = step.act.to_string();
    let refused = |cause: String| Reason::Refused {
        step: said.clone(),
        cause,
    };
    progress(&Doing::Step {
        index: 0,
        of: plan.steps.len(),
        step,
    });
    let seen = sight(client, step)
        .await
        .map_err(|failure| refused(failure.words()))?;
    if let Some(moved) = moved(&step.guard, &seen) {
        return Err(Reason::Moved { step: said, moved });
    }
    effect::perform(client, &step.act, &step.guard, &seen)
        .await
        .map_err(|trouble| refused(trouble.into_words()))?;
    let began = now();
    let mut wake = Wake::for_step(client, step);
    loop {
        let seen = sight(client, step)
            .await
            .map_err(|failure| refused(failure.words()))?;
        match step.until.assess(&seen, began) {
            Standing::Holds => return Ok(1),
            Standing::Never { cause } => return Err(Reason::Waited { step: said, cause }),
            Standing::NotYet { cause } | Standing::Bad { cause } => {
                let waited = now().duration_since(began);
                if step
                    .until
                    .patience()
                    .is_some_and(|patience| waited >= patience)
                {
                    return Err(Reason::Waited { step: said, cause });
                }
                wake.changed().await;
            }
        }
    }
}

/// Drives an approved plan to its end. When `interrupted` becomes ready, no further step is begun, and what
/// can be taken back is taken back.
///
/// # Errors
/// When the plan cannot be done to its end: why, how far it came, and what the reader needs to know.
pub async fn drive(
    client: &Client,
    approved: Approved,
    lease: &Lease,
    progress: Progress<'_>,
    interrupted: impl Future<Output = ()>,
) -> Result<Journal, Box<Stopped>> {
    let mut run = Run {
        client,
        progress,
        journal: Journal::open(approved),
        report: None,
        silent_since: None,
        wake: None,
    };
    let mut interrupted = pin!(interrupted.fuse());
    loop {
        if let Some(cause) = lease.lost() {
            // Whoever holds it now may be at work on the same objects: nothing is touched any more.
            return Err(run.abandon(cause).await);
        }
        if interrupted.as_mut().now_or_never().is_some() {
            run.journal.interrupt("it was interrupted".to_owned());
        }
        let seen = match run.look().await {
            Ok(seen) => seen,
            Err(failure) => {
                if let Some(cause) = run.silence(&failure) {
                    run.journal.interrupt(cause);
                }
                run.pause(PAUSE, lease, interrupted.as_mut()).await;
                continue;
            }
        };
        match run.journal.next(&seen, now()) {
            Next::Do(effect) => {
                if let Some(Silent) = run.act(&effect, &seen).await {
                    run.pause(PAUSE, lease, interrupted.as_mut()).await;
                }
            }
            Next::Look => run.ended(),
            Next::Wait { cause, since } => {
                run.say_waiting(&cause, since, &seen);
                run.wait(lease, interrupted.as_mut()).await;
            }
            Next::Undo(effect) => run.undo(&effect, &seen).await,
            Next::Done => return Ok(run.journal),
            Next::Stop(reason) => {
                run.gather(&seen).await;
                return Err(run.stopped(reason));
            }
        }
    }
}

/// The API server did not answer, and there is still patience.
struct Silent;

/// A plan that is being driven.
struct Run<'a> {
    client: &'a Client,
    progress: Progress<'a>,
    journal: Journal,
    report: Option<Report>,
    /// Since when the API server has given no usable answer.
    silent_since: Option<Moment>,
    /// What is watched while the present step waits.
    wake: Option<Wake>,
}

impl Run<'_> {
    /// What the journal's next decision needs to see. A step whose write is enough needs no second look.
    async fn look(&mut self) -> Result<Sight, Failure> {
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
        let seen = sight(self.client, step).await?;
        self.silent_since = None;
        Ok(seen)
    }

    /// Does the present step's effect. Without an answer nobody knows whether it is done: the journal finds
    /// out by looking again.
    async fn act(&mut self, effect: &Effect, seen: &Sight) -> Option<Silent> {
        let step = self.journal.current()?;
        (self.progress)(&Doing::Step {
            index: self.journal.position(),
            of: self.journal.plan().steps.len(),
            step,
        });
        let done = effect::perform(self.client, effect, &step.guard, seen).await;
        match done {
            Ok(uid) => {
                self.silent_since = None;
                self.journal.acted(uid, now());
            }
            Err(Trouble::Refused(cause)) => self.journal.refused(cause),
            Err(Trouble::Passing(failure)) => match self.silence(&failure) {
                Some(cause) => self.journal.interrupt(cause),
                None => return Some(Silent),
            },
        }
        None
    }

    async fn undo(&mut self, effect: &Effect, seen: &Sight) {
        self.gather(seen).await;
        (self.progress)(&Doing::Undoing { effect });
        let since = Moment::now();
        let failed = loop {
            let sight = Sight::default();
            match effect::perform(self.client, effect, &Guard::None, &sight).await {
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
        self.journal.refused(failed);
    }

    fn ended(&mut self) {
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

    fn say_waiting(&self, cause: &str, since: jiff::Timestamp, seen: &Sight) {
        if let Some(step) = self.journal.current() {
            (self.progress)(&Doing::Waiting {
                index: self.journal.position(),
                of: self.journal.plan().steps.len(),
                step,
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
    async fn wait(&mut self, lease: &Lease, interrupted: impl Future<Output = ()>) {
        let Some(step) = self.journal.current() else {
            return;
        };
        let wake = self
            .wake
            .get_or_insert_with(|| Wake::for_step(self.client, step));
        let interrupt = tokio::select! {
            () = wake.changed() => false,
            () = lease.until_lost() => false,
            () = interrupted => true,
        };
        if interrupt {
            self.journal.interrupt("it was interrupted".to_owned());
        }
    }

    async fn pause(
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
            self.journal.interrupt("it was interrupted".to_owned());
        }
    }

    /// Whether to give up after one more failed request: then why.
    fn silence(&mut self, failure: &Failure) -> Option<String> {
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
    async fn gather(&mut self, seen: &Sight) {
        if self.report.is_none() {
            let since = self.journal.entries().last().map(|entry| entry.began);
            self.report = Some(Report::gather(self.client, seen, since).await);
        }
    }

    async fn abandon(mut self, cause: String) -> Box<Stopped> {
        let step = self
            .journal
            .current()
            .map_or_else(String::new, |step| step.act.to_string());
        self.gather(&Sight::default()).await;
        self.journal.interrupt(cause.clone());
        self.stopped(Reason::Interrupted { step, cause })
    }

    fn stopped(self, reason: Reason) -> Box<Stopped> {
        Box::new(Stopped {
            reason,
            journal: self.journal,
            report: self.report.unwrap_or_default(),
        })
    }
}
