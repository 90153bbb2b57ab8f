//! `cargo xtask reproduce`: real nodes as processes, without a cluster.

use std::{net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    house::{House, bare},
    run::{Ran, Running},
};

/// A small program with a root that holds its lock, and calls within calls.
const PROGRAM: &str = "v1-s30-all-test-28113361";

/// Runs it, with data and logs in a directory.
fn reproduce(house: &House, dir: &Path, arguments: &[&str]) -> Command {
    let mut command = house.command(&[&["reproduce"], arguments].concat());
    command.arg("--dir").arg(dir);
    command
}

/// How it ends, and what it leaves in its directory.
fn ran(arguments: &[&str]) -> (Ran, TempDir) {
    ran_in(&House::offline("reproduce"), arguments)
}

fn ran_in(house: &House, arguments: &[&str]) -> (Ran, TempDir) {
    let dir = TempDir::new().expect("a temporary directory");
    let ran = Running::start(reproduce(house, dir.path(), arguments)).end();
    (ran, dir)
}

#[track_caller]
fn is_empty(dir: &Path) {
    let left: Vec<_> = std::fs::read_dir(dir)
        .expect("a directory")
        .flatten()
        .collect();
    assert!(left.is_empty(), "it left {left:?}");
}

/// Refused, and nothing was left.
#[track_caller]
fn refused(arguments: &[&str], parts: &[&str]) {
    let (ran, dir) = ran(arguments);
    ran.exits(2).says(parts).takes_at_most(60);
    is_empty(dir.path());
}

#[test]
fn a_program_that_is_right_verifies_and_leaves_nothing() {
    let (ran, dir) = ran(&[PROGRAM, "--runs", "2"]);
    ran.exits(0)
        .says(&["running v1-s30-all-test-28113361 on restate-server 1.7.12"])
        .prints(&["v1-s30-all-test-28113361 verified, 2 of 2 runs"]);
    is_empty(dir.path());
}

#[test]
fn a_server_of_ones_own_is_what_runs() {
    let place = TempDir::new().expect("a temporary directory");
    let own = place.path().join("my-server");
    let path = own.to_str().expect("UTF-8");
    refused(&[PROGRAM, "--restate", path], &["No such file"]);
    std::fs::write(&own, "#!/bin/sh\nexit 7\n").expect("a script");
    refused(&[PROGRAM, "--restate", path], &["it is not a program"]);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&own, executable).expect("a program");
    let (ran, _dir) = ran(&[PROGRAM, "--restate", path]);
    ran.exits(3).says(&[
        &format!("on restate-server {path}, as asked"),
        "restate-server ended while starting: exit status: 7",
    ]);
}

#[test]
fn a_bare_name_is_the_program_of_the_present_settings_and_that_is_said() {
    let (ran, _dir) = ran(&["test-28113361"]);
    // The environment of these tests has this size.
    ran.exits(0)
        .says(&[
            "program: v1-s20-all-test-28113361, which the environment's present settings make of the name",
        ])
        .prints(&["v1-s20-all-test-28113361 verified"]);
}

#[test]
fn nothing_is_lost_when_the_node_and_the_service_are_killed() {
    let arguments = [
        "--chaos",
        "--chaos-seed",
        "5",
        "--runs",
        "2",
        "--output",
        "json",
    ];
    let (ran, dir) = ran(&[&[PROGRAM], &arguments[..]].concat());
    let document = ran.exits(0).document();
    assert_eq!(document["passed"], 2, "{document:#}");
    // These numbers kill a node after 0.8 s, and a service after 0.6 s: sooner than any run ends.
    let killed = document["killed"].as_u64();
    assert!(killed.is_some_and(|killed| killed >= 2), "{document:#}");
    is_empty(dir.path());
}

