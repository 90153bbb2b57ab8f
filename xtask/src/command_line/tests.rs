//! What every command has in common, and the reference of all of them in `docs/cli.md`:
//! `UPDATE=1 cargo test -p xtask reference` writes it.

use std::path::Path;

use super::*;

/// What `--help` says of every command, as one page.
fn reference() -> String {
    let mut page = String::from(
        "# Commands\n\n\
         What `--help` says of every command; a test compares this page with the program, and \
         `UPDATE=1 cargo test -p xtask reference` writes it. Installed with `cargo install --locked --path xtask`, the same \
         program is called `longrun`. The options of `cargo xtask` itself are those of every command.\n",
    );
    describe(&CommandLine::command(), "cargo xtask", &mut page);
    page
}

fn describe(command: &clap::Command, name: &str, page: &mut String) {
    // Alone, so that what all commands take is told once.
    let mut alone = command
        .clone()
        .bin_name(name)
        .term_width(100)
        .disable_help_flag(true)
        .disable_help_subcommand(true);
    let help = alone.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    page.push_str(&format!(
        "\n## `{name}`\n\n```text\n{}\n```\n",
        text.trim_end()
    ));
    for subcommand in command.get_subcommands() {
        describe(
            subcommand,
            &format!("{name} {}", subcommand.get_name()),
            page,
        );
    }
}

#[test]
fn the_reference_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let reference = reference();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &reference).expect("docs/cli.md is written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == reference,
        "docs/cli.md is not what `--help` says: UPDATE=1 cargo test -p xtask reference"
    );
}

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
