//! `cargo xtask test`

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use crate::{
    access,
    failure::{ExitStatus, Failure},
    project::Project,
    terminal::Terminal,
};

/// Run everything that CI runs: formatting, lints, all tests, and the end-to-end tests.
///
/// The end-to-end tests run on an embedded cluster of their own, which is deleted afterwards.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Install missing Debian packages without asking.
    #[arg(long)]
    yes: bool,
    /// Keep the tests' cluster running, to look into it or for a faster next run.
    #[arg(long)]
    keep: bool,
    /// Run only end-to-end tests whose name contains this.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

/// The embedded cluster that the end-to-end tests run on.
const CLUSTER: &str = "test";

/// The embedded cluster's Go module. Other flags than its build has would compile Kubernetes again.
const GO: &str = "crates/embedded/go";

/// Name, program and arguments of what needs no cluster.
const CHECKS: [(&str, &str, &[&str]); 5] = [
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
    (
        "every crate",
        "cargo",
        &["test", "--workspace", "--no-fail-fast"],
    ),
];

pub(crate) fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let embedded = access::prepare_machine(CLUSTER, args.yes, terminal)?;
    let mut tally = Tally::default();
    if args.only.is_none() {
        for (name, program, arguments) in CHECKS {
            terminal.say(&format!("── {name}: {program} {}", arguments.join(" ")));
            let mut command = Command::new(program);
            command
                .args(arguments)
                .current_dir(project.root())
                .env("CGO_ENABLED", "0");
            tally.run(name, command)?;
        }
    }
    terminal.say("── end to end");
    let up = access::up(&embedded, terminal)?;
    let mut command = Command::new("cargo");
    command
        .args([
            "test",
            "--package",
            "longrun-tests",
            "--features",
            "cluster",
            "--test",
            "end_to_end",
            "--",
            // They wait for controllers most of the time, whatever the processors are.
            "--test-threads=3",
        ])
        .args(&args.only)
        .current_dir(project.root())
        .env("LONGRUN_TEST_CLUSTER", CLUSTER)
        .env("LONGRUN_TEST_KUBECONFIG", &up.kubeconfig);
    let ran = tally.run("end to end", command);
    if !args.keep {
        let work = terminal.work("taking the tests' cluster down");
        embedded.down(true, &|news| work.report(news))?;
        drop(work);
    }
    ran?;
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

/// What the tests' runners said, added up.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    red: Vec<String>,
}

impl Tally {
    /// Runs a command with its output passed through, and counts.
    fn run(&mut self, name: &str, mut command: Command) -> Result<(), Failure> {
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
            self.count(&line);
            println!("{line}");
        }
        if !child.wait().map_err(cannot)?.success() {
            self.red.push(name.to_owned());
        }
        Ok(())
    }

    /// cargo test closes each binary with `test result: ok. 3 passed; 0 failed; …`, go test each package
    /// with `ok  package  time`.
    fn count(&mut self, line: &str) {
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

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
            tally.count(line);
        }
        assert_eq!((tally.passed, tally.failed), (16, 3));
    }
}