/// The canary of the whole: a fault in the service is caught, named, and found in a handful of commands.
fn is_caught_and_shrunk(fault: &str, symptom: &str, commands: u64) {
    let house = House::offline("faulty");
    let arguments = [PROGRAM, "--fault", fault, "--shrink", "--output", "json"];
    let (ran, dir) = ran_in(&house, &arguments);
    let ran = ran
        .exits(1)
        .says(&[&format!("THE SERVICE IS WRONG ON PURPOSE: {fault}")]);
    let document = ran.document();
    let (failure, smaller) = (&document["failure"], &document["smaller"]);
    assert_eq!(failure["symptom"], symptom, "{document:#}");
    assert_eq!(failure["lines"][0]["result"]["code"], "ok", "{document:#}");
    assert_eq!(
        failure["lines"][1]["result"]["code"], "internal",
        "{document:#}"
    );
    assert_eq!(smaller["confirmed"], true, "{document:#}");
    assert_eq!(smaller["complete"], true, "{document:#}");
    assert!(
        smaller["commands"]
            .as_u64()
            .is_some_and(|left| left <= commands),
        "{document:#}"
    );
    for kept in [&failure["kept"], &smaller["kept"]] {
        let kept = Path::new(kept.as_str().expect("a directory"));
        assert!(kept.starts_with(dir.path()), "{}", kept.display());
        for name in [
            "restate/db/.cluster-marker",
            "restate.log",
            "service.log",
            "test.log",
        ] {
            assert!(kept.join(name).exists(), "{name} in {}", kept.display());
        }
    }
    repeats(smaller, fault, symptom);
}

/// The command that is printed, as it is, does fail again, in the same way.
fn repeats(smaller: &Value, fault: &str, symptom: &str) {
    let again = smaller["again"].as_str().expect("a command");
    let words = again
        .strip_prefix("cargo xtask ")
        .expect("a command of ours");
    assert!(words.ends_with(&format!(" --fault {fault}")), "{again}");
    let dir = TempDir::new().expect("a temporary directory");
    let mut command = bare(&words.split(' ').collect::<Vec<_>>());
    command.args(["--output", "json", "--dir"]).arg(dir.path());
    let document = Running::start(command).end().exits(1).document();
    assert_eq!(document["failure"]["symptom"], symptom);
    assert_eq!(document["program"], smaller["program"]);
}

#[test]
fn a_lost_increment_is_caught_and_shrunk() {
    is_caught_and_shrunk("lose-increment=3", "lost", 4);
}

#[test]
fn a_doubled_increment_is_caught_and_shrunk() {
    is_caught_and_shrunk("double-increment=3", "doubled", 4);
}

#[test]
fn a_deadlock_of_two_objects_is_caught_and_shrunk() {
    is_caught_and_shrunk("deadlock=0,2", "stuck", 6);
}

#[test]
fn ctrl_c_ends_every_process_and_leaves_nothing() {
    let house = House::offline("interrupted");
    let dir = TempDir::new().expect("a temporary directory");
    let arguments = ["v1-s2000-all-a", "--runs", "50"];
    let mut running = Running::start_at_terminal(&reproduce(&house, dir.path(), &arguments));
    let path = dir.path().display().to_string();
    house.until("a node and a service run", || processes(&path) >= 2);
    running.types("\x03");
    let ended = running.end();
    ended
        .exits(3)
        .takes_at_most(400)
        .says(&["interrupted: nothing of it runs any more"]);
    house.until("no process is left", || processes(&path) == 0);
    is_empty(dir.path());
}

#[test]
fn sigterm_does_the_same() {
    let house = House::offline("terminated");
    let dir = TempDir::new().expect("a temporary directory");
    let running = Running::start(reproduce(&house, dir.path(), &["v1-s2000-all-a"]));
    let path = dir.path().display().to_string();
    house.until("a node and a service run", || processes(&path) >= 2);
    running.signal(Signal::SIGTERM);
    running.end().exits(3);
    house.until("no process is left", || processes(&path) == 0);
    is_empty(dir.path());
}

#[test]
fn a_search_that_is_interrupted_says_what_it_has_found() {
    let house = House::offline("search");
    let dir = TempDir::new().expect("a temporary directory");
    let arguments = [PROGRAM, "--fault", "lose-increment=3", "--shrink"];
    let running = Running::start(reproduce(&house, dir.path(), &arguments));
    running.hears("run 1 failed: increments were lost");
    running.hears("commands left");
    running.signal(Signal::SIGINT);
    running.end().exits(1).prints(&[
        "FAILED in run 1 of 1: increments were lost",
        "the search was cut short, smaller may be possible",
        "target 0 (exclusive)",
    ]);
    let path = dir.path().display().to_string();
    house.until("no process is left", || processes(&path) == 0);
    let place = std::fs::read_dir(dir.path()).expect("a directory").next();
    let place = place.expect("a directory is kept").expect("its name");
    let kept = std::fs::read_dir(place.path()).expect("a directory");
    let kept: Vec<_> = kept.flatten().map(|kept| kept.file_name()).collect();
    assert_eq!(kept, ["run-1"]);
}

