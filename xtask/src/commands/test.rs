//! `cargo xtask test`

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use comfy_table::{CellAlignment, Table, presets::NOTHING};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};

use crate::{
    access,
    failure::{ExitStatus, Failure},
    project::Project,
    terminal::{Terminal, seconds},
};

/// Run everything that CI runs: formatting, lints, all tests, and the end-to-end tests.
///
/// The end-to-end tests run on an embedded cluster of their own, which is deleted afterwards. At the end it prints what
/// each part took.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Install missing Debian packages without asking.
    #[arg(long)]
    yes: bool,
    /// Keep the tests' cluster running, to look into it or for a faster next run.
    #[arg(long)]
    keep: bool,
    /// Run only end-to-end tests whose name contains this; may be repeated.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

/// The embedded cluster that the end-to-end tests run on.
const CLUSTER: &str = "test";

/// The embedded cluster's Go module. Other flags than its build has would compile Kubernetes again.
const GO: &str = "crates/embedded/go";

/// A part of the whole: its name, program and arguments.
type Part = (&'static str, &'static str, &'static [&'static str]);

/// What needs no cluster.
const CHECKS: [Part; 6] = [
    ("formatting", "cargo", &["fmt", "--all", "--check"]),
    (
        "lints",
        "cargo",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ],
    ),
    (
        "lints of the storage driver",
        "go",
        &[
            "-C",
            GO,
            "vet",
            "-trimpath",
            "./cmd/csi-driver",
            "./cmd/pause",
            "./internal/...",
        ],
    ),
    (
        "the embedded cluster's own programs",
        "go",
        &[
            "-C",
            GO,
            "test",
            "-trimpath",
            "./cmd/pause",
            "./internal/...",
        ],
    ),
    COMPILING,
    (
        "every crate",
        "cargo",
        &["test", "--workspace", "--no-fail-fast"],
    ),
];

/// All tests at once: for a part of the workspace, cargo would choose other features of what it has in common with the
/// rest, and compile that again.
const COMPILING: Part = (
    "compiling the tests",
    "cargo",
    &[
        "test",
        "--workspace",
        "--features",
        "longrun-tests/cluster",
        "--no-run",
    ],
);

const END_TO_END: Part = (
    "end to end",
    "cargo",
    &[
        "test",
        "--workspace",
        "--features",
        "longrun-tests/cluster",
        "--test",
        "end_to_end",
        "--",
        // They wait for controllers most of the time, whatever the processors are.
        "--test-threads=3",
    ],
);

/// Within a test, the time that a machine without caches needs for images would be taken for a failure.
const IMAGES: &str = "images";

pub(crate) fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let mut tally = Tally::default();
    let ended = all(args, project, terminal, &mut tally);
    terminal.say(&tally.took());
    ended?;
    for name in &tally.red {
        terminal.say(&format!("failed: {name}"));
    }
    println!(
        "{} passed, {} failed",
        tally.passed,
        tally.failed.max(tally.red.len())
    );
    Ok(if tally.red.is_empty() {
        ExitStatus::Done
    } else {
        ExitStatus::HalfWay
    })
}

/// One part after the other; one that is red keeps none from being run.
fn all(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let embedded = tally.time("the machine's packages", || {
        access::prepare_machine(CLUSTER, args.yes, terminal)
    })?;
    let command = |(name, program, arguments): Part| {
        terminal.say(&format!("── {name}: {program} {}", arguments.join(" ")));
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(project.root())
            .env("CGO_ENABLED", "0");
        command
    };
    let checks = if args.only.is_empty() {
        &CHECKS[..]
    } else {
        &[COMPILING][..]
    };
    for &check in checks {
        tally.run(check.0, command(check))?;
    }
    let up = tally.time("the cluster's start", || access::up(&embedded, terminal))?;
    let own = std::env::current_exe().map_err(|error| {
        Failure::refused(format!("cannot find this program to run it: {error}"))
    })?;
    let mut images = Command::new(own);
    images
        .args(["images", "--cluster", "local"])
        .current_dir(project.root());
    tally.run(IMAGES, images)?;
    let mut tests = command(END_TO_END);
    tests
        .args(&args.only)
        .env("LONGRUN_TEST_CLUSTER", CLUSTER)
        .env("LONGRUN_TEST_KUBECONFIG", &up.kubeconfig);
    let ran = tally.run(END_TO_END.0, tests);
    if !args.keep {
        tally.time("the cluster's end", || {
            let work = terminal.work("taking the tests' cluster down");
            embedded.down(true, &|news| work.report(news))
        })?;
    }
    ran
}

/// What the tests' runners said, added up, and what each part took.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    red: Vec<String>,
    parts: Vec<(&'static str, Duration, Duration)>,
    /// End-to-end tests with their seconds.
    tests: Vec<(u64, String)>,
}

impl Tally {
    /// How many of the slowest tests are named.
    const SLOWEST: usize = 10;

    /// Runs a command with its output passed through, and counts.
    fn run(&mut self, name: &'static str, mut command: Command) -> Result<(), Failure> {
        let (began, before) = (Instant::now(), cpu_of_children());
        let cannot = |error| Failure::half_way(format!("cannot run {name}: {error}"));
        let mut child = command
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .map_err(cannot)?;
        for line in child
            .stdout
            .take()
            .map(BufReader::new)
            .into_iter()
            .flat_map(BufReader::lines)
        {
            let line = line.map_err(cannot)?;
            if !self.count(&line) {
                println!("{line}");
            }
        }
        if !child.wait().map_err(cannot)?.success() {
            self.red.push(name.to_owned());
        }
        self.ended(name, began, before);
        Ok(())
    }

