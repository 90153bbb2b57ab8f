//! What every program must be, over ten thousand seeds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use longrun_program::{Command, Lock, MAX_DELAY_MS, MAX_SLEEP_MS, Node, Program, ProgramId, Size};

const SEEDS: u32 = 10_000;

/// Programs of Jobs of consecutive minutes, as in a cluster.
fn programs(size: u32) -> impl Iterator<Item = Program> {
    (0..SEEDS).map(move |minute| program(28_112_572 + minute, size))
}

fn program(minute: u32, size: u32) -> Program {
    let seed = format!("test-{minute}").parse().unwrap();
    ProgramId::new(seed, Size::new(size).unwrap()).generate()
}

fn nodes(program: &Program) -> impl Iterator<Item = &Node> {
    program.nodes().into_iter().map(|(_, node)| node)
}

#[test]
fn every_program_is_within_a_factor_of_two_of_the_asked_size() {
    for size in [1, 2, 3, 10, 60, 300] {
        for program in programs(size) {
            let invocations = program.invocations();
            assert!(
                (size.div_ceil(2)..=size * 2).contains(&invocations),
                "{} has {invocations} invocations",
                program.id
            );
        }
    }
}

#[test]
fn the_largest_programs_are_within_a_factor_of_two_and_not_deep() {
    fn depth(node: &Node) -> usize {
        let callees = node.commands.iter().filter_map(Command::callee);
        1 + callees.map(depth).max().unwrap_or(0)
    }
    for minute in 0..10 {
        let program = program(minute, Size::MAX);
        let invocations = program.invocations();
        assert!(
            (Size::MAX / 2..=Size::MAX * 2).contains(&invocations),
            "{} has {invocations} invocations",
            program.id
        );
        // It is walked by recursion, and read as JSON by parsers that take 128 levels, 3 a node.
        assert!(depth(&program.root) < 40, "{}", program.id);
    }
}

#[test]
fn no_program_is_empty_and_every_node_increments() {
    for program in programs(300) {
        for node in nodes(&program) {
            assert!(
                node.commands.contains(&Command::Increment),
                "{}: {node:?}",
                program.id
            );
        }
    }
}

#[test]
fn blocking_calls_only_go_to_strictly_larger_targets() {
    for program in programs(300) {
        for node in nodes(&program) {
            for command in &node.commands {
                if let Command::Call(callee) | Command::CallAsync(callee) = command {
                    assert!(callee.target > node.target, "{}: {command:?}", program.id);
                }
            }
        }
    }
}

#[test]
fn each_await_follows_its_call_and_no_call_is_awaited_twice() {
    for program in programs(300) {
        for node in nodes(&program) {
            let mut awaited = Vec::new();
            for (index, command) in node.commands.iter().enumerate() {
                if let Command::Await(call) = command {
                    let call = usize::from(*call);
                    assert!(call < index, "{}: await before its call", program.id);
                    assert!(matches!(node.commands[call], Command::CallAsync(_)));
                    assert!(!awaited.contains(&call), "{}: awaited twice", program.id);
                    awaited.push(call);
                }
            }
        }
    }
}

#[test]
fn every_kind_of_command_is_in_every_program_of_sixty_invocations_or_more() {
    for size in [60, 300] {
        for program in programs(size) {
            let kinds = kinds_of(&program);
            assert!(
                kinds.iter().all(|&present| present),
                "{}: {kinds:?}",
                program.id
            );
        }
    }
}

/// Whether there is: an increment, a call, an awaited call, one never awaited, an await, a send,
/// a delayed send, a sleep, a shared node, an exclusive one that calls, a target used twice.
fn kinds_of(program: &Program) -> [bool; 11] {
    let all: Vec<&Node> = nodes(program).collect();
    let any =
        |wanted: fn(&Command) -> bool| all.iter().any(|node| node.commands.iter().any(wanted));
    let unawaited = all.iter().any(|node| {
        let calls = node
            .commands
            .iter()
            .filter(|c| matches!(c, Command::CallAsync(_)))
            .count();
        let awaits = node
            .commands
            .iter()
            .filter(|c| matches!(c, Command::Await(_)))
            .count();
        calls > awaits
    });
    let holds_lock_while_calling = all.iter().any(|node| {
        node.lock == Lock::Exclusive && node.commands.iter().any(|c| matches!(c, Command::Call(_)))
    });
    [
        any(|c| matches!(c, Command::Increment)),
        any(|c| matches!(c, Command::Call(_))),
        any(|c| matches!(c, Command::CallAsync(_))),
        unawaited,
        any(|c| matches!(c, Command::Await(_))),
        any(|c| matches!(c, Command::Send(_))),
        any(|c| matches!(c, Command::SendDelayed { .. })),
        any(|c| matches!(c, Command::Sleep(_))),
        all.iter().any(|node| node.lock == Lock::Shared),
        holds_lock_while_calling,
        program.expected().len() < all.len(),
    ]
}

#[test]
fn waits_stay_within_their_bounds() {
    for program in programs(300) {
        for node in nodes(&program) {
            for command in &node.commands {
                match command {
                    Command::Sleep(ms) => assert!((1..=MAX_SLEEP_MS).contains(ms)),
                    Command::SendDelayed { delay_ms, .. } => {
                        assert!((1..=MAX_DELAY_MS).contains(delay_ms));
                    }
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn the_same_minute_gives_the_same_program_and_the_next_minute_another() {
    for minute in 28_112_572..28_112_672 {
        assert_eq!(program(minute, 300), program(minute, 300));
        assert_ne!(program(minute, 300).root, program(minute + 1, 300).root);
    }
}
