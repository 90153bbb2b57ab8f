//! The program: what it is asked to do, how it plans and asks, and how it goes on with what is not finished.

use jiff::{SignedDuration, Timestamp};
use longrun_core::{
    approval::{Ask, Demand},
    journal::{Journal, Stored},
    names::CLAIM,
    object::{Uid, uid},
    operations::{
        data::Options,
        deploy, restore,
        snapshot::{self, Wish as SnapshotWish},
        wipe,
    },
    plan::{Plan, Target},
};
use serde_json::Value;

use super::run::End;
use crate::{
    random::Random,
    world::{NAMESPACE, World, reference, text},
};

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operation {
    Deploy,
    Wipe,
    Destroy,
    Restore(String),
    Snapshot,
    FencedSnapshot,
}

impl Operation {
    /// Whether its journal is kept in the namespace.
    fn is_stored(&self) -> bool {
        !matches!(self, Self::Deploy | Self::Snapshot)
    }

    /// What has to be typed.
    fn answer(&self) -> &'static str {
        match self {
            Self::Wipe | Self::Restore(_) => "dev/restate",
            Self::Destroy => "destroy dev/restate without a copy",
            Self::Deploy | Self::Snapshot | Self::FencedSnapshot => "y",
        }
    }
}

/// One schedule: a world, chance, and how much goes wrong.
pub(super) struct Program {
    pub(super) world: World,
    pub(super) random: Random,
    pub(super) calm: bool,
    /// How far the clock of the program is ahead of the cluster's.
    pub(super) skew: SignedDuration,
    /// Somebody else deleted or changed what operations on data stand on.
    pub(super) meddled: bool,
    /// The claim that the last operation on data was planned with.
    pub(super) planned: Option<Uid>,
    /// The environment's file asks for a larger database than at first.
    pub(super) larger: bool,
    /// The present driver of a journal in the namespace.
    pub(super) driver: u64,
    /// A driver that was cut off, and has not noticed; and which one.
    pub(super) sleeper: Option<(Stored, u64)>,
}

impl Program {
    pub(super) fn new(world: World, random: Random) -> Self {
        Self {
            world,
            random,
            calm: false,
            skew: SignedDuration::ZERO,
            meddled: false,
            planned: None,
            larger: false,
            driver: 0,
            sleeper: None,
        }
    }

    /// Nothing goes wrong any more, and nobody else is at work.
    pub(super) fn calm(&mut self) {
        self.calm = true;
        self.world.storage.calm = true;
        self.sleeper = None;
        self.end_strangers();
    }

    pub(super) fn now(&self) -> Timestamp {
        self.world.now + self.skew
    }

    pub(super) fn tick(&mut self) {
        self.world.tick(&mut self.random);
    }

    pub(super) fn unlucky(&mut self, chances: u64) -> bool {
        !self.calm && self.random.one_in(chances)
    }

    pub(super) fn target() -> Target {
        Target {
            cluster: "dev".to_owned(),
            kube_system: Uid("k".to_owned()),
            environment: NAMESPACE.to_owned(),
        }
    }

    /// Something to do.
    pub(super) fn choose(&mut self) -> Operation {
        match self.random.below(12) {
            0..5 => Operation::Wipe,
            5..8 => self
                .some_snapshot()
                .map_or(Operation::Wipe, Operation::Restore),
            8 => Operation::Snapshot,
            9 => Operation::FencedSnapshot,
            10 => Operation::Destroy,
            _ => {
                self.larger |= self.random.one_in(4);
                Operation::Deploy
            }
        }
    }

    pub(super) fn some_snapshot(&mut self) -> Option<String> {
        let objects = self.world.objects.keys();
        let snapshots: Vec<String> = objects
            .filter(|place| place.kind == "VolumeSnapshot")
            .map(|place| place.name.clone())
            .collect();
        let index = self.random.below(snapshots.len().max(1) as u64) as usize;
        snapshots.into_iter().nth(index)
    }

    fn plan(&self, operation: &Operation) -> Result<Plan, String> {
        let objects = super::rendered(self.larger);
        let rendered = |name: &str| -> Value {
            let of_name = |object: &&Value| text(object, "/metadata/name") == name;
            objects
                .iter()
                .find(of_name)
                .cloned()
                .expect("it is rendered")
        };
        if *operation == Operation::Deploy {
            let options = deploy::Options {
                take_over: std::collections::BTreeSet::new(),
                drain: true,
                retain_class: "retain".to_owned(),
                now: self.now(),
            };
            let facts = self.world.observe(objects, false);
            let plan = deploy::plan(Self::target(), &facts, &options);
            return plan.map_err(|problems| problems.to_string());
        }
        let options = Options {
            now: self.now(),
            driver: "csi.model".to_owned(),
            delete_class: "delete".to_owned(),
            retain_class: "retain".to_owned(),
            set: rendered("restate"),
            discover: rendered("discover"),
            verification_image: "service:0".to_owned(),
            busybox_image: "busybox".to_owned(),
        };
        let facts = self.world.data_facts();
        let target = Self::target();
        match operation {
            Operation::Wipe => wipe::plan(&target, &facts, &options, wipe::Copy::Verified),
            Operation::Destroy => wipe::plan(&target, &facts, &options, wipe::Copy::None),
            Operation::Restore(name) => restore::plan(&target, &facts, &options, name),
            Operation::Snapshot | Operation::FencedSnapshot | Operation::Deploy => {
                let wish = SnapshotWish {
                    fence: *operation == Operation::FencedSnapshot,
                    ..SnapshotWish::default()
                };
                snapshot::take(&target, &facts, &options, &wish)
            }
        }
        .map_err(|refusals| refusals.to_string())
    }

