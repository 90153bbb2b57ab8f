//! Which request comes next, from every answer so far and the time. A decision never waits.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
};
use core::{mem, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use super::{JournalStore, LeaseStatus, Progress, Time};
use crate::{
    journal::{Journal, Next, Reason, Stored},
    plan::{Effect, Step},
    wait::Observation,
};

mod answers;

/// How long the API server may be silent, or the lease not be renewed, before the plan is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// Why a plan stops that somebody stopped.
const INTERRUPTED: &str = "it was interrupted";

/// What is to be asked of the cluster next.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Look at a step's object, and tell [`Execution::observed`].
    Observe(Step),
    /// Read the journal in the namespace, and tell [`Execution::journal_read`].
    ReadJournal,
    /// Write it over what was read, and tell [`Execution::journal_written`].
    WriteJournal {
        /// What is to be written.
        stored: Box<Stored>,
        /// What was read.
        over: Option<Value>,
    },
    /// Do a step's effect, and tell [`Execution::applied`].
    Apply {
        /// The step.
        step: Step,
        /// Whether it was looked at for that: most of what is taken back is taken back blindly.
        is_seen: bool,
    },
    /// Nothing, until something changes.
    Wait {
        /// The step that waits.
        step: Step,
        /// What is waited for.
        cause: String,
        /// Since when.
        since: Timestamp,
    },
    /// Nothing, for a moment.
    Pause {
        /// Why, for the reader.
        why: String,
    },
    /// Gather what a reader needs to find out why the plan stops.
    Diagnose {
        /// The step that failed just now, if one did.
        failed: Option<Step>,
        /// Since when its trouble may date.
        since: Timestamp,
    },
    /// Nothing: a step has ended.
    Ended {
        /// Its index.
        index: usize,
    },
    /// Nothing any more.
    End(Result<(), Reason>),
}

/// What a write of the journal is for.
#[derive(Clone, Debug, PartialEq)]
enum Purpose {
    /// This effect is done next: it must be written before.
    Ahead(Effect),
    /// Whoever reads it sees how far it is. It is written again before the next effect.
    Note,
    /// Its last word. Without it, whoever comes next finds the operation unfinished, and by going on that nothing is
    /// left to do.
    LastWord {
        /// How often it was tried.
        tries: u32,
    },
}

/// A write of the journal that is under way.
#[derive(Clone, Debug)]
struct Write {
    purpose: Purpose,
    /// What it is written over, when that is read.
    over: Option<Option<Value>>,
    conflicts: u32,
}

/// A plan that is being carried out.
///
/// A journal that is kept in the namespace is written before each effect; then the object is looked at again, and only
/// if the journal's answer is the same the effect is done: between the last look and a deletion there is no other
/// request.
#[derive(Clone, Debug)]
pub struct Execution {
    store: JournalStore,
    seen: Observation,
    /// When it was asked for.
    asked: Option<Time>,
    /// Whether nothing has been decided on it yet.
    is_fresh: bool,
    /// The effect that is written down and not done yet.
    ahead: Option<Effect>,
    write: Option<Write>,
    /// Why to wait a moment before the next request.
    pause: Option<String>,
    /// Since when the API server has given no usable answer.
    silent_since: Option<Duration>,
    /// Since when the lease cannot be relied upon.
    overdue_since: Option<Duration>,
    /// How many versions of the present step's object were met in a row.
    conflicts: u32,
    /// What was last begun to be taken back.
    undoing: Option<Effect>,
    is_diagnosed: bool,
    end: Option<Result<(), Reason>>,
}

impl Execution {
    /// Begins, or goes on with what a journal says is not finished.
    #[must_use]
    pub fn new(store: impl Into<JournalStore>) -> Self {
        Self {
            store: store.into(),
            seen: Observation::default(),
            asked: None,
            is_fresh: false,
            ahead: None,
            write: None,
            pause: None,
            silent_since: None,
            overdue_since: None,
            conflicts: 0,
            undoing: None,
            is_diagnosed: false,
            end: None,
        }
    }

