//! A test that fails says so at once, not when all others have ended: why, what it did until then, and what is left in
//! its namespace. The harness keeps back what is printed, so this is written to the process's own stderr, line by line
//! behind a bar, one test's after the other's.

use std::{
    cell::RefCell,
    fmt::{Display, Write as _},
    io::Write as _,
    process::Command,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::{
    house::House,
    run::Running,
    setting::{furnish, setting},
};

/// What a test has done.
struct Record {
    test: String,
    began: Instant,
    done: String,
}

thread_local! {
    /// Of the test that this thread runs: the harness takes a new thread for each.
    static RECORD: RefCell<Record> = RefCell::new(Record {
        test: std::thread::current().name().unwrap_or("a thread of a test").to_owned(),
        began: Instant::now(),
        done: String::new(),
    });
}

/// With its thread. `cargo xtask test` reads this.
impl Drop for Record {
    fn drop(&mut self) {
        let line = format!(
            "── {} took {} s\n",
            self.test,
            self.began.elapsed().as_secs()
        );
        let _ = std::io::stdout().write_all(line.as_bytes());
    }
}

/// Remembers what the test did, in case it fails.
pub(crate) fn note(done: impl Display) {
    RECORD.with_borrow_mut(|record| {
        let seconds = record.began.elapsed().as_secs();
        let _ = writeln!(record.done, "── after {seconds} s: {done}");
    });
}

/// From now on each panic is told at once.
pub(crate) fn listen() {
    let of_harness = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let (seconds, done) =
            RECORD.with_borrow(|record| (record.began.elapsed().as_secs(), record.done.clone()));
        let text = format!("{panic}\n\n{done}");
        tell(&format!("FAILED after {seconds} s"), &text);
        // For the list at the end.
        of_harness(panic);
    }));
}

/// Says something about the test of this thread.
pub(crate) fn tell(what: &str, text: &str) {
    static ONE: Mutex<()> = Mutex::new(());
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let test = RECORD.with_borrow(|record| record.test.clone());
    // A line is one write, so that nobody else's is in the middle of it.
    let say = |line: &str| {
        let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
    };
    say(&format!("┌ {test}: {what}"));
    for line in text.trim_end().lines() {
        say(&format!("│ {line}"));
    }
    say(&format!("└ {test}"));
    drop(one);
}

#[test]
fn a_failure_is_told_while_other_tests_go_on() {
    furnish();
    let house = House::offline("report");
    let may_end = house.path("may-end");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--ignored", "--exact", "--test-threads=2"])
        .args(["report::fails", "report::goes_on"])
        .env("LONGRUN_TEST_BINARY", &setting().binary)
        .env(MAY_END, &may_end);
    let run = Running::start(command);
    for said in [
        "┌ report::fails: FAILED after ",
        "the exit code of `",
        " status -n t-fails-",
        "┌ report::fails: what is left of t-fails-",
        "│ configmap/kube-root-ca.crt",
        "└ report::fails\n",
    ] {
        run.hears(said);
    }
    assert!(!run.has_ended());
    house.write("may-end", "");
    run.end().exits(101).prints(&[
        "report::goes_on ... ok",
        "report::fails ... FAILED",
        "the exit code of `",
    ]);
}

/// Names the file whose presence ends [`goes_on`].
const MAY_END: &str = "LONGRUN_TEST_MAY_END";

#[test]
#[ignore = "the test above runs it"]
fn fails() {
    let house = House::small("fails");
    house.run(&["status", "-n", &house.name]).exits(0);
    house.deploy(&["--yes"]).exits(1);
}

#[test]
#[ignore = "the test above runs it"]
fn goes_on() {
    let house = House::offline("goes-on");
    let may_end = std::env::var_os(MAY_END).expect("a path");
    house.until("it may end", || std::path::Path::new(&may_end).exists());
}
