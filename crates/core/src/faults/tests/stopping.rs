//! A runner that is told to stop, wherever it is.

use super::*;
use crate::journal::Next;

/// The world as a fault's plan meets it, after so many requests.
struct World {
    struck: bool,
    /// Everything is ready again.
    healthy: bool,
}

/// Drives a plan until nothing more is to be done, or its driver is told to stop when it has asked for so many
/// effects. Answers each effect.
fn driven(name: &str, stop_after: Option<usize>) -> Vec<String> {
    let mut journal = Journal::open(Ask::new(planned(name)).standing("chaos").unwrap());
    let mut done = Vec::new();
    let mut world = World {
        struck: false,
        healthy: true,
    };
    for second in 0..2000 {
        if stop_after == Some(done.len()) {
            journal.interrupt("it was interrupted".into());
        }
        let observation = seen(name, &world);
        match journal.next(&observation, at(second)) {
            Next::Do(effect) | Next::Undo(effect) if matches!(effect, Effect::Inject { .. }) => {
                done.push(effect.to_string());
                world.struck = true;
                world.healthy = false;
                if journal.stopped().is_some() {
                    journal.undone();
                } else {
                    journal.acted(None, at(second));
                }
            }
            Next::Wait { .. } => world.healthy = true,
            Next::Done => {
                done.push("done".into());
                return done;
            }
            Next::Stop(_) => return done,
            _ => {}
        }
    }
    panic!("{name} never ends: {done:?}");
}

fn seen(name: &str, world: &World) -> Observation {
    match fault(name).hits {
        Hits::Node if !world.struck => {
            let mut observation = node(vec![pod("restate-0", "n", 1, true)]);
            // A signal is for the pod itself.
            if matches!(planned(name).steps[0].act.object(), Some(object) if object.kind == "Pod") {
                observation.object = Some(pod("restate-0", "n", 1, true));
            }
            observation
        }
        Hits::Node => node(vec![pod("restate-0", "n", 2, world.healthy)]),
        Hits::Services if !world.struck => services(),
        Hits::Services => {
            let pods = ["d", "e", "f"].map(|uid| pod(uid, uid, 0, world.healthy));
            workload("Deployment", "verification", 3, pods.to_vec())
        }
    }
}

/// A signal that was sent, and whose end the kubelet could not tell, is refused as far as anybody knows.
#[test]
fn what_is_refused_is_taken_back_too_if_it_stays() {
    for fault in FAULTS {
        let mut journal = Journal::open(Ask::new(planned(fault.name)).standing("chaos").unwrap());
        let world = World {
            struck: false,
            healthy: true,
        };
        let observation = seen(fault.name, &world);
        let Next::Do(_) = journal.next(&observation, at(0)) else {
            panic!("{}", fault.name)
        };
        journal.refused("no exit code".into(), at(1));
        let undone =
            (0..9).any(|second| matches!(journal.next(&observation, at(second)), Next::Undo(_)));
        assert_eq!(undone, fault.holds(), "{}", fault.name);
    }
}

/// A first answer that was lost, and then a refusal: that the second was refused says nothing of the first.
#[test]
fn a_blow_whose_first_answer_was_lost_may_have_been_struck_whatever_the_second_one_is() {
    for fault in FAULTS {
        for lost in [false, true] {
            let mut journal =
                Journal::open(Ask::new(planned(fault.name)).standing("chaos").unwrap());
            let world = World {
                struck: false,
                healthy: true,
            };
            let observation = seen(fault.name, &world);
            let next = journal.next(&observation, at(0));
            assert!(matches!(next, Next::Do(_)), "{}: {next:?}", fault.name);
            if lost {
                journal.unanswered();
                let next = journal.next(&observation, at(1));
                assert!(matches!(next, Next::Do(_)), "{}: {next:?}", fault.name);
            }
            journal.refused("forbidden".into(), at(2));
            let may_be_done = journal.entries().len() == 1;
            assert_eq!(may_be_done, lost || fault.holds(), "{}", fault.name);
        }
    }
}

/// SIGTERM, a deadline and an error all end a plan this way, before its first request and after each.
#[test]
fn whatever_stays_is_taken_back_wherever_the_runner_is_stopped() {
    for fault in FAULTS.iter().filter(|fault| fault.holds()) {
        let whole = driven(fault.name, None);
        let [strike, back, end] = &whole[..] else {
            panic!("{}: {whole:?}", fault.name);
        };
        assert_eq!(end, "done");
        assert_eq!(
            driven(fault.name, Some(0)),
            Vec::<String>::new(),
            "{}",
            fault.name
        );
        assert_eq!(
            driven(fault.name, Some(1)),
            [strike.clone(), back.clone()],
            "{}",
            fault.name
        );
        assert_eq!(
            driven(fault.name, Some(2)),
            [strike.clone(), back.clone()],
            "{}",
            fault.name
        );
    }
}