    /// How far it is.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.store
    }

    /// How far it came, and where that is kept.
    #[must_use]
    pub fn into_store(self) -> JournalStore {
        self.store
    }

    /// What was seen last.
    #[must_use]
    pub fn seen(&self) -> &Observation {
        &self.seen
    }

    /// What is said while an effect is done.
    pub(super) fn applying<'a>(&self, step: &'a Step) -> Progress<'a> {
        if self.store.stopped().is_some() {
            return Progress::Undoing { effect: &step.act };
        }
        Progress::Step {
            index: self.store.position(),
            of: self.store.plan().steps.len(),
            step,
        }
    }

    /// What is said while a step waits.
    pub(super) fn waiting<'a>(
        &'a self,
        step: &'a Step,
        cause: &'a str,
        since: Timestamp,
    ) -> Progress<'a> {
        let latest = self.seen.warnings.first();
        Progress::Waiting {
            index: self.store.position(),
            of: self.store.plan().steps.len(),
            step,
            cause,
            since,
            latest: latest.filter(|warning| warning.last >= since),
        }
    }

    /// No further step is begun, and what can be taken back is taken back.
    pub fn interrupt(&mut self) {
        self.stop(INTERRUPTED.to_string());
    }

    fn stop(&mut self, cause: String) {
        if self.store.stopped().is_none() {
            self.store.interrupt(cause);
            self.turn_back();
        }
    }

    /// What is looked at next is another object, and what was written ahead is not done as that.
    fn turn_back(&mut self) {
        self.is_fresh = false;
        self.ahead = None;
    }

    /// What to ask of the cluster next. Asked again without an answer to the last request, it says the same once more,
    /// as far as that is still right.
    pub fn next(&mut self, lease: &LeaseStatus, time: Time) -> Request {
        if *lease == LeaseStatus::Held {
            self.overdue_since = None;
        } else {
            self.overdue_since.get_or_insert(time.elapsed);
        }
        // Whoever holds it now may be at work on the same objects: nothing is touched any more.
        if let LeaseStatus::Lost(cause) = lease
            && self.end.is_none()
            && !self.store.is_over()
        {
            (self.pause, self.write) = (None, None);
            self.abandon(cause.clone());
        }
        loop {
            if let Some(why) = self.pause.take() {
                return Request::Pause { why };
            }
            if let Some(write) = &mut self.write {
                let Some(over) = write.over.take() else {
                    return Request::ReadJournal;
                };
                if let JournalStore::Namespace(stored) = &self.store {
                    let stored = stored.clone();
                    return Request::WriteJournal { stored, over };
                }
                self.write = None;
            }
            if let Some(end) = self.end.clone() {
                return match end {
                    Err(_) if !self.is_diagnosed => self.diagnose(None, time),
                    end => Request::End(end),
                };
            }
            if let Some(request) = self.decide(lease, time) {
                return request;
            }
        }
    }

    /// The next request about the plan itself, or nothing when something else comes first now.
    fn decide(&mut self, lease: &LeaseStatus, time: Time) -> Option<Request> {
        let writes = !self.store.is_over();
        if !self.is_fresh
            && let Some(step) = self.store.to_observe()
        {
            self.asked = Some(time);
            return Some(Request::Observe(step));
        }
        let is_fresh = mem::take(&mut self.is_fresh);
        // As late as can be before a write, since a look takes its time.
        if *lease == LeaseStatus::Overdue && writes {
            self.overdue(time);
            return None;
        }
        let blank = Observation::default();
        let seen = if is_fresh { &self.seen } else { &blank };
        let (index, step) = (self.store.position(), self.store.current());
        let was_stopped = self.store.stopped().is_some();
        let next = self.store.next(seen, time.now);
        if !was_stopped && self.store.stopped().is_some() {
            self.turn_back();
            if !self.is_diagnosed {
                return Some(self.diagnose(step, time));
            }
        }
        let written = self.ahead.take();
        match next {
            Next::Do(effect) | Next::Undo(effect) => self.begin(effect, written, is_fresh),
            Next::Look => {
                self.note();
                (!was_stopped).then_some(Request::Ended { index })
            }
            Next::Wait { cause, since } => step.map(|step| Request::Wait { step, cause, since }),
            Next::TurnBack(_) => None,
            Next::Done => {
                self.close(Ok(()));
                None
            }
            Next::Stop(reason) => {
                self.close(Err(reason));
                None
            }
        }
    }

    /// An effect is done when it is written down, and the journal says the same on another look.
    fn begin(&mut self, effect: Effect, written: Option<Effect>, is_seen: bool) -> Option<Request> {
        if self.store.is_kept() && written.as_ref() != Some(&effect) {
            self.write = Some(Write::new(Purpose::Ahead(effect)));
            return None;
        }
        if self.store.stopped().is_some() && self.undoing.as_ref() != Some(&effect) {
            // Each has its own time.
            self.silent_since = None;
            self.undoing = Some(effect);
        }
        self.ahead = written;
        let step = self.store.current()?;
        Some(Request::Apply { step, is_seen })
    }

    fn diagnose(&mut self, failed: Option<Step>, time: Time) -> Request {
        self.is_diagnosed = true;
        let began = self.store.entries().last().map(|entry| entry.began);
        let since = began.unwrap_or(time.now);
        Request::Diagnose { failed, since }
    }

    fn note(&mut self) {
        // The last word follows at once.
        if self.store.is_kept() && !self.store.is_over() {
            self.write = Some(Write::new(Purpose::Note));
        }
    }

    fn close(&mut self, end: Result<(), Reason>) {
        self.end = Some(end);
        if self.store.is_kept() {
            self.write = Some(Write::new(Purpose::LastWord { tries: 1 }));
        }
    }

    /// Ends without taking anything back.
    fn abandon(&mut self, cause: String) {
        let step = self.store.current();
        let step = step.map_or_else(String::new, |step| step.act.to_string());
        self.stop(cause.clone());
        let reason = self.store.stopped().cloned();
        self.leave(reason.unwrap_or(Reason::Interrupted { step, cause }));
    }

    /// Ends at once: whoever could be asked does not answer, or must not be asked.
    fn leave(&mut self, reason: Reason) {
        self.is_diagnosed = true;
        self.end = Some(Err(reason));
    }

    fn overdue(&mut self, time: Time) {
        let since = self.overdue_since.unwrap_or(time.elapsed);
        if time.elapsed.saturating_sub(since) >= SILENCE {
            self.abandon(
                "the lease could not be renewed: another operation may have begun".to_string(),
            );
        } else {
            self.pause = Some(
                "the lease could not be renewed: nothing is changed until it has been".to_string(),
            );
        }
    }

    /// One more request got no answer. Why to give up, if it is time to.
    fn silence(&mut self, cause: &str, time: Time) -> Option<String> {
        let since = *self.silent_since.get_or_insert(time.elapsed);
        let silent = time.elapsed.saturating_sub(since);
        if silent >= SILENCE {
            return Some(format!("{cause}, for {} s now", silent.as_secs()));
        }
        let left = (SILENCE - silent).as_secs();
        self.pause = Some(format!("{cause}; trying again for {left} s"));
        None
    }
}

impl Write {
    fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            over: None,
            conflicts: 0,
        }
    }
}
