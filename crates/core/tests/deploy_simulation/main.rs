//! A model cluster, its controllers and other people against the planner, the approval and the journal:
//! the driver dies before and after any effect, answers are lost, the world moves while the question is
//! open. `LONGRUN_SCHEDULES=100000 cargo test --test deploy_simulation` for more,
//! `LONGRUN_SEED=7` for one.
#![expect(clippy::expect_used, reason = "a test: a broken model must stop it")]

use std::{collections::BTreeMap, env};

use jiff::SignedDuration;
use longrun_core::{
    approval::{Approved, Ask},
    change::asked,
    journal::{Journal, Next, moved},
    object::{Digest, ObjectRef, Uid, intent, uid},
    operations::deploy::{
        ENVIRONMENT_LABEL, FIELD_MANAGER, INVENTORY, Options, RENDERED_LABEL, listed, plan,
    },
    plan::{Effect, Plan, Propagation, Target},
    wait::Sight,
};
use serde_json::{Value, json};

mod random;
mod world;

use random::Random;
use world::{NAMESPACE, World, reference};

/// Schedules that failed once, with what they found.
const ONCE_FAILED: &[(u64, &str)] = &[
    (
        315,
        "the model took the way back to a registered version for a mixture",
    ),
    (
        329,
        "the model took a Job that a person deleted for a service that is not registered",
    ),
    (1418, "the same"),
    (
        689,
        "the model took a service that a person deleted for a mixture",
    ),
    (1538, "the same"),
];

/// What the environment's file asks for: it changes between two deployments.
#[derive(Clone, Debug)]
struct Wish {
    service: String,
    node: u64,
    storage: u64,
    config: BTreeMap<&'static str, u64>,
    chaos: bool,
}

impl Wish {
    fn change(&mut self, random: &mut Random) {
        match random.below(6) {
            0 => self.service = format!("service:{}", random.below(4)),
            1 if random.one_in(2) => self.service = "service:bad".to_owned(),
            1 => self.node += 1,
            2 => self.storage += 5,
            3 => self.chaos = !self.chaos,
            _ => {
                let name = ["a", "b", "c"][random.below(3) as usize];
                if random.one_in(2) {
                    self.config.remove(name);
                } else {
                    self.config.insert(name, random.below(3));
                }
            }
        }
    }

    fn objects(&self) -> Vec<Value> {
        let labels = json!({RENDERED_LABEL: "true", ENVIRONMENT_LABEL: NAMESPACE});
        let object = |kind, name: &str, spec: Value| {
            let place = reference(kind, name);
            let mut object = json!({"apiVersion": place.api_version, "kind": kind,
                "metadata": {"name": name, "labels": labels}});
            if let Some(namespace) = place.namespace {
                object["metadata"]["namespace"] = json!(namespace);
            }
            for (key, value) in spec.as_object().into_iter().flatten() {
                object[key] = value.clone();
            }
            object
        };
        let pod = |name: &str, image: &str| json!({"spec": {"containers": [{"name": name, "image": image}]}});
        let cron = |name: &str| {
            let job = json!({"spec": {"template": pod("test", &self.service)}});
            object("CronJob", name, json!({"spec": {"jobTemplate": job}}))
        };
        let node = pod("restate", &format!("restate:1.{}.0-abc", self.node));
        let claim = json!([{"metadata": {"name": "target"},
            "spec": {"resources": {"requests": {"storage": format!("{}Gi", self.storage)}}}}]);
        let service = pod("service", &self.service);
        let mut objects = vec![
            cron("test"),
            object("Job", "discover", json!({"spec": {"template": service}})),
            object(
                "Deployment",
                "verification",
                json!({"spec": {"replicas": 3, "template": service}}),
            ),
            object(
                "StatefulSet",
                "restate",
                json!({"spec": {"replicas": 1, "template": node, "volumeClaimTemplates": claim}}),
            ),
            object("Namespace", NAMESPACE, json!({})),
        ];
        if self.chaos {
            objects.push(cron("chaos"));
        }
        for (name, value) in &self.config {
            let data = json!({"data": {"value": value.to_string()}});
            objects.push(object("ConfigMap", name, data));
        }
        objects
    }
}

/// How one run of the program ended.
#[derive(Debug, PartialEq)]
enum End {
    NothingToDo,
    Done,
    Refused,
    Problems(String),
    Stopped(String),
    Killed,
}

