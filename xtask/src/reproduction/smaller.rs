//! The search for a smaller program, asked of a real node. What is tried next is decided in
//! `longrun_program::Shrink`.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use longrun_program::{ProgramId, Shrink, Symptom, kills::kills};

use super::{
    machine::Patience,
    report::counted,
    runs::{Found, RunContext, Running, until_failure},
    trial::{Until, first, trial},
};
use crate::{failure::Failure, terminal::Work};

/// Programs that are tried at the same time on one node: they mostly wait.
const AT_ONCE: usize = 8;

/// What came of the search so far.
#[derive(Clone, Debug)]
pub(crate) struct Smaller {
    pub(crate) program: ProgramId,
    /// How many programs were tried.
    pub(crate) tried: u32,
    pub(crate) took: Duration,
    /// Whether nothing more can be left out; not when the search was interrupted.
    pub(crate) complete: bool,
}

#[derive(Debug)]
pub(crate) enum End {
    /// What was found failed in the same way once more, on a node of its own.
    Confirmed(Found),
    /// It did not.
    Unconfirmed,
    /// Something came in between.
    CutShort,
}

/// The search, which can be looked at while it goes on.
#[derive(Debug)]
pub(crate) struct Search {
    context: Arc<RunContext>,
    symptom: Symptom,
    /// How often a program is run that does not fail.
    repeats: u32,
    /// The run whose kills are tried first.
    first: u32,
    began: Instant,
    found: Mutex<Smaller>,
}

impl Search {
    /// A search that begins at a program that failed in that way.
    pub(crate) fn new(
        context: &Arc<RunContext>,
        program: &ProgramId,
        found: &Found,
        runs: u32,
    ) -> Self {
        Self {
            context: Arc::clone(context),
            symptom: found.failed.symptom,
            repeats: Shrink::repeats(found.passed, runs, context.chaos.is_some()),
            first: found.run,
            began: Instant::now(),
            found: Mutex::new(Smaller {
                program: program.clone(),
                tried: 0,
                took: Duration::ZERO,
                complete: false,
            }),
        }
    }

    pub(crate) fn found(&self) -> Smaller {
        let mut found = self
            .found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if !found.complete {
            found.took = self.began.elapsed();
        }
        found
    }

    /// Searches, and confirms what was found.
    pub(crate) async fn to_the_end(&self, work: &Work) -> Result<End, Failure> {
        self.run(work).await?;
        self.confirm(work).await
    }

    async fn run(&self, work: &Work) -> Result<(), Failure> {
        let start = self.found().program;
        let mut search = Shrink::of(&start);
        let mut node = None;
        let mut tried = 0;
        let at_once = if self.symptom.is_of_one_program() {
            AT_ONCE
        } else {
            1
        };
        loop {
            let smallest = search.smallest().generate();
            work.count(&format!(
                "{} tried, {} left",
                counted(tried, "program"),
                counted(smallest.commands(), "command")
            ));
            let ahead = search.ahead(at_once);
            let complete = ahead.is_empty();
            *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Smaller {
                program: search.smallest().clone(),
                tried,
                took: self.began.elapsed(),
                complete,
            };
            if complete {
                return Ok(());
            }
            for fails in self.fail(&ahead, &mut node).await? {
                search.answer(fails);
                tried += 1;
            }
        }
    }

    /// Whether these programs fail in the same way, up to the first that does. They are run together; what
    /// follows the first that fails would be tried for nothing.
    async fn fail(
        &self,
        programs: &[ProgramId],
        node: &mut Option<Running>,
    ) -> Result<Vec<bool>, Failure> {
        let mut undecided = programs;
        for repeat in 0..self.repeats {
            if repeat > 0 {
                // The same programs have run on this one already.
                *node = None;
            }
            let mut running = match node.take() {
                Some(running) => running,
                None => self.context.machine("smaller", 0).await?,
            };
            let number = self.context.kills_of(self.first.wrapping_add(repeat));
            let kills = number.map(kills).unwrap_or_default();
            let patience = Patience {
                // A verdict that is wrong here is found out when the smallest is confirmed.
                still: self.context.patience.still / 2,
                ..self.context.patience
            };
            let until = Until::First(self.symptom);
            let machine = &mut running.machine;
            let trial = trial(machine, undecided, &kills, patience, until).await?;
            self.context.place.check_disk()?;
            if running.machine.is_at_work().await {
                *node = Some(running);
            }
            if let Some(place) = first(&trial.verdicts, self.symptom) {
                // Whether one before it fails as well is still to be seen.
                undecided = &undecided[..place];
            }
            if undecided.is_empty() {
                break;
            }
        }
        let mut answers = vec![false; undecided.len()];
        if undecided.len() < programs.len() {
            answers.push(true);
        }
        Ok(answers)
    }

    /// Runs the program that was found once more, on a node of its own, to have the evidence of that alone.
    async fn confirm(&self, work: &Work) -> Result<End, Failure> {
        let program = self.found().program;
        let context = Arc::new(RunContext {
            programs: Arc::clone(&self.context.programs),
            place: Arc::clone(&self.context.place),
            chaos: self.context.kills_of(self.first),
            ..*self.context
        });
        let ran = until_failure(&context, &program, self.repeats, "smallest", work).await?;
        Ok(match ran.found {
            Some(found) if found.failed.symptom == self.symptom => End::Confirmed(found),
            _ => End::Unconfirmed,
        })
    }
}
