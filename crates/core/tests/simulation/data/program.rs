//! The program: what it is asked to do, how it plans and asks, and how it goes on with what is not finished.

use jiff::{SignedDuration, Timestamp};
use longrun_core::{
    approval::{Ask, Demand},
    execution::JournalStore,
    journal::{Journal, Stored},
    names::CLAIM,
    object::{Uid, uid},
    operations::{
        data::Options,
        deploy, restore,
        snapshot::{self, Wish as SnapshotWish},
        wipe,
    },
    plan::{Effect, Plan, Policy, Target},
};
use serde_json::Value;

use crate::{
    driver::{Asked, End, Fate, Stage, drive},
    random::Random,
    world::{NAMESPACE, World, is_going, reference, text},
};

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operation {
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
pub(crate) struct Program {
    pub(crate) world: World,
    pub(super) random: Random,
    pub(super) calm: bool,
    /// How far the clock of the program is ahead of the cluster's.
    pub(super) skew: SignedDuration,
    /// Somebody else deleted or changed what operations on data stand on.
    pub(super) meddled: bool,
    /// Somebody else changed the node's set while an operation was not finished: where its driver has not heard what became
    /// of the claim, nobody knows whether the volume has what the snapshot has, and it stays.
    pub(super) fence_broken: bool,
    /// The claim that the last operation on data was planned with.
    pub(super) planned: Option<Uid>,
    /// The environment's file asks for a larger database than at first.
    pub(super) larger: bool,
    /// What goes wrong when, where a story says it.
    pub(crate) script: Option<Script>,
    /// Another driver is at work while the first one sleeps.
    has_sleeper: bool,
}

/// Whether more than the object decides whether it may be done: a claim goes when its snapshot is good, a volume too, and
/// a node starts with its claim.
fn depends_on_others(effect: &Effect) -> bool {
    match effect {
        Effect::Delete { object, .. } => object.kind == "PersistentVolumeClaim",
        Effect::Reclaim { policy, .. } => *policy == Policy::Delete,
        effect => starts(effect),
    }
}

fn starts(effect: &Effect) -> bool {
    matches!(effect, Effect::Scale { replicas: 1.., .. })
}

/// What becomes of each request of a story.
pub(crate) type Script = Box<dyn FnMut(&mut Program, &Asked<'_>) -> Fate>;

impl Stage for Program {
    fn world(&self) -> &World {
        &self.world
    }

    fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    fn now(&self) -> Timestamp {
        self.world.now + self.skew
    }

    fn tick(&mut self) {
        self.world.tick(&mut self.random);
    }

    fn fate(&mut self, asked: &Asked<'_>) -> Fate {
        if let Some(mut script) = self.script.take() {
            let fate = script(self, asked);
            self.script = Some(script);
            return fate;
        }
        if self.calm {
            return Fate::Served;
        }
        match (self.random.fate(asked), asked) {
            // No request carries the versions of all that such a guard has looked at.
            (Fate::Meanwhile, Asked::Apply(effect)) if depends_on_others(effect) => Fate::Served,
            (fate, _) => fate,
        }
    }

    fn meanwhile(&mut self) {
        for _ in 0..self.random.below(15) {
            self.tick();
        }
        if !self.calm {
            self.people();
        }
    }

    fn asleep(&mut self) {
        if !self.has_sleeper && self.random.one_in(2) {
            self.has_sleeper = true;
            self.go_on();
            self.has_sleeper = false;
        }
    }

    fn is_calm(&self) -> bool {
        self.calm
    }

    fn judge(&mut self, effect: &Effect, is_undo: bool) {
        if is_undo && starts(effect) {
            self.check_start();
        }
        let deletes = matches!(effect, Effect::Delete { object, .. }
            if *object == reference("PersistentVolumeClaim", CLAIM));
        if deletes && !self.calm && self.script.is_none() && self.random.one_in(4) {
            // Between the look and the deletion. A volume that was written to is left.
            self.meddled = true;
            self.visit();
        }
    }
}

impl Program {
    pub(crate) fn new(world: World, random: Random) -> Self {
        Self {
            world,
            random,
            calm: false,
            skew: SignedDuration::ZERO,
            meddled: false,
            fence_broken: false,
            planned: None,
            larger: false,
            script: None,
            has_sleeper: false,
        }
    }

    /// Nothing goes wrong any more, and nobody else is at work.
    pub(crate) fn calm(&mut self) {
        self.calm = true;
        self.world.storage.calm = true;
        self.end_strangers();
    }

    pub(super) fn unlucky(&mut self, chances: u64) -> bool {
        !self.calm && self.random.one_in(chances)
    }

    pub(crate) fn target() -> Target {
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
    pub(crate) fn run(&mut self, operation: &Operation) -> End {
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
        if operation.is_stored() {
            self.planned.clone_from(&before.0);
        }
        let store: JournalStore = match operation.is_stored() {
            true => {
                let journal = Journal::open(approved);
                Stored::begin(journal, self.world.stored(), self.now()).into()
            }
            false => approved.into(),
        };
        let end = drive(self, store, *operation != Operation::Snapshot);
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

    /// A deployment has nothing to do, sooner or later.
    pub(super) fn is_cured(&mut self) -> bool {
        (0..6).any(|_| self.run(&Operation::Deploy) == End::NothingToDo)
    }

    pub(crate) fn is_unfinished(&self) -> bool {
        let stored = self.world.stored();
        stored.is_some_and(|stored| stored.journal.state().is_unfinished())
    }

    /// Somebody comes back to what is not finished, or tries something else.
    pub(super) fn go_on(&mut self) {
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
                let end = drive(self, stored, true);
                self.world.tell(&format!("{end:?}"));
            }
            Err(refused) => self.world.tell(&refused.to_string()),
        }
    }
}
