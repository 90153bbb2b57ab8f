//! A driver on the model cluster: the loop that ships, and everything that can go wrong with one of its requests.

use std::{
    future::pending,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use jiff::Timestamp;
use longrun_core::{
    execution::{
        Cluster, Execution, JournalStore, LeaseStatus, Progress, RequestError, Time, execute,
    },
    journal::Stored,
    object::Uid,
    plan::{Effect, Step},
    wait::Observation,
};
use serde_json::Value;

use crate::world::World;

/// Where a driver works.
pub(crate) trait Stage {
    fn world(&self) -> &World;
    fn world_mut(&mut self) -> &mut World;

    /// By the clock of the API server, as far as it is right.
    fn now(&self) -> Timestamp;

    /// Ten seconds pass.
    fn tick(&mut self);

    /// What becomes of a request.
    fn fate(&mut self, asked: &Asked<'_>) -> Fate;

    /// Other people use the cluster.
    fn meanwhile(&mut self);

    /// The driver's machine sleeps, and its lease expires.
    fn asleep(&mut self);

    /// Nothing goes wrong: what does not end now never does.
    fn is_calm(&self) -> bool;

    /// Judges an effect that is about to be done, and whether it takes another one back.
    fn judge(&mut self, _effect: &Effect, _is_undo: bool) {}

    /// An effect is done.
    fn done(&mut self, _effect: &Effect) {}
}

/// A request of a driver.
#[derive(Debug)]
pub(crate) enum Asked<'a> {
    Observe,
    Apply(&'a Effect),
    ReadJournal,
    WriteJournal,
    Wait,
    Pause,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    Served,
    /// The driver is killed before it is sent.
    Killed,
    /// The driver is killed before the answer is here.
    KilledAfter,
    /// It is served, and there is no answer.
    AnswerLost,
    /// It is not served, and there is no answer.
    Unserved,
    /// This one and so many more are not served.
    Silence(u64),
    /// Somebody has just written the object.
    Conflict,
    /// Other people use the cluster before it is served, or just after the journal is written.
    Meanwhile,
    /// The machine sleeps in between: what was seen is old, and what is written comes late.
    Asleep,
    /// Served, and somebody presses Ctrl-C.
    Interrupted,
}

/// How a run of the program ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    NothingToDo,
    Done,
    Refused(String),
    Stopped(String),
    /// Another driver is at work, and this one has left it alone.
    Overtaken,
    Killed,
}

/// More waits than this are for something that hangs: it is interrupted, and a while later killed.
const WAITS: usize = 1300;
const LAST_WAITS: usize = 1500;

/// More requests than this are an endless loop.
const REQUESTS: usize = 20_000;

/// Carries out a plan as far as the driver lives.
pub(crate) fn drive<S: Stage>(
    stage: &mut S,
    store: impl Into<JournalStore>,
    has_lease: bool,
) -> End {
    let holder = has_lease.then(|| stage.world_mut().take_lease());
    let store = store.into();
    let is_kept = store.is_kept();
    let mut execution = Execution::new(store);
    let mut driver = Driver {
        stage,
        holder,
        is_kept,
        epoch: None,
        has_looked: false,
        is_unaware: false,
        is_interrupted: false,
        silent: 0,
        overdue: 0,
        requests: 0,
        waits: 0,
    };
    let driven = pin!(execute(&mut driver, &mut execution))
        // The model never makes anybody wait: what is not ready is dead.
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    match driven {
        Poll::Pending => End::Killed,
        Poll::Ready(Ok(())) => End::Done,
        Poll::Ready(Err(_)) if driver.is_overtaken() => End::Overtaken,
        Poll::Ready(Err(reason)) => End::Stopped(reason.to_string()),
    }
}

/// One driver.
struct Driver<'a, S> {
    stage: &'a mut S,
    /// Which holder of the lease it is; nothing where others may be at work.
    holder: Option<u64>,
    /// Whether its journal is kept in the namespace.
    is_kept: bool,
    /// What it has written the journal with.
    epoch: Option<u64>,
    /// Whether its last request was a look.
    has_looked: bool,
    /// It slept, and has not heard yet that another has its lease.
    is_unaware: bool,
    is_interrupted: bool,
    /// For how many requests there is no answer.
    silent: u64,
    /// For how many more moments the lease is not renewed.
    overdue: u64,
    requests: usize,
    waits: usize,
}