    /// One run of a command, from the question to the end, as far as the program lives.
    pub(super) fn run(&mut self, operation: &Operation) -> End {
        self.world.now += SignedDuration::from_secs(7);
        self.world.tell(&format!("--- {operation:?}"));
        let end = self.ask_and_do(operation);
        self.world.tell(&format!("{end:?}"));
        end
    }

    fn ask_and_do(&mut self, operation: &Operation) -> End {
        let writes = self.world.writes;
        let shown = match self.plan(operation) {
            Ok(plan) if plan.is_empty() => return End::NothingToDo,
            Ok(plan) => plan,
            Err(problems) => return self.refuse(writes, problems),
        };
        let mistyped = self.unlucky(12);
        let approved = match Ask::new(shown).unneeded() {
            Ok(approved) => approved,
            Err(ask) => {
                // A restore where nothing is loses nothing, and a deployment may have to open what nobody knows.
                let answer = match ask.demand() {
                    _ if mistyped => "yes, please".to_owned(),
                    Demand::Yes => "y".to_owned(),
                    Demand::Phrase(phrase) if *operation == Operation::Deploy => phrase,
                    Demand::Phrase(_) => operation.answer().to_owned(),
                };
                match ask.typed(&answer) {
                    Ok(approved) => approved,
                    Err(refused) => return self.refuse(writes, refused.to_string()),
                }
            }
        };
        self.meanwhile();
        let fresh = match self.plan(operation) {
            Ok(fresh) => fresh,
            Err(problems) => return self.refuse(writes, problems),
        };
        let approved = match approved.renew(fresh, 0) {
            Ok(approved) => approved,
            Err(moved) => return self.refuse(writes, moved.to_string()),
        };
        if *operation == Operation::Destroy {
            self.world.forsake();
        }
        let before = self.database_now();
        let source = match operation {
            Operation::Restore(name) => self.world.stored_of(name).map(|data| data.origin),
            _ => None,
        };
        let journal = Journal::open(approved);
        let stored = Stored::begin(journal, self.world.stored(), self.now());
        if operation.is_stored() {
            self.planned.clone_from(&before.0);
        }
        let end = match operation.is_stored() {
            true => self.begin(stored),
            false => self.drive_alone(stored.journal),
        };
        self.check_end(operation, &end, &before, source);
        end
    }

    fn refuse(&mut self, writes: usize, why: String) -> End {
        if self.world.writes != writes {
            self.world.violate("a refusal changed something".into());
        }
        End::Refused(why)
    }

    /// Incarnation of the claim, and which database it holds.
    fn database_now(&mut self) -> (Option<Uid>, Option<u64>) {
        let claim = reference("PersistentVolumeClaim", CLAIM);
        let claim = self.world.objects.get(&claim).and_then(uid);
        (claim, self.world.database().map(|data| data.origin))
    }

    /// An operation does what it says, unless somebody else was at work.
    fn check_end(
        &mut self,
        operation: &Operation,
        end: &End,
        before: &(Option<Uid>, Option<u64>),
        source: Option<u64>,
    ) {
        if self.meddled {
            return;
        }
        let now = self.database_now();
        let wrong = match (operation, end) {
            (Operation::Wipe | Operation::Destroy, End::Done) => now.1 == before.1,
            (Operation::Restore(_), End::Done) => now.0 == before.0 || now.1 != source,
            (Operation::Snapshot | Operation::FencedSnapshot, End::Done | End::Stopped(_)) => {
                now != *before
            }
            _ => false,
        };
        if wrong {
            self.world.violate(format!(
                "{operation:?} ends with {end:?}, and the database was {before:?} and is {now:?}"
            ));
        }
    }

    /// A deployment has nothing to do, sooner or later.
    pub(super) fn is_cured(&mut self) -> bool {
        (0..6).any(|_| self.run(&Operation::Deploy) == End::NothingToDo)
    }

    pub(super) fn is_unfinished(&self) -> bool {
        let stored = self.world.stored();
        stored.is_some_and(|stored| stored.journal.state().is_unfinished())
    }

    /// Somebody comes back to what is not finished, or tries something else.
    pub(super) fn go_on(&mut self) {
        self.wake_sleeper();
        let Some(written) = self.world.journal() else {
            return;
        };
        let stored = Stored::read(&written).expect("a journal is read");
        let (target, now) = (Self::target(), self.now());
        // In peace, somebody who knows what to do.
        let choice = self.random.below(if self.calm { 4 } else { 6 });
        let taken = match (choice, stored.journal.state()) {
            (0..3, _) => stored.resume(&target, now),
            (3, _) => stored.abort(&target, "somebody asked for it"),
            (4, state) if state.can_be_closed() => {
                self.run(&Operation::Deploy);
                return;
            }
            _ => {
                let operation = self.choose();
                let unfinished = self.is_unfinished();
                let end = self.run(&operation);
                let admitted = matches!(end, End::Done | End::Stopped(_) | End::Killed);
                let needs_room = matches!(
                    operation,
                    Operation::Wipe
                        | Operation::Destroy
                        | Operation::Snapshot
                        | Operation::FencedSnapshot
                );
                if unfinished && admitted && needs_room {
                    self.world.violate("two operations at once".into());
                }
                return;
            }
        };
        match taken {
            Ok(stored) => {
                let what = if choice == 3 { "abort" } else { "resume" };
                self.world.tell(&format!("--- {what}"));
                let end = self.take_over(stored);
                self.world.tell(&format!("{end:?}"));
            }
            Err(refused) => self.world.tell(&refused.to_string()),
        }
    }
}
