//! Only what was shown and approved is done: at the prompt, in a pipe, and when the world moves meanwhile.

use crate::{
    house::House,
    run::{Ran, Running},
    templates::{config_map, cron_job},
};

const NOTE: &str = "templates/note/configmap.yaml.hbs";

/// A house in which a note says `one` and should say `two`.
fn with_a_note(test: &str) -> House {
    let house = House::small(test);
    house.write(NOTE, &config_map("note", "one"));
    house.deploy(&["--yes"]).exits(0);
    house.write(NOTE, &config_map("note", "two"));
    house
}

fn note(house: &House) -> String {
    house
        .field("configmap/note", "/data/text")
        .as_str()
        .unwrap_or("none")
        .to_owned()
}

fn answer(house: &House, keys: &str) -> Ran {
    let mut prompt = house.begin_at_terminal();
    prompt.hears("[y/N]");
    prompt.types(keys);
    prompt.end()
}

#[test]
fn nothing_but_a_yes_is_a_yes() {
    let house = with_a_note("answers");
    for near_miss in [
        "\n",
        "n\n",
        "yep\n",
        "ye\n",
        "YES\n",
        "Yes\n",
        "y \n",
        " y\n",
        "yy\n",
        "no\n",
        "\x04",
        "y\x04\x04",
    ] {
        answer(&house, near_miss)
            .exits(2)
            .says(&["not confirmed; nothing was changed"]);
        assert_eq!(note(&house), "one", "after {near_miss:?}");
    }
    answer(&house, "y\n").exits(0);
    assert_eq!(note(&house), "two");
}

#[test]
fn ctrl_c_at_the_prompt_changes_nothing() {
    let house = with_a_note("ctrl-c");
    let ran = answer(&house, "\x03");
    assert_ne!(ran.code, Some(0), "{ran}");
    assert_eq!(note(&house), "one");
}

#[test]
fn a_pipe_needs_a_flag_wherever_it_runs() {
    let house = with_a_note("pipe");
    house.deploy(&[]).exits(2).says(&[
        "data.text",
        "no terminal to ask at; nothing was changed",
        "--yes",
    ]);
    for (variable, value) in [("CI", "true"), ("CI", "1"), ("GITHUB_ACTIONS", "true")] {
        let mut command = house.command(&["deploy", "-n", &house.name]);
        command.env(variable, value);
        Running::start(command)
            .end()
            .exits(2)
            .says(&["no terminal to ask at"]);
    }
    assert_eq!(note(&house), "one");
    house.deploy(&["--yes"]).exits(0);
    assert_eq!(note(&house), "two");
}

#[test]
fn a_digest_approves_the_plan_that_it_names() {
    let house = with_a_note("digest");
    let digest = |house: &House| {
        let stdout = house.deploy(&["--dry-run"]).exits(0).stdout;
        stdout
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let stale = digest(&house);
    assert_eq!(digest(&house), stale, "time passing changes no digest");

    house.write(NOTE, &config_map("note", "three"));
    house
        .deploy(&["--approve", &stale])
        .exits(2)
        .says(&["not approved; nothing was changed", &stale]);
    house.deploy(&["--approve", &stale, "--yes"]).exits(2);
    house.deploy(&["--approve", ""]).exits(2);
    assert_eq!(note(&house), "one");

    let fresh = digest(&house);
    assert_ne!(fresh, stale);
    house.deploy(&["--approve", &fresh]).exits(0);
    assert_eq!(note(&house), "three");
}

#[test]
fn what_changed_while_the_prompt_was_open_is_not_overwritten() {
    let house = with_a_note("moved");
    let mut prompt = house.begin_at_terminal();
    prompt.hears("[y/N]");
    // Not our field: it is no conflict, and still not what was shown.
    house.kubectl(&[
        "patch",
        "configmap",
        "note",
        "--type",
        "merge",
        "--patch",
        r#"{"data": {"more": "new"}}"#,
    ]);
    prompt.types("y\n");
    prompt.end().exits(2).says(&[
        "the cluster changed while the plan waited",
        "ConfigMap note: its object was changed",
        "nothing was changed",
        "run the same command again",
    ]);
    assert_eq!(note(&house), "one");

    let mut prompt = house.begin_at_terminal();
    prompt.hears("[y/N]");
    house.kubectl(&["delete", "configmap", "note"]);
    prompt.types("y\n");
    prompt.end().exits(2).says(&[
        "the cluster changed while the plan waited",
        "create ConfigMap note",
    ]);
    assert_eq!(note(&house), "none");
}

#[test]
fn a_status_may_change_while_the_prompt_is_open() {
    let house = House::small("status");
    house.write(NOTE, &config_map("note", "one"));
    house.write("templates/due/cronjob.yaml.hbs", &cron_job("due"));
    house.deploy(&["--yes"]).exits(0);
    house.write(
        "templates/due/cronjob.yaml.hbs",
        &cron_job("due").replace("0 0 1 1 *", "0 0 2 1 *"),
    );

    let mut prompt = house.begin_at_terminal();
    prompt.hears("[y/N]");
    let before = house.field("cronjob/due", "/metadata/resourceVersion");
    let status = r#"{"status": {"lastScheduleTime": "2026-01-01T00:00:00Z"}}"#;
    house.kubectl(&[
        "patch",
        "cronjob",
        "due",
        "--subresource",
        "status",
        "--type",
        "merge",
        "--patch",
        status,
    ]);
    assert_ne!(
        house.field("cronjob/due", "/metadata/resourceVersion"),
        before,
        "the status did change"
    );
    prompt.types("y\n");
    prompt.end().exits(0);
    assert_eq!(house.field("cronjob/due", "/spec/schedule"), "0 0 2 1 *");
}