    /// Does something as a part of the whole.
    fn time<T, E>(
        &mut self,
        name: &'static str,
        part: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let (began, before) = (Instant::now(), cpu_of_children());
        let result = part();
        self.ended(name, began, before);
        result
    }

    fn ended(&mut self, name: &'static str, began: Instant, before: Duration) {
        let cpu = cpu_of_children().saturating_sub(before);
        self.parts.push((name, began.elapsed(), cpu));
    }

    /// A line for each part, and the slowest tests.
    fn took(&self) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_header(["PART", "TIME", "CPU"]);
        let sum = |of: fn(&(&str, Duration, Duration)) -> Duration| self.parts.iter().map(of).sum();
        let whole = ("all", sum(|part| part.1), sum(|part| part.2));
        for (name, time, cpu) in self.parts.iter().chain([&whole]) {
            table.add_row([(*name).to_owned(), seconds(*time), seconds(*cpu)]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let mut text = format!("── what it took\n{}\n", table.trim_fmt());
        let mut tests = self.tests.clone();
        tests.sort_unstable_by(|one, other| other.cmp(one));
        if !tests.is_empty() {
            text.push_str("the slowest end-to-end tests:\n");
        }
        for (took, test) in tests.iter().take(Self::SLOWEST) {
            text.push_str(&format!("{took:>5} s  {test}\n"));
        }
        text
    }

    /// cargo test closes each binary with `test result: ok. 3 passed; 0 failed; …`, go test each package
    /// with `ok  package  time`, and an end-to-end test with `── module::test took 7 s`. Answers whether the line is
    /// for nobody else.
    fn count(&mut self, line: &str) -> bool {
        if let Some(result) = line.strip_prefix("test result: ") {
            let number = |word: &str| {
                let (before, _) = result.split_once(word)?;
                before
                    .rsplit([' ', ';', '.'])
                    .find(|part| !part.is_empty())?
                    .parse::<usize>()
                    .ok()
            };
            self.passed += number(" passed").unwrap_or(0);
            self.failed += number(" failed").unwrap_or(0);
        } else if line.starts_with("ok  \t") {
            self.passed += 1;
        } else if line.starts_with("FAIL\t") {
            self.failed += 1;
        } else if let Some(took) = took(line) {
            self.tests.push(took);
            return true;
        }
        false
    }
}

/// What an end-to-end test says at its end.
fn took(line: &str) -> Option<(u64, String)> {
    let (test, took) = line.strip_prefix("── ")?.rsplit_once(" took ")?;
    let seconds = took.strip_suffix(" s")?.parse().ok()?;
    Some((seconds, test.to_owned()))
}

/// Of those that have ended and were waited for, their own children included: not of the cluster, which is nobody's child.
fn cpu_of_children() -> Duration {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(Duration::ZERO, |usage| {
        [usage.user_time(), usage.system_time()]
            .iter()
            .map(|time| {
                let micros = u64::try_from(time.num_microseconds()).unwrap_or(0);
                Duration::from_micros(micros)
            })
            .sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_added_up() {
        let mut tally = Tally::default();
        for line in [
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "ok  \tlongrun/embedded/internal/driver\t4.2s",
            "FAIL\tlongrun/embedded/internal/driver\t4.2s",
            "?   \tlongrun/embedded/cmd/pause\t[no test files]",
        ] {
            assert!(!tally.count(line), "it is to be seen: {line}");
        }
        assert_eq!((tally.passed, tally.failed), (16, 3));
    }

    #[test]
    fn each_part_is_told_with_its_time_and_the_slowest_tests_with_theirs() {
        let seconds = Duration::from_secs;
        let mut tally = Tally {
            parts: vec![
                ("formatting", seconds(1), seconds(2)),
                ("end to end", seconds(1200), seconds(100)),
            ],
            ..Tally::default()
        };
        assert!(tally.count("── wipe::round_trip took 7 s"));
        for test in 0..Tally::SLOWEST {
            assert!(tally.count(&format!("── copy::of_{test} took {} s", 90 + test)));
        }
        let expected = "\
── what it took
 PART               TIME         CPU
 formatting          1 s         2 s
 end to end  20 min 00 s  1 min 40 s
 all         20 min 01 s  1 min 42 s
the slowest end-to-end tests:
   99 s  copy::of_9
   98 s  copy::of_8
   97 s  copy::of_7
   96 s  copy::of_6
   95 s  copy::of_5
   94 s  copy::of_4
   93 s  copy::of_3
   92 s  copy::of_2
   91 s  copy::of_1
   90 s  copy::of_0
";
        assert_eq!(tally.took(), expected);
    }

    #[test]
    fn the_time_of_a_child_is_counted_when_it_has_ended() {
        let mut tally = Tally::default();
        let mut busy = Command::new("sh");
        busy.args([
            "-c",
            "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; exit 1",
        ]);
        tally.run("busy", busy).expect("it runs");
        assert_eq!(tally.red, ["busy"]);
        assert!(tally.parts[0].2 > Duration::ZERO, "{:?}", tally.parts);
    }
}
