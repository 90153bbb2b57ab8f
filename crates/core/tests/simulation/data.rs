//! Operations on data against the model cluster: the driver dies before and after any request, answers are
//! lost, clocks step, snapshots fail in every way, people delete and start things.

use std::sync::OnceLock;

use longrun_core::names::{CLAIM, OPERATIONS_MANAGER};
use serde_json::Value;

use crate::{
    deploy::Wish,
    driver::{End, Stage as _},
    random::Random,
    world::{World, is_going, number, reference, text},
};

mod people;
pub(crate) mod program;
mod retention;

use program::{Operation, Program};

/// Plays one schedule; the first thing that must not be, if it was.
pub(crate) fn play(seed: u64) -> Result<(), String> {
    let mut program = Program::new(deployed().clone(), Random::new(seed));
    for _ in 0..1 + program.random.below(3) {
        let operation = program.choose();
        program.run(&operation);
        program.meanwhile();
        for _ in 0..program.random.below(3) {
            program.go_on();
            program.meanwhile();
        }
    }
    converge(&mut program);
    match program.world.violation {
        None => Ok(()),
        Some(violation) => Err(format!(
            "seed {seed}: {violation}\n{}",
            program.world.story.join("\n")
        )),
    }
}

/// An environment in which everything runs.
pub(crate) fn deployed() -> &'static World {
    static DEPLOYED: OnceLock<World> = OnceLock::new();
    DEPLOYED.get_or_init(|| {
        let mut program = Program::new(World::new(), Random::new(0));
        program.calm();
        assert_eq!(program.run(&Operation::Deploy), End::Done);
        for _ in 0..20 {
            program.tick();
        }
        assert_eq!(program.run(&Operation::Deploy), End::NothingToDo);
        program.world.story.clear();
        program.world
    })
}

/// The world stands still: what is not finished is finished, one way or another, and a last wipe goes
/// through.
pub(crate) fn converge(program: &mut Program) {
    program.calm();
    // Whatever made the claim: it can grow.
    program.larger |= program.random.one_in(3);
    for _ in 0..4 {
        if program.is_unfinished() {
            program.go_on();
        }
    }
    if !program.is_cured() {
        program
            .world
            .violate("a deployment never has nothing to do".into());
    }
    for _ in 0..30 {
        program.tick();
    }
    judge(program);
    if !program.random.one_in(4) {
        return;
    }
    let wiped = program.run(&Operation::Wipe);
    if wiped != End::Done {
        program
            .world
            .violate(format!("a wipe in peace ends with {wiped:?}"));
    }
    judge(program);
}

/// What must be true when there is nothing left to do.
pub(crate) fn judge(program: &mut Program) {
    if program.is_unfinished() {
        program
            .world
            .violate("an operation is never finished".into());
    }
    let pod = program.world.objects.get(&reference("Pod", "restate-0"));
    let claim = reference("PersistentVolumeClaim", CLAIM);
    let claim = program.world.objects.get(&claim);
    let bound = claim.is_some_and(|claim| text(claim, "/status/phase") == "Bound");
    if !bound || pod.is_none_or(|pod| text(pod, "/status/conditions/0/status") != "True") {
        program.world.violate("the node does not run".into());
    }
    let registered = program
        .world
        .database()
        .is_some_and(|data| !data.knows.is_empty());
    let mut wrong = Vec::new();
    if !registered && !program.meddled {
        wrong.push("no service is registered with the node".to_owned());
    }
    for (place, object) in &program.world.objects {
        let suspended = place.kind == "CronJob"
            && object.pointer("/metadata/managedFields/1/manager")
                == Some(&OPERATIONS_MANAGER.into())
            && object.pointer("/spec/suspend") == Some(&true.into());
        if suspended {
            wrong.push(format!("{place} stays suspended by us"));
        }
        let temporary = ["-check", "-restored", "-source"]
            .iter()
            .any(|end| place.name.ends_with(end));
        if temporary && !is_going(object) {
            wrong.push(format!("{place} is left behind"));
        }
        if place.kind == "StatefulSet" && number(object, "/spec/replicas") == 0 {
            wrong.push(format!("{place} stays stopped"));
        }
    }
    let may_stay = program.meddled || program.fence_broken;
    if !may_stay && !program.world.abandoned().is_empty() {
        wrong.push(format!("{:?} are left behind", program.world.abandoned()));
    }
    for wrong in wrong {
        program.world.violate(wrong);
    }
}

/// What the environment's file asks for, before and after somebody wants a larger database.
fn rendered(larger: bool) -> &'static [Value] {
    static RENDERED: OnceLock<[Vec<Value>; 2]> = OnceLock::new();
    let [small, large] = RENDERED.get_or_init(|| {
        let mut wish = Wish::with_chaos();
        let small = wish.objects();
        wish.storage += 5;
        [small, wish.objects()]
    });
    if larger { large } else { small }
}
