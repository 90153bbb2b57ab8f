//! `cargo xtask status --watch`: a screen at a terminal, one look after the other in a pipe.

use nix::sys::{
    signal::Signal,
    termios::{LocalFlags, tcgetattr},
};
use serde_json::Value;

use crate::{
    house::House,
    run::{Ran, Running},
    setting::setting,
};

/// What a drawing begins with: to the corner, and away with what is below (ECMA-48: CUP, ED).
const CLEARS: &str = "\x1b[H\x1b[J";

/// What a program can do to a terminal, and how it is taken back: the cursor is hidden, another screen is shown
/// (xterm: DECTCEM, 1049).
const TAKEN_BACK: [(&str, &str); 2] = [("\x1b[?25l", "\x1b[?25h"), ("\x1b[?1049h", "\x1b[?1049l")];

impl House {
    fn watching(&self, arguments: &[&str]) -> std::process::Command {
        self.command(&[&["status", "--watch"], arguments].concat())
    }
}

fn interrupted(run: Running) -> Ran {
    run.signal(Signal::SIGINT);
    run.end().exits(0)
}

#[track_caller]
fn is_plain(ran: &Ran) {
    for stream in [&ran.stdout, &ran.stderr] {
        assert!(!stream.contains('\x1b'), "an escape sequence: {ran}");
    }
}

#[test]
fn a_watched_terminal_is_drawn_anew_and_left_in_order() {
    let house = House::small("watch");
    let mut run = Running::start_on_screen(&house.watching(&["-n", &house.name]));
    let terminal = run.terminal();
    let typing = || {
        let settings = tcgetattr(&terminal).expect("it is a terminal");
        let all = LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG;
        settings.local_flags & all
    };
    let before = typing();
    run.hears("is not deployed: cargo xtask deploy");
    house.deploy(&["--yes"]).exits(0);
    run.hears("  restate        not deployed");
    run.types("\x03");
    let ran = run.end().exits(0);

    let shown = &ran.stderr;
    let drawings: Vec<&str> = shown.split(CLEARS).collect();
    assert_eq!(drawings[0], "", "something before the first: {ran}");
    assert!(drawings.len() > 2, "drawn once only: {ran}");
    let title = format!("{}/{}", setting().cluster, house.name);
    for drawing in &drawings[1..] {
        assert!(drawing.starts_with(&title), "not one screen: {ran}");
    }
    let last = drawings[drawings.len() - 1];
    assert!(!last.contains("is not deployed"), "an old look: {ran}");
    for (done, undone) in TAKEN_BACK {
        assert!(shown.rfind(done) <= shown.rfind(undone), "{done:?}: {ran}");
    }
    assert_eq!(typing(), before, "keys are read as before");
}

#[test]
fn in_a_pipe_one_look_follows_the_other_also_of_a_cluster_that_does_not_answer() {
    let house = House::small("looks");
    house.environment_out_of_reach();
    let run = Running::start(house.watching(&[]));
    for look in [
        "is not deployed: cargo xtask deploy",
        "gone/elsewhere  UNKNOWN: ",
    ] {
        run.writes(look, 2);
    }
    is_plain(&interrupted(run));
}

#[test]
fn a_program_that_watches_gets_a_document_a_look() {
    let house = House::small("documents");
    let run = Running::start(house.watching(&["-n", &house.name, "--output", "json"]));
    run.writes("\n]\n", 2);
    let ran = interrupted(run);
    is_plain(&ran);
    let documents = serde_json::Deserializer::from_str(&ran.stdout).into_iter::<Value>();
    let documents: Result<Vec<Value>, _> = documents.collect();
    let documents = documents.unwrap_or_else(|error| panic!("not JSON ({error}): {ran}"));
    assert!(documents.len() > 1, "{ran}");
    for document in documents {
        assert_eq!(document[0]["environment"], house.name.as_str(), "{ran}");
        assert_eq!(document[0]["running"], Value::Null, "{ran}");
    }
}
