//! What went wrong once, and what must never: told step by step, in a world where nothing else goes wrong.

use longrun_core::{
    journal::Stored,
    names::CLAIM,
    plan::{Effect, Policy},
};

use crate::{
    data::{
        converge, deployed, judge,
        program::{Operation, Program, Script},
    },
    driver::{Asked, End, Fate, Stage as _, drive},
    random::Random,
    world::{reference, text},
};

fn program(script: Option<Script>) -> Program {
    let mut program = Program::new(deployed().clone(), Random::new(0));
    program.calm();
    program.script = script;
    program
}

/// Another driver goes on with what is not finished.
fn resume(program: &mut Program) -> End {
    program.script = None;
    let written = program.world.journal().expect("a journal");
    let stored = Stored::read(&written).expect("a journal is read");
    let resumed = stored.resume(&Program::target(), program.now());
    drive(program, resumed.expect("it is not finished"), true)
}

fn assert_good(program: &Program, story: &str) {
    if let Some(violation) = &program.world.violation {
        panic!("{story}: {violation}\n{}", program.world.story.join("\n"));
    }
}

#[test]
fn a_wipe_that_is_killed_before_or_after_any_of_its_requests_is_finished_by_the_next_driver() {
    for fate in [Fate::Killed, Fate::KilledAfter] {
        for last in 0.. {
            let mut requests = 0;
            let mut program = program(Some(Box::new(move |_, _| {
                requests += 1;
                if requests > last { fate } else { Fate::Served }
            })));
            let end = program.run(&Operation::Wipe);
            if end == End::Done {
                assert!(last > 100, "{last} requests are not all of a wipe");
                break;
            }
            assert_eq!(end, End::Killed);
            if program.is_unfinished() {
                assert_eq!(resume(&mut program), End::Done, "killed at request {last}");
            }
            program.script = None;
            for _ in 0..30 {
                program.tick();
            }
            judge(&mut program);
            assert_good(&program, &format!("{fate:?} at request {last}"));
        }
    }
}

#[test]
fn taking_a_wipe_back_keeps_the_volume_of_a_claim_that_somebody_deletes_meanwhile() {
    let mut program = program(Some(Box::new(|program, asked| match asked {
        Asked::Apply(Effect::Scale { replicas: 0, .. }) => {
            program.remove(&reference("PersistentVolumeClaim", CLAIM));
            Fate::Interrupted
        }
        Asked::Apply(Effect::Reclaim {
            policy: Policy::Delete,
            ..
        }) => panic!("the volume is let go with its claim"),
        _ => Fate::Served,
    })));
    let end = program.run(&Operation::Wipe);
    assert!(matches!(end, End::Stopped(_)), "{end:?}");
    assert_good(&program, "a claim that is going");
}

#[test]
fn a_snapshot_that_somebody_deletes_is_not_waited_for() {
    let mut taken = None;
    let mut program = program(Some(Box::new(move |program, asked| match asked {
        Asked::Apply(Effect::Snapshot { object, .. }) => {
            taken = Some(text(object, "/metadata/name").to_owned());
            Fate::Served
        }
        Asked::Wait => {
            if let Some(name) = taken.take() {
                program.remove(&reference("VolumeSnapshot", &name));
            }
            Fate::Served
        }
        _ => Fate::Served,
    })));
    let began = program.now();
    let end = program.run(&Operation::Wipe);
    assert!(matches!(end, End::Stopped(_)), "{end:?}");
    let took = program.now().duration_since(began);
    assert!(took.as_mins() < 30, "{took}");
    program.script = None;
    converge(&mut program);
    assert_good(&program, "a snapshot that is deleted");
}