impl<S: Stage> Driver<'_, S> {
    fn is_overtaken(&self) -> bool {
        let holder = self.stage.world().holder;
        self.holder.is_some_and(|ours| ours != holder)
    }

    fn tell(&mut self, what: &str) {
        self.stage.world_mut().tell(what);
    }

    fn violate(&mut self, what: String) {
        self.stage.world_mut().violate(what);
    }

    fn sleep(&mut self) {
        self.tell("the driver's machine sleeps");
        for _ in 0..3 {
            self.stage.tick();
        }
        self.stage.asleep();
        self.overdue = self.stage.world().ticks() % 9;
        self.tell("and wakes up");
    }

    async fn die<T>(&mut self, what: &Asked<'_>) -> T {
        let what = format!("{what:?}");
        let what: String = what.chars().take(60).collect();
        self.tell(&format!("the driver is killed: {what}"));
        pending().await
    }

    async fn request<T>(
        &mut self,
        asked: Asked<'_>,
        serve: impl Fn(&mut Self) -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        let no_answer = || Err(RequestError::Unanswered("it does not answer".to_owned()));
        self.requests += 1;
        if self.requests > REQUESTS {
            self.violate("a driver asks for ever".to_owned());
            return self.die(&asked).await;
        }
        if self.silent > 0 {
            self.silent -= 1;
            return no_answer();
        }
        let comes_late = matches!(asked, Asked::ReadJournal | Asked::WriteJournal);
        self.is_unaware &= comes_late;
        match self.stage.fate(&asked) {
            Fate::Served => serve(self),
            Fate::Killed => self.die(&asked).await,
            Fate::KilledAfter => {
                let _ = serve(self);
                self.die(&asked).await
            }
            Fate::AnswerLost => {
                self.tell("the answer is lost");
                let _ = serve(self);
                no_answer()
            }
            Fate::Unserved => no_answer(),
            Fate::Silence(requests) => {
                self.tell("the API server is silent");
                self.silent = requests;
                no_answer()
            }
            Fate::Conflict => Err(RequestError::Conflict("the object is modified".to_owned())),
            Fate::Meanwhile if matches!(asked, Asked::WriteJournal) => {
                let answer = serve(self);
                self.stage.meanwhile();
                answer
            }
            Fate::Meanwhile => {
                self.stage.meanwhile();
                serve(self)
            }
            Fate::Asleep if comes_late => {
                self.sleep();
                self.is_unaware = true;
                serve(self)
            }
            Fate::Asleep => {
                let answer = serve(self);
                self.sleep();
                answer
            }
            Fate::Interrupted => {
                self.tell("Ctrl-C");
                self.is_interrupted = true;
                serve(self)
            }
        }
    }

    /// Judged without the loop: nobody touches what another driver is at work on, and nothing is done that is not
    /// written down, or that was not looked at since.
    fn judge(&mut self, effect: &Effect) {
        if self.is_overtaken() {
            self.violate(format!("a driver without the lease does this: {effect}"));
        }
        let mut is_undo = false;
        if self.is_kept {
            let (epoch, has_looked) = (self.epoch, self.has_looked);
            let stored = self.stage.world().stored();
            // Nothing, where somebody has deleted the journal since.
            if let Some(stored) = stored.filter(|stored| Some(stored.epoch) == epoch) {
                let journal = &stored.journal;
                let said = journal.unknown().and_then(Effect::object);
                is_undo = journal.stopped().is_some();
                if !is_undo && said != effect.object() {
                    self.violate(format!("this is done and not written before: {effect}"));
                } else if !is_undo && !has_looked {
                    self.violate(format!("this is done without another look: {effect}"));
                }
            } else if epoch.is_none() {
                self.violate(format!("this is done without a journal: {effect}"));
            }
        }
        self.stage.judge(effect, is_undo);
    }
}

impl<S: Stage> Cluster for Driver<'_, S> {
    fn time(&self) -> Time {
        Time {
            now: self.stage.now(),
            elapsed: Duration::from_secs(self.stage.world().now.as_second().unsigned_abs()),
        }
    }

    fn lease(&self) -> LeaseStatus {
        if self.is_overtaken() && !self.is_unaware {
            LeaseStatus::Lost("another has taken the lease over".to_owned())
        } else if self.holder.is_some() && (self.silent > 0 || self.overdue > 0) {
            LeaseStatus::Overdue
        } else {
            LeaseStatus::Held
        }
    }

    fn interrupted(&mut self) -> bool {
        self.is_interrupted
    }

    async fn observe(&mut self, step: &Step) -> Result<Observation, RequestError> {
        let seen = self
            .request(Asked::Observe, |driver| {
                driver.stage.world_mut().raced = false;
                Ok(driver.stage.world().look(step))
            })
            .await;
        self.has_looked = seen.is_ok();
        seen
    }

    async fn apply(
        &mut self,
        step: &Step,
        seen: &Observation,
    ) -> Result<Option<Uid>, RequestError> {
        let done = self
            .request(Asked::Apply(&step.act), |driver| {
                driver.judge(&step.act);
                let done = driver
                    .stage
                    .world_mut()
                    .perform(&step.act, seen.object.as_ref())?;
                driver.stage.done(&step.act);
                Ok(done)
            })
            .await;
        self.has_looked = false;
        done
    }

    async fn read_journal(&mut self, _environment: &str) -> Result<Option<Value>, RequestError> {
        self.has_looked = false;
        self.request(Asked::ReadJournal, |driver| {
            // Whole, where it is compared as a whole.
            let is_whole = driver.epoch.is_none();
            Ok(driver.stage.world().read_journal(is_whole))
        })
        .await
    }

    async fn write_journal(
        &mut self,
        stored: &Stored,
        over: Option<&Value>,
    ) -> Result<(), RequestError> {
        let written = self
            .request(Asked::WriteJournal, |driver| {
                let present = driver.stage.world().stored().map(|stored| stored.epoch);
                driver.stage.world_mut().write_journal(stored, over)?;
                if present > Some(stored.epoch) {
                    driver.violate("the journal of a later driver is written over".to_owned());
                }
                Ok(())
            })
            .await;
        if written.is_ok() {
            self.epoch = Some(stored.epoch);
        }
        written
    }

    async fn wait(&mut self, _step: &Step) {
        self.waits += 1;
        if self.waits > WAITS {
            self.is_interrupted = true;
        }
        if self.waits > LAST_WAITS {
            if self.stage.is_calm() {
                self.violate("an operation never ends".to_owned());
            }
            return self.die(&Asked::Wait).await;
        }
        self.has_looked = false;
        let _ = self
            .request(Asked::Wait, |driver| {
                driver.stage.tick();
                Ok(())
            })
            .await;
    }

    async fn pause(&mut self) {
        self.has_looked = false;
        self.overdue = self.overdue.saturating_sub(1);
        self.stage.tick();
        let _ = self.request(Asked::Pause, |_| Ok(())).await;
    }

    fn report(&mut self, _progress: &Progress<'_>) {}
}