/// How many processes, but for the command itself, have a file open below a directory.
fn processes(directory: &str) -> usize {
    let all = std::fs::read_dir("/proc").expect("/proc").flatten();
    let holds = |process: &std::fs::DirEntry| {
        let files = std::fs::read_dir(process.path().join("fd"));
        let mut files = files.into_iter().flatten().flatten();
        files.any(|file| {
            std::fs::read_link(file.path())
                .is_ok_and(|target| target.to_string_lossy().starts_with(directory))
        })
    };
    all.filter(holds).count()
}

#[test]
fn what_names_no_program_is_refused() {
    refused(
        &["discover"],
        &[
            "`discover` is not the name of a test's Job",
            "test-28114121",
        ],
    );
    refused(
        &["v9-s300-all-test-28114121"],
        &[
            "generator version 9 is not in this build, which has version 1",
            "revision",
        ],
    );
    refused(
        &["test-28114121", "--size", "0"],
        &["`0` is not a program size"],
    );
    refused(
        &[PROGRAM, "--size", "20"],
        &[
            "`v1-s30-all-test-28113361` says its size itself",
            "test-28113361",
        ],
    );
    refused(&["v1-s30-k1..2-a"], &["is not a path in a program"]);
    refused(
        &[PROGRAM, "-n", "nobody"],
        &["unknown environment `nobody`"],
    );
    refused(&[PROGRAM, "--runs", "0"], &["--runs"]);
    refused(&[PROGRAM, "--chaos-seed", "1"], &["--chaos"]);
}

#[test]
fn environments_that_differ_are_asked_about() {
    let house = House::offline("two");
    house.write(
        "environments/second.yaml",
        &format!(
            "name: second\ncluster: {}\ntest: {{size: 40}}\n",
            crate::setting::setting().cluster
        ),
    );
    house.run(&["reproduce", "test-1"]).exits(2).says(&[
        "differ, in `test.size`: ",
        "say whose settings are meant: -n second or -n ",
    ]);
    // What is said is not asked about.
    house
        .run(&["reproduce", "v1-s20-all-a", "--restate", "1.7.999"])
        .exits(2)
        .says(&["npm has no restate-server 1.7.999"]);
}

#[test]
fn a_version_of_restate_that_does_not_exist_is_refused() {
    refused(
        &[PROGRAM, "--restate", "1.7.999"],
        &["npm has no restate-server 1.7.999", "--restate"],
    );
    refused(
        &[PROGRAM, "--restate", "1.7"],
        &["npm has no restate-server 1.7"],
    );
}

#[test]
fn without_npm_that_is_said() {
    let house = House::offline("npm");
    let dir = TempDir::new().expect("a temporary directory");
    let mut command = reproduce(&house, dir.path(), &[PROGRAM]);
    command
        .env("PATH", house.path("no-programs"))
        .env("XDG_CACHE_HOME", house.path("cache"));
    Running::start(command)
        .end()
        .exits(2)
        .says(&["npm is not on the PATH; restate-server 1.7.12 comes from npm"])
        .says(&["install Node.js with npm"]);
    is_empty(dir.path());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    refused(
        &[PROGRAM, "--port", &port],
        &[
            &format!("port {port} cannot be had"),
            "nothing was started",
            "ss -ltnp",
        ],
    );
    refused(
        &[PROGRAM, "--port", "65533"],
        &["there are no ports from 65533 on"],
    );
}

#[test]
fn on_a_full_disk_nothing_is_started() {
    let house = House::offline("disk");
    let dir = TempDir::new().expect("a temporary directory");
    let inner = reproduce(&house, dir.path(), &[PROGRAM]);
    // A small disk that only this command sees.
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c"])
        .arg(r#"mount -t tmpfs -o size=10m none "$1" && shift && exec "$@""#)
        .arg("sh")
        .arg(dir.path())
        .arg(inner.get_program())
        .args(inner.get_args());
    for variable in ["CI", "CARGO_MANIFEST_DIR", "KUBECONFIG"] {
        command.env_remove(variable);
    }
    command.current_dir(crate::setting::root());
    Running::start(command).end().exits(2).says(&[
        "is full: ",
        "MiB are free",
        "nothing was started",
        "--dir DIR",
    ]);
    is_empty(dir.path());
}
