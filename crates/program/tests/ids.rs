//! A program id is one word that round-trips, and anything else is refused with the reason.

use longrun_program::{Command, Kept, Part, Path, Program, ProgramId, Target};
use proptest::prelude::*;

fn parse(text: &str) -> Result<ProgramId, String> {
    text.parse()
        .map_err(|error: longrun_program::InvalidId| error.to_string())
}

#[test]
fn an_id_says_version_size_kept_paths_and_seed() {
    let id = parse("v1-s300-k0.2_3-test-28112572").unwrap();
    assert_eq!(id.seed.as_str(), "test-28112572");
    assert_eq!(id.size.invocations(), 300);
    assert_eq!(
        id.kept,
        Kept::paths(vec!["3".parse().unwrap(), "0.2".parse().unwrap()])
    );
}

#[test]
fn a_key_is_a_target_and_an_id() {
    let id = parse("v1-s300-all-test-28112572").unwrap();
    let key = id.key_of(Target(117));
    assert_eq!(key, "117-v1-s300-all-test-28112572");
    assert_eq!(ProgramId::parse_key(&key), Ok((id, Target(117))));
}

#[test]
fn what_is_not_an_id_is_refused_with_the_reason() {
    let refused = [
        ("", "is not a program id"),
        ("test-28112572", "is not a program id"),
        ("v1-s300-all", "is not a program id"),
        ("v01-s300-all-test", "is not a program id"),
        (
            "v9-s300-all-test",
            "generator version 9 is not in this build",
        ),
        ("v1-s0-all-test", "`0` is not a program size"),
        ("v1-s+3-all-test", "`+3` is not a program size"),
        ("v1-s100001-all-test", "`100001` is not a program size"),
        ("v1-s300-k-test", "`` is not a path"),
        ("v1-s300-k1..2-test", "is not a path"),
        ("v1-s300-some-test", "`some` is not a path"),
        ("v1-s300-kc-test", "is not a path"),
        ("v1-s300-k3c-test", "is not a path"),
        ("v1-s300-k3c1c2-test", "is not a path"),
        ("v1-s300-k3c01-test", "is not a path"),
        ("v1-s300-krootc1-test", "write `v1-s300-kc1-test`"),
        ("v1-s300-k3_3c1-test", "write `v1-s300-k3-test`"),
        ("v1-s300-k3c1_3.1c0-test", "write `v1-s300-k3.1c0-test`"),
        ("v1-s300-kc2_0c1-test", "write `v1-s300-k0c1_c2-test`"),
        ("v1-s300-k3_0.2-test", "write `v1-s300-k0.2_3-test`"),
        ("v1-s300-k3_3.1-test", "write `v1-s300-k3-test`"),
        ("v1-s300-kroot-test", "write `v1-s300-all-test`"),
        ("v1-s300-all-Test", "`Test` is not a Job name"),
        ("v1-s300-all-test/1", "`test/1` is not a Job name"),
        ("v1-s300-all--test", "`-test` is not a Job name"),
    ];
    for (text, reason) in refused {
        let error = parse(text).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn keeping_a_path_keeps_the_way_to_it_and_all_below_it_and_nothing_else() {
    let whole = parse("v1-s300-all-test-1").unwrap().generate();
    let (path, node) = whole
        .nodes()
        .into_iter()
        .find(|(path, _)| path.steps().len() == 2)
        .unwrap();
    let id = parse(&format!("v1-s300-k{path}-test-1")).unwrap();
    let smaller = id.generate();
    assert_eq!(smaller.node(&path), Some(node));
    let below = whole
        .nodes()
        .iter()
        .filter(|(p, _)| p.steps().starts_with(path.steps()))
        .count();
    assert_eq!(smaller.nodes().len(), below + path.steps().len());
    assert!(
        !smaller.root.commands.contains(&Command::Increment),
        "the way to it does no work"
    );
}

#[test]
fn keeping_commands_keeps_them_the_way_to_them_and_nothing_else() {
    let whole = parse("v1-s300-all-test-28114121").unwrap().generate();
    let smaller = parse("v1-s300-k0.0.5c0_0c2-test-28114121")
        .unwrap()
        .generate();
    let paths: Vec<String> = smaller
        .nodes()
        .iter()
        .map(|(path, _)| path.to_string())
        .collect();
    assert_eq!(paths, ["root", "0", "0.0", "0.0.5", "0.0.5.0"]);
    let callee = smaller.node(&"0.0.5.0".parse().unwrap()).unwrap();
    let mut commands = callee.commands.iter();
    assert!(commands.all(|command| *command == Command::LeftOut));
    let command =
        |program: &Program| program.node(&"0".parse().unwrap()).unwrap().commands[2].clone();
    assert_eq!(command(&smaller), Command::Increment);
    assert_eq!(command(&smaller), command(&whole));
    assert_eq!(smaller.expected().values().sum::<u64>(), 1);
}

#[test]
fn keeping_the_root_is_keeping_all() {
    assert_eq!(Kept::paths(vec![Path::root()]), Kept::All);
    assert_eq!(Kept::paths(vec![]), Kept::All);
}

proptest! {
    #[test]
    fn every_id_round_trips(
        seed in "[a-z0-9]([-a-z0-9.]{0,40}[a-z0-9])?",
        size in 1_u32..=100_000,
        nodes in prop::collection::vec(prop::collection::vec(0_u16..12, 1..6), 0..4),
        commands in prop::collection::vec((prop::collection::vec(0_u16..12, 0..6), 0_u16..12), 0..4),
    ) {
        let path = |steps: Vec<u16>| {
            steps.into_iter().fold(Path::root(), |path, step| path.child(step))
        };
        let nodes = nodes.into_iter().map(|steps| Part::node(path(steps)));
        let commands = commands
            .into_iter()
            .map(|(node, index)| Part::command(&path(node), index));
        let text = format!("v1-s{size}-{}-{seed}", Kept::parts(nodes.chain(commands).collect()));
        let id = parse(&text).unwrap();
        prop_assert_eq!(id.to_string(), text);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = parse(&text);
        let _ = ProgramId::parse_key(&text);
    }

    #[test]
    fn any_kept_paths_give_a_program_that_awaits_only_what_it_calls(
        steps in prop::collection::vec(0_u16..10, 1..5),
    ) {
        let path = steps.into_iter().fold(Path::root(), |path, step| path.child(step));
        let program = parse(&format!("v1-s100-k{path}-test-7")).unwrap().generate();
        for (_, node) in program.nodes() {
            for command in &node.commands {
                if let Command::Await(call) = command {
                    let call = &node.commands[usize::from(*call)];
                    prop_assert!(matches!(call, Command::CallAsync(_)));
                }
            }
        }
    }
}
