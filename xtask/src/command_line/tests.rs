//! What every command has in common.

use super::*;

/// Every command, with its name as it is typed.
fn each(command: &clap::Command, name: &str, look: &mut impl FnMut(&str, &clap::Command)) {
    look(name, command);
    for subcommand in command.get_subcommands() {
        each(
            subcommand,
            &format!("{name} {}", subcommand.get_name()),
            look,
        );
    }
}

#[test]
fn an_environment_is_named_in_the_same_way_everywhere() {
    each(&CommandLine::command(), "", &mut |name, command| {
        let mut arguments = command.get_arguments();
        if let Some(one) = arguments.find(|one| one.get_long() == Some("environment")) {
            assert_eq!(one.get_short(), Some('n'), "{name}");
            let aliases = one.get_visible_aliases().unwrap_or_default();
            assert_eq!(aliases, ["namespace"], "{name}");
        }
    });
}

fn users_cluster_counts(words: &[&str]) -> bool {
    let command = CommandLine::command();
    let matches = command
        .clone()
        .try_get_matches_from([&["longrun"], words].concat());
    takes_users_cluster(&command, &matches.expect("a command line"))
}

#[test]
fn the_users_cluster_counts_where_a_cluster_is_talked_to_and_none_is_named() {
    for words in [
        &["deploy", "-n", "a"][..],
        &["status"],
        &["snapshot", "list"],
        &["chaos", "status", "--namespace", "a"],
        &["operation", "resume"],
        &["triage", "-n", "a"],
    ] {
        assert!(users_cluster_counts(words), "{words:?}");
    }
    for words in [
        &["deploy", "-n", "a", "--cluster", "dev"][..],
        &["render"],
        &["images"],
        &["cluster", "trust", "dev"],
        &["local", "status"],
        &["triage", "--from", "there"],
        &["completions", "bash"],
    ] {
        assert!(!users_cluster_counts(words), "{words:?}");
    }
}

#[test]
fn errors_in_arguments_are_documents_where_documents_are_asked_for() {
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    assert!(asks_for_json(&words(&[
        "status", "--output", "json", "--no"
    ])));
    assert!(asks_for_json(&words(&["status", "--no", "--output=json"])));
    assert!(!asks_for_json(&words(&[
        "status", "--output", "text", "json"
    ])));
}
