//! The search for a smaller failing program, with made-up failures in place of a real node.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use longrun_program::{Command, Kept, Node, Part, Path, Program, ProgramId, Shrink, Target};
use proptest::prelude::*;

/// Runs a search to its end. Programs never get larger, so a search that does not end is caught.
fn shrink(id: &ProgramId, fails: impl Fn(&Program) -> bool) -> (ProgramId, Vec<ProgramId>) {
    let mut search = Shrink::of(id);
    let mut tried = Vec::new();
    while let Some(program) = search.next() {
        assert!(!tried.contains(&program), "{program} is tried twice");
        assert!(tried.len() < 20_000, "it does not end");
        search.answer(fails(&program.generate()));
        tried.push(program);
    }
    (search.smallest().clone(), tried)
}

/// Every command but awaits, as node and index; a call before what it calls.
fn commands(program: &Program) -> Vec<(Path, u16)> {
    fn walk(node: &Node, path: &Path, found: &mut Vec<(Path, u16)>) {
        for (index, command) in (0..).zip(&node.commands) {
            if !matches!(command, Command::LeftOut | Command::Await(_)) {
                found.push((path.clone(), index));
            }
            if let Some(callee) = command.callee() {
                walk(callee, &path.child(index), found);
            }
        }
    }
    let mut found = Vec::new();
    walk(&program.root, &Path::root(), &mut found);
    found
}

/// The programs that have one command less, with what is below it.
fn one_less(id: &ProgramId) -> Vec<Program> {
    let all = commands(&id.generate());
    let without = |gone: &(Path, u16)| {
        let below = gone.0.child(gone.1);
        let left: Vec<Part> = all
            .iter()
            .filter(|command| *command != gone && !command.0.steps().starts_with(below.steps()))
            .map(|(node, index)| Part::command(node, *index))
            .collect();
        (!left.is_empty()).then(|| {
            let kept = Kept::parts(left);
            ProgramId { kept, ..id.clone() }.generate()
        })
    };
    all.iter().filter_map(without).collect()
}

fn id(size: u32, seed: &str) -> ProgramId {
    format!("v1-s{size}-all-{seed}").parse().unwrap()
}

/// The nodes that increment the counter of a target.
fn incrementing(program: &Program, target: Target) -> Vec<Path> {
    let increments =
        |node: &Node| node.target == target && node.commands.contains(&Command::Increment);
    let nodes = program.nodes().into_iter();
    nodes
        .filter(|(_, node)| increments(node))
        .map(|(path, _)| path)
        .collect()
}

/// Something about the shape of a program that has nothing to do with how it is searched: FNV-1a
/// over its commands.
fn fingerprint(program: &Program, salt: u64) -> u64 {
    commands(program).iter().fold(salt, |hash, (path, index)| {
        let steps = path.steps().iter().chain([index]);
        steps.fold(hash ^ 0x9e37, |hash, step| {
            (hash ^ u64::from(*step)).wrapping_mul(0x0100_0000_01b3)
        })
    })
}

#[test]
fn a_lost_increment_is_left_with_nothing_but_the_way_to_it() {
    let id = id(300, "test-28114121");
    // The target that is reached by the longest way, and by no other.
    let program = id.generate();
    let (path, node) = program
        .nodes()
        .into_iter()
        .filter(|(_, node)| incrementing(&program, node.target).len() == 1)
        .max_by_key(|(path, _)| path.steps().len())
        .unwrap();
    let target = node.target;
    let (smallest, tried) = shrink(&id, |program| program.expected().get(&target) > Some(&0));
    let smallest = smallest.generate();
    assert_eq!(smallest.commands(), path.steps().len() + 1, "{smallest}");
    assert_eq!(smallest.expected().values().sum::<u64>(), 1, "{smallest}");
    assert!(tried.len() < 60, "{} programs were tried", tried.len());
}

#[test]
fn of_several_ways_to_the_same_failure_the_shortest_is_taken() {
    let id = id(300, "test-28114121");
    let program = id.generate();
    let nodes = program.nodes();
    let (target, shortest) = nodes
        .iter()
        .map(|(_, node)| (node.target, incrementing(&program, node.target)))
        .filter(|(_, paths)| paths.len() > 1)
        .map(|(target, paths)| (target, paths.iter().map(|path| path.steps().len()).min()))
        .max_by_key(|(_, shortest)| *shortest)
        .unwrap();
    let (smallest, _) = shrink(&id, |program| program.expected().get(&target) > Some(&0));
    assert_eq!(smallest.generate().commands(), shortest.unwrap() + 1);
}

#[test]
fn what_always_fails_ends_as_a_single_command() {
    for size in [1, 2, 10, 300] {
        let (smallest, _) = shrink(&id(size, "test-7"), |_| true);
        assert_eq!(smallest.generate().commands(), 1, "{smallest}");
    }
}

