//! A driver: it looks, asks the journal, writes down what it is about to do, looks again, and does it. It
//! can die at any of these.

use longrun_core::{
    journal::{Journal, Next, Stored},
    names::{CLAIM, JOURNAL},
    object::{ObjectRef, uid},
    plan::{Effect, Step},
    wait::Observation,
};

use serde_json::json;

use super::program::Program;
use crate::world::{NAMESPACE, is_going, number, reference, text};

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
enum JournalStore {
    Cluster(Stored),
    Memory(Journal),
}

impl JournalStore {
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
        let mut journal = JournalStore::Cluster(stored);
        if let Err(end) = self.put(&place, &mut journal) {
            return end;
        }
        self.drive(journal)
    }

    /// Another driver goes on. The lease has expired: the last one is not at work any more.
    pub(super) fn take_over(&mut self, stored: Stored) -> End {
        self.begin(stored)
    }

    pub(super) fn drive_alone(&mut self, journal: Journal) -> End {
        self.drive(JournalStore::Memory(journal))
    }

    fn drive(&mut self, mut journal: JournalStore) -> End {
        // What is written down and not done yet.
        let mut ahead: Option<Effect> = None;
        for look in 0..LOOKS {
            let step = journal.journal().current();
            let observation = step.as_ref().map(|step| self.world.look(step));
            let observation = observation.unwrap_or_default();
            let now = self.now();
            let next = journal.journal().next(&observation, now);
            let end = match next {
                Next::Do(effect) | Next::Undo(effect) if ahead.as_ref() != Some(&effect) => {
                    ahead = Some(effect);
                    self.write(&mut journal).err()
                }
                Next::Do(effect) => {
                    ahead = None;
                    self.act(&mut journal, &effect, &observation, false)
                }
                Next::Undo(effect) => {
                    ahead = None;
                    self.act(&mut journal, &effect, &observation, true)
                }
                Next::Look | Next::TurnBack(_) => None,
                Next::Wait { .. } => self.wait(&mut journal, look),
                Next::Done => return self.finish(journal, End::Done),
                Next::Stop(reason) => {
                    return self.finish(journal, End::Stopped(reason.to_string()));
                }
            };
            if let Some(end) = end {
                self.fall_asleep(journal, &end);
                return end;
            }
        }
        if self.calm {
            self.world.violate("an operation never ends".into());
        }
        End::Killed
    }

    fn finish(&mut self, mut journal: JournalStore, end: End) -> End {
        self.write(&mut journal).err().unwrap_or(end)
    }

    fn wait(&mut self, journal: &mut JournalStore, look: usize) -> Option<End> {
        if self.unlucky(80) {
            return Some(End::Killed);
        }
        if self.unlucky(200) || (!self.calm && look + 200 > LOOKS) {
            self.world.tell("Ctrl-C");
            journal.journal().interrupt("Ctrl-C".to_owned());
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
    fn write(&mut self, journal: &mut JournalStore) -> Result<(), End> {
        if matches!(journal, JournalStore::Memory(_)) {
            return Ok(());
        }
        let place = reference("ConfigMap", JOURNAL);
        let present = self.world.objects.get(&place).cloned();
        if let JournalStore::Cluster(stored) = journal
            && stored.may_replace(present.as_ref()).is_err()
        {
            return Err(End::Overtaken);
        }
        self.put(&place, journal)
    }

    fn put(&mut self, place: &ObjectRef, journal: &mut JournalStore) -> Result<(), End> {
        let JournalStore::Cluster(stored) = journal else {
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
    fn act(
        &mut self,
        journal: &mut JournalStore,
        effect: &Effect,
        observation: &Observation,
        undo: bool,
    ) -> Option<End> {
        if self.unlucky(60) {
            return Some(End::Killed);
        }
        if self.unlucky(60) {
            self.world
                .tell(&format!("no answer, and not done: {effect}"));
            self.tick();
            return None;
        }
        match effect {
            Effect::Scale { replicas, .. } if undo && *replicas > 0 => {
                self.check_start();
                self.world.silent = false;
            }
            // One that a person has stopped is theirs to start.
            Effect::Scale { object, replicas } => {
                let set = self.world.objects.get(object);
                let runs = set.is_some_and(|set| number(set, "/spec/replicas") > 0);
                self.world.silent = *replicas == 0 && (runs || self.world.silent);
            }
            // A set that is made anew has its pods.
            Effect::Create { object } if text(object, "/kind") == "StatefulSet" => {
                self.world.silent = false;
            }
            _ => {}
        }
        let done = self.world.perform(effect, observation.object.as_ref());
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
            Ok(_) if undo => journal.journal().undone(),
            Ok(uid) => journal.journal().acted(uid, now),
            Err(cause) => journal.journal().refused(cause, now),
        }
        match self.random.one_in(2) {
            true => self.write(journal).err(),
            false => None,
        }
    }

    /// Judged without the guard: whoever starts the node to take something back must know that it has the database
    /// that it had.
    fn check_start(&mut self) {
        let claim = reference("PersistentVolumeClaim", CLAIM);
        let claim = self.world.objects.get(&claim);
        let same = claim.is_some_and(|claim| !is_going(claim) && uid(claim) == self.planned);
        if !same {
            self.world.violate(
                "an undo starts the node on another claim than the one from before".into(),
            );
        }
    }

    /// A killed driver may only have been cut off: it goes on when its machine wakes up.
    fn fall_asleep(&mut self, journal: JournalStore, end: &End) {
        if let (JournalStore::Cluster(stored), End::Killed) = (journal, end) {
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
        let observation = step.map(|step| self.world.look(&step)).unwrap_or_default();
        let now = self.now();
        let next = sleeper.journal.next(&observation, now);
        let acts = matches!(next, Next::Do(_) | Next::Undo(_));
        if acts && sleeper.may_replace(Some(&present)).is_ok() {
            self.world
                .violate("a driver that was overtaken goes on".into());
        }
    }
}
