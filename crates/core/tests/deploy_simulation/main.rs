//! A model cluster, its controllers and other people against the planner, the approval and the journal:
//! the driver dies before and after any effect, answers are lost, the world moves while the question is
//! open. `LONGRUN_SCHEDULES=100000 cargo test --test deploy_simulation` for more,
//! `LONGRUN_SEED=7` for one.
#![expect(clippy::expect_used, reason = "a test: a broken model must stop it")]

use std::env;

use longrun_core::{
    change::asked,
    object::ObjectRef,
    operations::deploy::{FIELD_MANAGER, RENDERED_LABEL},
};
use serde_json::json;

mod random;
mod schedule;
mod wish;
mod world;

use schedule::{End, Schedule};
use wish::Wish;
use world::reference;

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

/// Plays one schedule; the first thing that must not be, if it was.
fn play(seed: u64) -> Result<(), String> {
    let mut schedule = Schedule::new(seed);
    let mut wish = Wish::new();
    for _ in 0..1 + schedule.random.below(6) {
        let end = schedule.deploy(&wish);
        schedule.world.tell(&format!("{end:?}"));
        schedule.meanwhile();
        // Restate goes one minor version at a time: the next wish waits for this one's node.
        let deployed = matches!(end, End::Done | End::NothingToDo);
        let node = wish.node;
        for _ in 0..schedule.random.below(4) {
            wish.change(&mut schedule.random);
            schedule.world.tell(&format!("{wish:?}"));
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
        schedule.world.tell(&format!("{end:?}"));
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