#[test]
fn what_fails_only_as_a_whole_stays_whole() {
    let id = id(100, "test-7");
    let whole = id.generate();
    let (smallest, _) = shrink(&id, |program| program.root == whole.root);
    assert_eq!(smallest, id);
}

#[test]
fn sleeps_go_first_and_all_at_once() {
    let id = id(300, "test-7");
    let sleeps = |program: &Program| {
        let nodes = program.nodes();
        let all = nodes.iter().flat_map(|(_, node)| &node.commands);
        all.filter(|c| matches!(c, Command::Sleep(_))).count()
    };
    assert!(sleeps(&id.generate()) > 10);
    let first = Shrink::of(&id).next().unwrap().generate();
    assert_eq!(sleeps(&first), 0);
    assert_eq!(first.expected(), id.generate().expected());
}

#[test]
fn a_search_can_begin_at_a_program_that_is_smaller_already() {
    let id: ProgramId = "v1-s300-k2_3.1-test-28114121".parse().unwrap();
    let all = commands(&id.generate());
    let (smallest, tried) = shrink(&id, |_| true);
    assert_eq!(smallest.generate().commands(), 1);
    for program in tried {
        let more = commands(&program.generate());
        assert!(
            more.iter().all(|command| all.contains(command)),
            "{program}"
        );
    }
}

#[test]
fn programs_tried_ahead_are_those_that_come_when_none_fails() {
    let mut search = Shrink::of(&id(60, "test-9"));
    while let Some(next) = search.next() {
        let ahead = search.ahead(5);
        assert_eq!(ahead[0], next);
        let mut alone = search.clone();
        for program in &ahead {
            assert_eq!(alone.next().as_ref(), Some(program));
            alone.answer(false);
        }
        search.answer(next.generate().commands() % 2 == 0);
    }
    assert_eq!(search.ahead(5), []);
}

#[test]
fn a_failure_of_chance_is_looked_for_longer_than_it_took_to_come() {
    for (passed, runs, kills, repeats) in [
        (0, 1, false, 1),
        (0, 50, false, 1),
        (1, 50, false, 6),
        (0, 50, true, 3),
        (0, 1, true, 1),
        (19, 50, true, 50),
        (u32::MAX, u32::MAX, true, u32::MAX),
    ] {
        assert_eq!(
            Shrink::repeats(passed, runs, kills),
            repeats,
            "failed after {passed} of {runs} passed, kills: {kills}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// A failure that takes several commands at once keeps just these and the ways to them.
    #[test]
    fn commands_that_must_come_together_are_all_that_is_left(
        minute in 0_u32..1_000_000,
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let id = id(120, &format!("test-{minute}"));
        let all = commands(&id.generate());
        let needed: Vec<_> = picks.iter().map(|pick| pick.get(&all).clone()).collect();
        let fails = |program: &Program| {
            let has = commands(program);
            needed.iter().all(|command| has.contains(command))
        };
        let (smallest, _) = shrink(&id, fails);
        let left = commands(&smallest.generate());
        for (node, index) in &left {
            let path = node.child(*index);
            let is_needed = needed.iter().any(|(node, index)| {
                node.child(*index).steps().starts_with(path.steps())
            });
            prop_assert!(is_needed, "{} has {} {}", smallest, node, index);
        }
        prop_assert!(fails(&smallest.generate()));
    }

    /// Whatever fails, also where more can fail than less: the result fails, nothing of it can be
    /// left out, the search ends, and finds the same again.
    #[test]
    fn the_result_fails_and_is_locally_minimal(
        minute in 0_u32..1_000_000,
        size in 1_u32..40,
        salt in any::<u64>(),
        of in 2_u64..6,
    ) {
        let id = id(size, &format!("test-{minute}"));
        let whole = id.generate();
        let fails = |program: &Program| {
            program.root == whole.root || fingerprint(program, salt).rotate_left(21).is_multiple_of(of)
        };
        let (smallest, tried) = shrink(&id, fails);
        prop_assert!(fails(&smallest.generate()));
        for less in one_less(&smallest) {
            prop_assert!(!fails(&less), "{} also fails", less.id);
        }
        prop_assert_eq!((smallest, tried), shrink(&id, fails));
    }

    /// Each program that is tried is one that a service can run: its id says the same tree.
    #[test]
    fn each_program_tried_is_one_by_its_id(minute in 0_u32..1_000_000, salt in any::<u64>()) {
        let id = id(40, &format!("test-{minute}"));
        let (_, tried) = shrink(&id, |program| fingerprint(program, salt).is_multiple_of(3));
        for program in tried {
            let read: ProgramId = program.to_string().parse().unwrap();
            prop_assert_eq!(&read, &program);
            for (_, node) in read.generate().nodes() {
                for command in &node.commands {
                    if let Command::Await(call) = command {
                        let call = &node.commands[usize::from(*call)];
                        prop_assert!(matches!(call, Command::CallAsync(_)));
                    }
                }
            }
        }
    }
}
