//! A driver: it looks, asks the journal, writes down what it is about to do, looks again, and does it. It
//! can die at any of these.

use longrun_core::{
    journal::{JOURNAL, Journal, Next, Stored},
    object::ObjectRef,
    plan::{Effect, Step},
    wait::Sight,
};

use serde_json::json;

use super::program::Program;
use crate::world::{NAMESPACE, reference};

/// How a run of the program ended.
#[derive(Debug, PartialEq)]
pub(super) enum End {
    NothingToDo,
    Done,
    Refused(String),
    Stopped(String),
    Overtaken,
    Killed,
}

/// Where a driver keeps its journal.
enum Book {
    Cluster(Stored),
    Memory(Journal),
}

impl Book {
    fn journal(&mut self) -> &mut Journal {
        match self {
            Self::Cluster(stored) => &mut stored.journal,
            Self::Memory(journal) => journal,
        }
    }
}

/// How many looks a driver may need. A snapshot that hangs would take for ever.
const LOOKS: usize = 1500;

impl Program {
    /// A new journal, in the place of the last one.
    pub(super) fn begin(&mut self, stored: Stored) -> End {
        self.driver += 1;
        let place = reference("ConfigMap", JOURNAL);
        // The lease keeps others from having begun since it was read.
        let present = self.world.objects.get(&place);
        if let Err(refused) = stored.may_follow(present) {
            self.world.violate(format!("nobody can begin: {refused}"));
            return End::Overtaken;
        }
        let mut book = Book::Cluster(stored);
        if let Err(end) = self.put(&place, &mut book) {
            return end;
        }
        self.drive(book)
    }

    /// Another driver goes on. The lease has expired: the last one is not at work any more.
    pub(super) fn take_over(&mut self, stored: Stored) -> End {
        self.begin(stored)
    }

    pub(super) fn drive_alone(&mut self, journal: Journal) -> End {
        self.drive(Book::Memory(journal))
    }

    fn drive(&mut self, mut book: Book) -> End {
        // What is written down and not done yet.
        let mut ahead: Option<Effect> = None;
        for look in 0..LOOKS {
            let step = book.journal().current();
            let sight = step.as_ref().map(|step| self.world.look(step));
            let sight = sight.unwrap_or_default();
            let now = self.now();
            let next = book.journal().next(&sight, now);
            let end = match next {
                Next::Do(effect) | Next::Undo(effect) if ahead.as_ref() != Some(&effect) => {
                    ahead = Some(effect);
                    self.write(&mut book).err()
                }
                Next::Do(effect) => {
                    ahead = None;
                    self.act(&mut book, &effect, &sight, false)
                }
                Next::Undo(effect) => {
                    ahead = None;
                    self.act(&mut book, &effect, &sight, true)
                }
                Next::Look | Next::TurnBack(_) => None,
                Next::Wait { .. } => self.wait(&mut book, look),
                Next::Done => return self.finish(book, End::Done),
                Next::Stop(reason) => return self.finish(book, End::Stopped(reason.to_string())),
            };
            if let Some(end) = end {
                self.fall_asleep(book, &end);
                return end;
            }
        }
        if self.calm {
            self.world.violate("an operation never ends".into());
        }
        End::Killed
    }

    fn finish(&mut self, mut book: Book, end: End) -> End {
        self.write(&mut book).err().unwrap_or(end)
    }

    fn wait(&mut self, book: &mut Book, look: usize) -> Option<End> {
        if self.unlucky(80) {
            return Some(End::Killed);
        }
        if self.unlucky(200) || (!self.calm && look + 200 > LOOKS) {
            self.world.tell("Ctrl-C");
            book.journal().interrupt("Ctrl-C".to_owned());
        }
        if self.unlucky(40) {
            self.meanwhile();
        }
        if self.unlucky(10) {
            self.wake_sleeper();
        }
        self.tick();
        None
    }

    /// Writes the journal, if it is kept in the cluster.
    fn write(&mut self, book: &mut Book) -> Result<(), End> {
        if matches!(book, Book::Memory(_)) {
            return Ok(());
        }
        let place = reference("ConfigMap", JOURNAL);
        let present = self.world.objects.get(&place).cloned();
        if let Book::Cluster(stored) = book
            && stored.may_replace(present.as_ref()).is_err()
        {
            return Err(End::Overtaken);
        }
        self.put(&place, book)
    }

    fn put(&mut self, place: &ObjectRef, book: &mut Book) -> Result<(), End> {
        let Book::Cluster(stored) = book else {
            return Ok(());
        };
        if self.unlucky(60) {
            return Err(End::Killed);
        }
        let epoch = json!({"epoch": stored.epoch.to_string()});
        if let Some(live) = self.world.objects.get_mut(place) {
            live["data"] = epoch;
        } else {
            let mut manifest = json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": JOURNAL, "namespace": NAMESPACE}});
            manifest["data"] = epoch;
            self.world.create(manifest, "longrun");
        }
        self.world.keep(Some(stored.written()), self.driver);
        if self.unlucky(60) {
            return Err(End::Killed);
        }
        // What was seen before may not be so any more.
        if self.unlucky(40) {
            self.meanwhile();
        }
        Ok(())
    }

    /// One effect: the driver may die before it and after it, or never get the answer.
    fn act(&mut self, book: &mut Book, effect: &Effect, sight: &Sight, undo: bool) -> Option<End> {
        if self.unlucky(60) {
            return Some(End::Killed);
        }
        if self.unlucky(60) {
            self.world
                .tell(&format!("no answer, and not done: {effect}"));
            self.tick();
            return None;
        }
        if let Effect::Scale { replicas, .. } = effect {
            self.world.silent = *replicas == 0;
        }
        let done = self.world.perform(effect, sight.object.as_ref());
        if done.is_ok() && self.unlucky(60) {
            return Some(End::Killed);
        }
        if done.is_ok() && self.unlucky(60) {
            self.world.tell(&format!("done, and no answer: {effect}"));
            self.tick();
            return None;
        }
        let now = self.now();
        match done {
            Ok(_) if undo => book.journal().undone(),
            Ok(uid) => book.journal().acted(uid, now),
            Err(cause) => book.journal().refused(cause, now),
        }
        match self.random.one_in(2) {
            true => self.write(book).err(),
            false => None,
        }
    }

    /// A killed driver may only have been cut off: it goes on when its machine wakes up.
    fn fall_asleep(&mut self, book: Book, end: &End) {
        if let (Book::Cluster(stored), End::Killed) = (book, end) {
            self.wake_sleeper();
            self.sleeper = Some((stored, self.driver));
        }
    }

    /// A driver that was cut off wakes up after another one has taken over: it must not write a word.
    pub(super) fn wake_sleeper(&mut self) {
        let overtaken = |(_, driver): &mut (Stored, u64)| *driver != self.world.writer;
        let Some((mut sleeper, _)) = self.sleeper.take_if(overtaken) else {
            return;
        };
        let place = reference("ConfigMap", JOURNAL);
        let Some(present) = self.world.objects.get(&place).cloned() else {
            return;
        };
        let step: Option<Step> = sleeper.journal.current();
        let sight = step.map(|step| self.world.look(&step)).unwrap_or_default();
        let now = self.now();
        let next = sleeper.journal.next(&sight, now);
        let acts = matches!(next, Next::Do(_) | Next::Undo(_));
        if acts && sleeper.may_replace(Some(&present)).is_ok() {
            self.world
                .violate("a driver that was overtaken goes on".into());
        }
    }
}