/// One schedule: a world, chance, and how much goes wrong.
struct Schedule {
    world: World,
    random: Random,
    calm: bool,
    /// The objects as they were when the plan in progress was made, without what it has changed since.
    planned: BTreeMap<ObjectRef, (Uid, Digest)>,
}

impl Schedule {
    fn plan(&mut self, wish: &Wish) -> Result<Plan, String> {
        let target = Target {
            cluster: "dev".to_owned(),
            kube_system: Uid("k".to_owned()),
            environment: NAMESPACE.to_owned(),
        };
        let options = Options {
            take_over: ["a", "b", "c"]
                .iter()
                .filter(|_| self.calm)
                .map(|name| format!("ConfigMap/{name}"))
                .collect(),
            retain_class: "retain".to_owned(),
            now: self.world.now,
        };
        self.planned = self
            .world
            .objects
            .iter()
            .filter_map(|(place, object)| {
                Some((place.clone(), (uid(object)?, Digest::of(&intent(object)))))
            })
            .collect();
        let facts = self.world.observe(&wish.objects(), self.calm);
        plan(target, &facts, &options).map_err(|problems| problems.to_string())
    }

    fn unlucky(&mut self, chances: u64) -> bool {
        !self.calm && self.random.one_in(chances)
    }

    /// One run of `deploy`.
    fn deploy(&mut self, wish: &Wish) -> End {
        self.world.now += SignedDuration::from_secs(7);
        let shown = match self.plan(wish) {
            Ok(plan) if plan.is_empty() => return End::NothingToDo,
            Ok(plan) => plan,
            Err(problems) => return End::Problems(problems),
        };
        let before = self.world.writes;
        let refuses = self.unlucky(12);
        let answer = if refuses { "n" } else { "y" };
        let Ok(approved) = Ask::new(shown).typed(answer) else {
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
        let sight = self.world.sight(&place);
        if moved(&step.guard, &sight).is_some() {
            return None;
        }
        self.world.perform(&step.act, None).ok()?;
        self.tick();
        Some((approved, 1))
    }

    fn drive(&mut self, mut journal: Journal) -> End {
        for _ in 0..2000 {
            let sight = journal
                .current()
                .and_then(|step| step.act.object())
                .map(|place| self.world.sight(&place))
                .unwrap_or_default();
            match journal.next(&sight, self.world.now) {
                Next::Do(effect) => {
                    if let Some(end) = self.act(&mut journal, &effect, &sight) {
                        return end;
                    }
                }
                Next::Undo(effect) => {
                    let place = effect.object().expect("an object");
                    let sight = self.world.sight(&place);
                    match self.world.perform(&effect, sight.object.as_ref()) {
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
    fn act(&mut self, journal: &mut Journal, effect: &Effect, sight: &Sight) -> Option<End> {
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
        match self.world.perform(effect, sight.object.as_ref()) {
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

    fn tick(&mut self) {
        self.world.tick(&mut self.random);
    }

    /// Time passes, and other people use the cluster as well.
    fn meanwhile(&mut self) {
        for _ in 0..self.random.below(15) {
            self.tick();
        }
        if self.calm {
            return;
        }
        let config = ["a", "b", "c"][self.random.below(3) as usize];
        let config = reference("ConfigMap", config);
        let choice = self.random.below(14);
        self.world.tell(format!("somebody does {choice} {config}"));
        match choice {
            0 | 1 => {
                if let Some(live) = self.world.objects.get_mut(&config) {
                    live["data"]["value"] = json!("edited by hand");
                    self.world.stolen.extend(uid(live));
                }
            }
            2 => {
                if let Some(live) = self.world.objects.get_mut(&config) {
                    live["data"]["note"] = json!("added by hand");
                }
            }
            3 => self.foreign("ConfigMap", &config.name, &json!({})),
            4 => {
                let labels = json!({RENDERED_LABEL: "true", ENVIRONMENT_LABEL: NAMESPACE});
                self.foreign("ConfigMap", "copycat", &labels);
            }
            5 => self.world.delete(&config, Propagation::Background),
            6 => {
                let kind = [("Deployment", "verification"), ("Job", "discover")];
                let (kind, name) = kind[self.random.below(2) as usize];
                self.world
                    .delete(&reference(kind, name), Propagation::Background);
            }
            7 => {
                if let Some(mut object) = self.world.objects.get(&config).cloned() {
                    self.world.delete(&config, Propagation::Background);
                    object["data"]["again"] = json!("yes");
                    self.world.create(object, FIELD_MANAGER);
                }
            }
            8 => self.world.suspend(true, "kubectl-patch"),
            9 => {
                self.world.overridden = true;
                self.world.suspend(false, "kubectl-patch");
            }
            _ => {}
        }
    }

    /// An object that somebody else makes, if there is room for it.
    fn foreign(&mut self, kind: &str, name: &str, labels: &Value) {
        let place = reference(kind, name);
        if self.world.has_namespace() && !self.world.objects.contains_key(&place) {
            let made = self.world.create(
                json!({"apiVersion": "v1", "kind": kind,
                    "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}}),
                "kubectl-create",
            );
            if name == "copycat" {
                self.world.precious.insert(made);
            }
        }
    }
}

/// Plays one schedule; the first thing that must not be, if it was.
fn play(seed: u64) -> Result<(), String> {
    let mut schedule = Schedule {
        world: World::new(),
        random: Random::new(seed),
        calm: false,
        planned: BTreeMap::new(),
    };
    let mut wish = Wish {
        service: "service:0".to_owned(),
        node: 5,
        storage: 10,
        config: BTreeMap::from([("a", 0), ("b", 0)]),
        chaos: false,
    };
    for _ in 0..1 + schedule.random.below(6) {
        let end = schedule.deploy(&wish);
        schedule.world.tell(format!("{end:?}"));
        schedule.meanwhile();
        // Restate goes one minor version at a time: the next wish waits for this one's node.
        let deployed = matches!(end, End::Done | End::NothingToDo);
        let node = wish.node;
        for _ in 0..schedule.random.below(4) {
            wish.change(&mut schedule.random);
            schedule.world.tell(format!("{wish:?}"));
        }
        wish.node = if deployed {
            wish.node.min(node + 1)
        } else {
            node
        };
    }

    // The world stands still, and a good version is asked for.
    schedule.calm = true;
    wish.service = "service:9".to_owned();
    let converged = (0..5).any(|_| {
        let end = schedule.deploy(&wish);
        schedule.world.tell(format!("{end:?}"));
        end == End::NothingToDo
    });
    if !converged {
        schedule.world.violate("it never has nothing to do".into());
    }
    settle(&mut schedule, &wish);
    match schedule.world.violation {
        None => Ok(()),
        Some(violation) => Err(format!(
            "seed {seed}: {violation}\n{}",
            schedule.world.story.join("\n")
        )),
    }
}

/// What must be true when there is nothing left to do.
fn settle(schedule: &mut Schedule, wish: &Wish) {
    let desired = wish.objects();
    for object in &desired {
        let place = ObjectRef::of(object).expect("a reference");
        let live = schedule.world.objects.get(&place);
        if live.is_none_or(|live| !asked(live, object).is_empty()) {
            schedule
                .world
                .violate(format!("{place} is not as asked for"));
        }
    }
    let leftover = schedule.world.objects.values().find(|live| {
        let rendered = desired
            .iter()
            .any(|object| ObjectRef::of(object) == ObjectRef::of(live));
        let ours = live.pointer("/metadata/managedFields/0/manager") == Some(&json!(FIELD_MANAGER));
        !rendered && ours && live["metadata"]["labels"].get(RENDERED_LABEL).is_some()
    });
    if let Some(leftover) = leftover.and_then(ObjectRef::of) {
        schedule.world.violate(format!("{leftover} was not pruned"));
    }
    let test = &schedule.world.objects.get(&reference("CronJob", "test"));
    let ours = test.is_some_and(|test| {
        test["spec"]["suspend"] == json!(true)
            && test.pointer("/metadata/managedFields/1/manager") != Some(&json!("kubectl-patch"))
    });
    if ours {
        schedule
            .world
            .violate("the tests stay suspended by us".into());
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn every_schedule_converges_and_loses_nothing() {
    if let Some(seed) = number("LONGRUN_SEED") {
        play(seed).unwrap_or_else(|story| panic!("{story}"));
        return;
    }
    let schedules = number("LONGRUN_SCHEDULES").unwrap_or(150);
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for seed in (thread..schedules).step_by(threads as usize) {
                    play(seed).unwrap_or_else(|story| panic!("{story}"));
                }
            });
        }
    });
}

#[test]
fn what_failed_once_fails_no_more() {
    for (seed, what) in ONCE_FAILED {
        play(*seed).unwrap_or_else(|story| panic!("again: {what}\n{story}"));
    }
}
