//! Deployments against the model cluster: the driver dies before and after any effect, answers are lost,
//! the world moves while the question is open.

use longrun_core::{
    change::asked,
    names::{FIELD_MANAGER, RENDERED_LABEL},
    object::ObjectRef,
};
use serde_json::json;

use crate::{
    driver::{End, Stage as _},
    world::{PERSON, reference},
};

mod people;
mod schedule;
mod wish;

use schedule::Schedule;
pub(crate) use wish::Wish;

/// Plays one schedule; the first thing that must not be, if it was.
pub(crate) fn play(seed: u64) -> Result<(), String> {
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
            && test.pointer("/metadata/managedFields/1/manager") != Some(&json!(PERSON))
    });
    if ours {
        schedule
            .world
            .violate("the tests stay suspended by us".into());
    }
}
