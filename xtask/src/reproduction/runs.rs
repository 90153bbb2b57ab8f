//! One program run again and again, as many at a time as the cores allow, until it fails.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use longrun_program::{ProgramId, Symptom, kills::kills};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{
    machine::{Machine, Patience, Programs},
    place::{Directory, Listening, Place},
    trial::{Failed, Trial, Until, Verdict, trial},
};
use crate::{failure::Failure, terminal::Work};

/// What all runs of a command have in common.
#[derive(Debug)]
pub(crate) struct RunContext {
    pub(crate) programs: Arc<Programs>,
    pub(crate) place: Arc<Place>,
    pub(crate) patience: Patience,
    /// How many nodes run at a time.
    pub(crate) lanes: usize,
    /// The ports of the first of them; any without.
    pub(crate) port: Option<u16>,
    /// The number of the first run's kills; without, nothing is killed.
    pub(crate) chaos: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Found {
    /// Counted from 1.
    pub(crate) run: u32,
    /// How many had passed by then: those that run at the same time say nothing of how rare it is.
    pub(crate) passed: u32,
    /// The number of its kills.
    pub(crate) kills: Option<u32>,
    pub(crate) failed: Failed,
    pub(crate) killed: u32,
    pub(crate) kept: PathBuf,
}

#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) passed: u32,
    pub(crate) took: Duration,
    /// How many kills the runs had that have ended.
    pub(crate) killed: u32,
    /// The lines of the test of the last that passed.
    pub(crate) lines: Vec<Value>,
    /// The run that failed first, if one did.
    pub(crate) found: Option<Found>,
}

/// A machine in a directory of its own. Fields are dropped in their order: nothing writes there any more
/// when the directory is removed.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) machine: Machine,
    pub(crate) directory: Directory,
}

enum Ended {
    Verified { lines: Vec<Value>, killed: u32 },
    Failed(Found),
}

/// Ports are looked for before they are used, and somebody else may be faster. So often a node is
/// started elsewhere before that is no accident.
const STARTS: u32 = 3;

impl RunContext {
    /// A machine in a directory of its own.
    pub(crate) async fn machine(&self, name: &str, lane: usize) -> Result<Running, Failure> {
        let mut attempt = 1;
        loop {
            let directory = self.place.directory(name)?;
            let listening = match self.port {
                Some(first) => Listening::from(first, lane)?,
                None => Listening::anywhere()?,
            };
            match Machine::start(&self.programs, directory.path(), listening).await {
                Ok(machine) => return Ok(Running { machine, directory }),
                Err(failure) => {
                    self.place.check_disk()?;
                    if attempt == STARTS || !port_was_taken(&directory) {
                        let kept = directory.keep();
                        return Err(failure.hint(format!("logs: {}", kept.display())));
                    }
                    attempt += 1;
                }
            }
        }
    }

    /// The number of the kills of a run, counted from 1.
    pub(crate) fn kills_of(&self, run: u32) -> Option<u32> {
        self.chaos.map(|first| first.wrapping_add(run - 1))
    }

    async fn run(
        &self,
        program: &ProgramId,
        name: &str,
        run: u32,
        lane: usize,
    ) -> Result<Ended, Failure> {
        let mut running = self.machine(&format!("{name}-{run}"), lane).await?;
        let number = self.kills_of(run);
        let kills = number.map(kills).unwrap_or_default();
        let programs = std::slice::from_ref(program);
        let ended = trial(
            &mut running.machine,
            programs,
            &kills,
            self.patience,
            Until::All,
        );
        let Trial {
            mut verdicts,
            killed,
        } = ended.await?;
        let Running { machine, directory } = running;
        machine.end().await;
        let failed = match verdicts.pop().flatten() {
            Some(Verdict::Verified(lines)) => return Ok(Ended::Verified { lines, killed }),
            Some(Verdict::Failed(failed)) => failed,
            None => return Err(Failure::half_way(format!("run {run} has no result"))),
        };
        self.place.check_disk()?;
        if failed.symptom == Symptom::Down && port_was_taken(&directory) {
            return Err(Failure::half_way(format!(
                "run {run} says nothing: another program took one of its ports while what had it was killed"
            ))
            .hint("run the command again, with --port PORT where nobody else takes ports"));
        }
        let lines: Vec<String> = failed.lines.iter().map(ToString::to_string).collect();
        let file = directory.path().join("test.log");
        // They are also printed.
        let _ = std::fs::write(file, lines.join("\n") + "\n");
        Ok(Ended::Failed(Found {
            run,
            passed: 0,
            kills: number,
            failed,
            killed,
            kept: directory.keep(),
        }))
    }
}

/// Whether a node or service in this directory says that somebody else listens where it should.
fn port_was_taken(directory: &Directory) -> bool {
    ["restate.log", "service.log"].iter().any(|log| {
        let said = std::fs::read_to_string(directory.path().join(log)).unwrap_or_default();
        said.to_lowercase().contains("address already in use")
    })
}

/// Runs a program at most so often, in directories of this name, until a run fails: that ends the others.
pub(crate) async fn until_failure(
    context: &Arc<RunContext>,
    program: &ProgramId,
    runs: u32,
    name: &'static str,
    work: &Work,
) -> Result<Ran, Failure> {
    let began = Instant::now();
    let mut ran = Ran {
        passed: 0,
        took: Duration::ZERO,
        killed: 0,
        lines: Vec::new(),
        found: None,
    };
    let mut running = JoinSet::new();
    let mut free: Vec<usize> = (0..context.lanes).rev().collect();
    let mut begun = 0;
    loop {
        while begun < runs
            && let Some(lane) = free.pop()
        {
            begun += 1;
            let (context, program, run) = (Arc::clone(context), program.clone(), begun);
            running.spawn(async move { (lane, context.run(&program, name, run, lane).await) });
        }
        work.output(&format!(
            "{name}: {} of {runs} passed, {} running",
            ran.passed,
            running.len()
        ));
        let Some(ended) = running.join_next().await else {
            return Ok(ran);
        };
        ran.took = began.elapsed();
        let (lane, found) =
            ended.map_err(|error| Failure::half_way(format!("a run ended oddly: {error}")))?;
        free.push(lane);
        match found {
            Ok(Ended::Verified { lines, killed }) => {
                ran.passed += 1;
                ran.killed += killed;
                ran.lines = lines;
            }
            Ok(Ended::Failed(found)) => {
                running.shutdown().await;
                ran.killed += found.killed;
                ran.found = Some(Found {
                    passed: ran.passed,
                    ..found
                });
                return Ok(ran);
            }
            Err(failure) => {
                running.shutdown().await;
                return Err(failure);
            }
        }
    }
}
