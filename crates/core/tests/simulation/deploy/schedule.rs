//! The program at work on the model cluster, as far as it lives.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use longrun_core::{
    approval::{Approved, Ask, Demand},
    journal::{Journal, Next, moved},
    names::{ENVIRONMENT_LABEL, FIELD_MANAGER, INVENTORY, RENDERED_LABEL},
    object::{Digest, ObjectRef, Uid, intent, uid},
    operations::deploy::{Options, listed, plan},
    plan::{Effect, Plan, Propagation, Target},
    wait::Observation,
};
use serde_json::json;

use super::Wish;
use crate::{
    random::Random,
    world::{NAMESPACE, World, reference},
};

/// How one run of the program ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    NothingToDo,
    Done,
    Refused,
    Problems(String),
    Stopped(String),
    Killed,
}

/// One schedule: a world, chance, and how much goes wrong.
pub(crate) struct Schedule {
    pub(crate) world: World,
    pub(crate) random: Random,
    /// Nothing goes wrong, and nobody else is at work.
    pub(crate) calm: bool,
    /// The objects as they were when the plan in progress was made, without what it has changed since.
    planned: BTreeMap<ObjectRef, (Uid, Digest)>,
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
            Err(problems) => return End::Problems(problems),
        };
        let before = self.world.writes;
        let refuses = self.unlucky(12);
        let ask = Ask::new(shown);
        let answer = match ask.demand() {
            _ if refuses => "n".to_owned(),
            Demand::Yes => "y".to_owned(),
            Demand::Phrase(phrase) => phrase,
        };
        let Ok(approved) = ask.typed(&answer) else {
            return End::Refused;
        };
        self.meanwhile();
        let Some((approved, done)) = self.make_namespace(approved) else {
            return End::Refused;
        };
        let fresh = match self.plan(wish) {
            Ok(fresh) => fresh,
            Err(problems) => return End::Problems(problems),
        };
        match approved.renew(fresh, done) {
            Ok(approved) => self.drive(Journal::open(approved)),
            Err(_) => {
                if self.world.writes != before + done {
                    self.world.violate("a refusal changed something".into());
                }
                End::Refused
            }
        }
    }

    /// Step 0 of a first deployment: without it nothing else can be tried.
    fn make_namespace(&mut self, approved: Approved) -> Option<(Approved, usize)> {
        let step = approved.plan().steps.first()?;
        let place = step.act.object()?;
        if place.kind != "Namespace" || !matches!(step.act, Effect::Create { .. }) {
            return Some((approved, 0));
        }
        let observation = self.world.observation(&place);
        if moved(&step.guard, &observation).is_some() {
            return None;
        }
        self.world.perform(&step.act, None).ok()?;
        self.tick();
        Some((approved, 1))
    }

    fn drive(&mut self, mut journal: Journal) -> End {
        for _ in 0..2000 {
            if self.unlucky(80) {
                journal.interrupt("Ctrl-C".to_owned());
            }
            let observation = journal
                .current()
                .map(|step| self.world.look(&step))
                .unwrap_or_default();
            match journal.next(&observation, self.world.now) {
                Next::Do(effect) => {
                    if let Some(end) = self.act(&mut journal, &effect, &observation) {
                        return end;
                    }
                }
                Next::Undo(effect) => {
                    let place = effect.object().expect("an object");
                    let observation = self.world.observation(&place);
                    match self.world.perform(&effect, observation.object.as_ref()) {
                        Ok(_) => journal.undone(),
                        Err(cause) => journal.refused(cause, self.world.now),
                    }
                }
                Next::Look | Next::TurnBack(_) => {}
                Next::Wait { .. } => self.tick(),
                Next::Done => return End::Done,
                Next::Stop(reason) => return End::Stopped(reason.to_string()),
            }
            if self.unlucky(60) {
                self.meanwhile();
            }
        }
        self.world.violate("a deployment never ends".into());
        End::Killed
    }

    /// One effect: the driver may die before it, after it, or lose the answer.
    fn act(
        &mut self,
        journal: &mut Journal,
        effect: &Effect,
        observation: &Observation,
    ) -> Option<End> {
        if self.unlucky(40) {
            return Some(End::Killed);
        }
        if self.unlucky(60) {
            self.meanwhile();
        }
        let resumes = self.unlucky(20);
        if resumes && self.random.one_in(2) {
            self.resume(journal);
            return None;
        }
        let moved = self.is_not_as_planned(effect);
        match self.world.perform(effect, observation.object.as_ref()) {
            Ok(_) if moved.is_some() => self.world.violate(format!("{effect}: {moved:?}")),
            Ok(_) if self.unlucky(40) => return Some(End::Killed),
            Ok(_) if resumes => self.resume(journal),
            Ok(uid) => journal.acted(uid, self.world.now),
            Err(cause) => journal.refused(cause, self.world.now),
        }
        if let Some(place) = effect.object() {
            self.planned.remove(&place);
        }
        None
    }

    /// Another driver takes over from what is written down, some time later.
    fn resume(&mut self, journal: &mut Journal) {
        let written = serde_json::to_string(journal).expect("a journal is written");
        *journal = serde_json::from_str(&written).expect("a journal is read");
        self.tick();
    }

    /// Judged without the guards: an object that the plan has not touched yet must be what it was, and a
    /// deletion must be of something that is ours.
    fn is_not_as_planned(&self, effect: &Effect) -> Option<&'static str> {
        let place = effect.object()?;
        let live = self.world.objects.get(&place);
        if let Effect::Delete { propagation, .. } = effect {
            let label = |label| live?.get("metadata")?.get("labels")?.get(label)?.as_str();
            let inventory = self.world.objects.get(&reference("ConfigMap", INVENTORY));
            let ours = inventory.is_some_and(|inventory| listed(inventory).contains(&place))
                && label(RENDERED_LABEL).is_some()
                && label(ENVIRONMENT_LABEL) == Some(NAMESPACE)
                && live?.pointer("/metadata/managedFields/0/manager")
                    == Some(&json!(FIELD_MANAGER));
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

    pub(super) fn tick(&mut self) {
        self.world.tick(&mut self.random);
    }
}
