//! What becomes of each request.

use alloc::{format, string::ToString};
use core::time::Duration;

use serde_json::Value;

use super::{Execution, Purpose, Write};
use crate::{
    execution::{JournalStore, RequestError, Time},
    object::Uid,
    wait::Observation,
};

/// What was seen longer ago may be so no more: the machine has slept since.
const OLD: Duration = Duration::from_secs(30);

/// How many versions of an object are met before a write is given up. Controllers write status often.
const CONFLICTS: u32 = 10;

/// The same for the journal, which nobody else writes.
const JOURNAL_CONFLICTS: u32 = 5;

/// How often the last word of a journal is tried.
const LAST_WORDS: u32 = 10;

impl Execution {
    /// What was seen of the step of [`Request::Observe`].
    pub fn observed(&mut self, answer: Result<Observation, RequestError>, time: Time) {
        let took = self.asked.map_or(Duration::ZERO, |asked| time.since(asked));
        let given_up = match answer {
            Ok(_) if took >= OLD => {
                self.silence(&format!("the answer took {} s", took.as_secs()), time)
            }
            Ok(seen) => {
                self.seen = seen;
                self.is_fresh = true;
                self.silent_since = None;
                return;
            }
            Err(RequestError::Unanswered(cause)) => self.silence(&cause, time),
            Err(
                RequestError::Refused(cause)
                | RequestError::Conflict(cause)
                | RequestError::Unclear(cause),
            ) => Some(cause),
        };
        match (given_up, self.store.stopped().cloned()) {
            (None, _) => {}
            (Some(cause), None) => self.stop(cause),
            // Nothing is taken back of which nobody knows what it is.
            (Some(_), Some(reason)) => self.leave(reason),
        }
    }

    /// What became of [`Request::Apply`].
    pub fn applied(&mut self, answer: Result<Option<Uid>, RequestError>, time: Time) {
        let undoes = self.store.stopped().is_some();
        if let Err(RequestError::Conflict(_)) = answer {
            self.conflicts += 1;
            // Another look, and the same question: nothing was changed.
            if self.conflicts < CONFLICTS {
                return;
            }
        }
        self.conflicts = 0;
        self.ahead = None;
        match answer {
            Ok(_) if undoes => self.store.undone(),
            Ok(uid) => self.store.acted(uid, time.now),
            Err(RequestError::Conflict(cause)) => {
                let cause = format!(
                    "gave up after {CONFLICTS} write conflicts (409): another client keeps updating it: {cause}"
                );
                self.store.refused(cause, time.now);
            }
            Err(RequestError::Refused(cause)) => self.store.refused(cause, time.now),
            Err(RequestError::Unclear(cause)) if undoes => self.store.refused(cause, time.now),
            Err(RequestError::Unclear(cause)) => {
                self.stop(format!("it is unknown whether it was done: {cause}"));
            }
            Err(RequestError::Unanswered(cause)) => {
                self.store.unanswered();
                match self.silence(&cause, time) {
                    None => return,
                    Some(cause) if undoes => self.store.refused(cause, time.now),
                    Some(cause) => self.stop(cause),
                }
                return self.note();
            }
        }
        self.silent_since = None;
        self.note();
    }

    /// What became of [`Request::ReadJournal`].
    pub fn journal_read(&mut self, answer: Result<Option<Value>, RequestError>, time: Time) {
        let JournalStore::Namespace(stored) = &self.store else {
            return;
        };
        let may = answer.and_then(|present| match stored.may_replace(present.as_ref()) {
            Ok(()) => Ok(present),
            Err(refused) => Err(RequestError::Refused(refused.to_string())),
        });
        match (may, &mut self.write) {
            (Ok(present), Some(write)) => write.over = Some(present),
            (Ok(_), None) => {}
            (Err(error), _) => self.not_written(error, time),
        }
    }

    /// What became of [`Request::WriteJournal`].
    pub fn journal_written(&mut self, answer: Result<(), RequestError>, time: Time) {
        let conflicts = self.write.as_ref().map_or(0, |write| write.conflicts) + 1;
        match (answer, &mut self.write, &mut self.store) {
            (Ok(()), write, JournalStore::Namespace(stored)) => {
                stored.is_written();
                self.silent_since = None;
                if let Some(Write {
                    purpose: Purpose::Ahead(effect),
                    ..
                }) = write.take()
                {
                    self.ahead = Some(effect);
                }
            }
            // Deleted, made or written in between: it is read again.
            (Err(RequestError::Conflict(_)), Some(write), _) if conflicts < JOURNAL_CONFLICTS => {
                write.conflicts = conflicts;
            }
            (Err(error), ..) => self.not_written(error, time),
            (Ok(()), _, JournalStore::Memory(_)) => {}
        }
    }

    fn not_written(&mut self, error: RequestError, time: Time) {
        let Some(Write { purpose, .. }) = self.write.take() else {
            return;
        };
        match (purpose, error) {
            (Purpose::Ahead(_), RequestError::Unanswered(cause)) => {
                if let Some(cause) = self.silence(&cause, time) {
                    self.abandon(cause);
                }
            }
            // Another driver has it, or nobody may write it: nothing is done, and nothing taken back.
            (Purpose::Ahead(_), RequestError::Refused(cause) | RequestError::Unclear(cause)) => {
                self.abandon(cause);
            }
            (Purpose::Ahead(_), RequestError::Conflict(cause)) => self.abandon(format!(
                "gave up after {JOURNAL_CONFLICTS} write conflicts (409) on the journal: another client keeps updating it: {cause}"
            )),
            (Purpose::LastWord { tries }, RequestError::Unanswered(cause))
                if tries < LAST_WORDS =>
            {
                self.pause = Some(format!("{cause}; the end is not written down yet"));
                self.write = Some(Write::new(Purpose::LastWord { tries: tries + 1 }));
            }
            (Purpose::Note | Purpose::LastWord { .. }, _) => {}
        }
    }
}
