//! The program at work on the model cluster, as far as it lives.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use longrun_core::{
    approval::{Approved, Ask, Demand},
    names::{ENVIRONMENT_LABEL, FIELD_MANAGER, INVENTORY, RENDERED_LABEL},
    object::{Digest, ObjectRef, Uid, intent, uid},
    operations::deploy::{Options, listed, plan},
    plan::{Effect, Plan, Propagation, Target},
};
use serde_json::json;

use super::Wish;
use crate::{
    driver::{Asked, End, Fate, Stage, drive},
    random::Random,
    world::{NAMESPACE, World, reference},
};

/// One schedule: a world, chance, and how much goes wrong.
pub(crate) struct Schedule {
    pub(crate) world: World,
    pub(crate) random: Random,
    /// Nothing goes wrong, and nobody else is at work.
    pub(crate) calm: bool,
    /// The objects as they were when the plan in progress was made, without what it has changed since.
    planned: BTreeMap<ObjectRef, (Uid, Digest)>,
    /// The object that is written next: other people choose it, too.
    pub(super) aimed: Option<ObjectRef>,
    /// Why the effect that is asked for must not be done.
    moved: Option<&'static str>,
}

impl Schedule {
    pub(crate) fn new(seed: u64) -> Self {
        let mut world = World::new();
        world.storage.calm = true;
        Self {
            world,
            random: Random::new(seed),
            calm: false,
            planned: BTreeMap::new(),
            aimed: None,
            moved: None,
        }
    }

    fn plan(&mut self, wish: &Wish) -> Result<Plan, String> {
        let target = Target {
            cluster: "dev".to_owned(),
            kube_system: Uid("k".to_owned()),
            environment: NAMESPACE.to_owned(),
        };
        let options = Options {
            take_over: ["a", "b", "c"]
                .iter()
                .filter(|name| self.calm && wish.config.contains_key(*name))
                .map(|name| format!("ConfigMap/{name}"))
                .collect(),
            drain: true,
            retain_class: "retain".to_owned(),
            now: self.world.now,
        };
        self.planned = self
            .world
            .objects
            .iter()
            .filter_map(|(place, object)| {
                Some((
                    (**place).clone(),
                    (uid(object)?, Digest::of(&intent(object))),
                ))
            })
            .collect();
        let facts = self.world.observe(&wish.objects(), self.calm);
        plan(target, &facts, &options).map_err(|problems| problems.to_string())
    }

    fn unlucky(&mut self, chances: u64) -> bool {
        !self.calm && self.random.one_in(chances)
    }

    /// One run of `deploy`.
    pub(crate) fn deploy(&mut self, wish: &Wish) -> End {
        self.world.now += SignedDuration::from_secs(7);
        let shown = match self.plan(wish) {
            Ok(plan) if plan.is_empty() => return End::NothingToDo,
            Ok(plan) => plan,
            Err(problems) => return End::Refused(problems),
        };
        let before = self.world.writes;
        let refuses = self.unlucky(12);
        let ask = Ask::new(shown);
        let answer = match ask.demand() {
            _ if refuses => "n".to_owned(),
            Demand::Yes => "y".to_owned(),
            Demand::Phrase(phrase) => phrase,
        };
        let approved = match ask.typed(&answer) {
            Ok(approved) => approved,
            Err(refused) => return End::Refused(refused.to_string()),
        };
        self.meanwhile();
        let done = match self.make_namespace(&approved) {
            Ok(done) => done,
            Err(end) => return end,
        };
        let fresh = match self.plan(wish) {
            Ok(fresh) => fresh,
            Err(problems) => return End::Refused(problems),
        };
        match approved.renew(fresh, done) {
            Ok(approved) => drive(self, approved, true),
            Err(moved) => {
                if done == 0 && self.world.writes != before {
                    self.world.violate("a refusal changed something".into());
                }
                End::Refused(moved.to_string())
            }
        }
    }

    /// Without the namespace nothing else can be tried: it is made first, when it is part of the plan.
    fn make_namespace(&mut self, approved: &Approved) -> Result<usize, End> {
        let Some(namespace) = approved.namespace() else {
            return Ok(0);
        };
        match drive(self, namespace, false) {
            End::Done => Ok(1),
            other => Err(other),
        }
    }

    /// Judged without the guards: an object that the plan has not touched yet must be what it was, and a
    /// deletion must be of something that is ours.
    fn is_not_as_planned(&self, effect: &Effect) -> Option<&'static str> {
        let place = effect.object()?;
        let live = self.world.objects.get(&place);
        if let (Effect::Delete { propagation, .. }, Some(live)) = (effect, live) {
            let label = |label| live.get("metadata")?.get("labels")?.get(label)?.as_str();
            let inventory = self.world.objects.get(&reference("ConfigMap", INVENTORY));
            let ours = inventory.is_some_and(|inventory| listed(inventory).contains(&place))
                && label(RENDERED_LABEL).is_some()
                && label(ENVIRONMENT_LABEL) == Some(NAMESPACE)
                && live.pointer("/metadata/managedFields/0/manager") == Some(&json!(FIELD_MANAGER));
            if !ours {
                return Some("it is not ours");
            }
            if place.kind == "StatefulSet" && *propagation != Propagation::Orphan {
                return Some("it takes its pods along");
            }
        }
        let (planned, planned_intent) = self.planned.get(&place)?;
        let live = live?;
        let may_differ = matches!(effect, Effect::Suspend { .. })
            || place.name == INVENTORY
            || place.kind == "PersistentVolumeClaim";
        if uid(live).as_ref() != Some(planned) {
            Some("another incarnation")
        } else if !may_differ && Digest::of(&intent(live)) != *planned_intent {
            Some("somebody has changed it")
        } else {
            None
        }
    }
}

impl Stage for Schedule {
    fn world(&self) -> &World {
        &self.world
    }

    fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    fn now(&self) -> Timestamp {
        self.world.now
    }

    fn tick(&mut self) {
        self.world.tick(&mut self.random);
    }

    fn fate(&mut self, asked: &Asked<'_>) -> Fate {
        if self.calm {
            return Fate::Served;
        }
        let fate = self.random.fate(asked);
        if let (Fate::Meanwhile, Asked::Apply(effect)) = (fate, asked) {
            self.aimed = effect.object();
        }
        fate
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
        self.meanwhile();
    }

    fn is_calm(&self) -> bool {
        self.calm
    }

    fn judge(&mut self, effect: &Effect, _is_undo: bool) {
        self.moved = self.is_not_as_planned(effect);
    }

    fn done(&mut self, effect: &Effect) {
        if let Some(moved) = self.moved {
            self.world.violate(format!("{effect}: {moved}"));
        }
        if let Some(place) = effect.object() {
            self.planned.remove(&place);
        }
    }
}
