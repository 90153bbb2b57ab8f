//! What every command has in common: how it is asked, how it says no, and which cluster it means.

use crate::{
    house::{House, bare},
    run::Running,
};

#[test]
fn a_flag_that_is_a_command_now_says_where_it_went() {
    let house = House::offline("moved");
    for verb in ["status", "resume", "abort"] {
        let flag = format!("--{verb}");
        let ran = house.run(&["wipe", "-n", "restate-chaos", "--cluster", "local", &flag]);
        let command =
            format!("cargo xtask operation {verb} -n restate-chaos --cluster local --inputs /");
        ran.exits(2)
            .says(&["nothing was changed", &command])
            .takes_at_most(5);
    }
    // With nothing to ask: as it was typed.
    let ran = house.run(&["wipe", "--abort", "--dry-run"]).exits(2);
    ran.says(&["cargo xtask operation abort --inputs /", " --dry-run\n"]);
    // A wipe itself still needs its environment.
    house.run(&["wipe"]).exits(2).says(&["--environment"]);
}

#[test]
fn an_error_is_a_document_where_documents_are_asked_for() {
    let house = House::offline("errors");
    for arguments in [
        &["deploy", "-n", "nowhere"][..],
        &["triage", "-n", "nowhere", "test-1"],
        &["snapshot", "lost"],
        &["nonsense"],
    ] {
        let ran = house.run(&[arguments, &["--output", "json"]].concat());
        let ran = ran.exits(2).says(&["error: "]);
        let error = &ran.document()["error"];
        assert_eq!(error["kind"], "refused", "{ran}");
        assert_eq!(error["exitCode"], 2, "{ran}");
        let message = error["message"].as_str().expect("a message");
        assert!(ran.stderr.contains(message), "{ran}");
        assert!(error["hints"].is_array(), "{ran}");
    }
    // What is known is the document, and what is not known is in it.
    house.environment_out_of_reach();
    let ran = house.run(&["status", "-n", "elsewhere", "--output", "json"]);
    let seen = ran.exits(2).document();
    assert_eq!(seen[0]["environment"], "elsewhere");
}

#[test]
fn the_users_cluster_is_said_first_and_a_flag_wins() {
    let house = House::offline("variable");
    house.environment_out_of_reach();
    let run = |arguments: &[&str], cluster: &str| {
        let mut command = house.command(arguments);
        command.env("LONGRUN_CLUSTER", cluster);
        Running::start(command).end()
    };
    let first = "cluster gone (from LONGRUN_CLUSTER)\n";
    let ran = run(&["status", "--namespace", &house.name], "gone").exits(2);
    assert!(ran.stderr.starts_with(first), "{ran}");
    ran.prints(&[&format!("gone/{}  UNKNOWN", house.name)]);
    run(&["status"], "none").exits(2).says(&[
        "cluster none (from LONGRUN_CLUSTER)\n",
        "unknown cluster `none`",
    ]);
    for arguments in [
        // Said otherwise.
        &["status", "-n", &house.name, "--cluster", "gone"][..],
        // Files, and no cluster.
        &["render", &house.name, "--stdout"],
    ] {
        let ran = run(arguments, "none");
        assert!(!ran.stderr.contains("from LONGRUN_CLUSTER"), "{ran}");
    }
    // One that is empty says nothing.
    let ran = run(&["status", "-n", "elsewhere"], "");
    assert!(!ran.stderr.contains("from LONGRUN_CLUSTER"), "{ran}");
}

#[test]
fn outside_a_clone_there_is_nothing_to_work_on() {
    let mut command = bare(&["status", "--output", "json"]);
    command.current_dir("/");
    let ran = Running::start(command).end().exits(2);
    let ran = ran.says(&["/ is not in a clone of the project"]);
    assert_eq!(ran.document()["error"]["exitCode"], 2);
    // What needs no clone works anywhere.
    let mut command = bare(&["completions", "bash"]);
    command.current_dir("/");
    Running::start(command).end().exits(0).prints(&["_longrun"]);
}

#[test]
fn a_terminal_has_colours_unless_the_user_wants_none() {
    let house = House::offline("colours");
    let screen = |no_color: &str| {
        let mut command = house.command(&["status", "--nonsense"]);
        command.env("TERM", "xterm").env("NO_COLOR", no_color);
        Running::start_on_screen(&command).end().exits(2).stderr
    };
    assert!(screen("").contains("\x1b["), "an error is coloured");
    let plain = screen("1");
    assert!(!plain.contains('\x1b'), "{plain:?}");
}
