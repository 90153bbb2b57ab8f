//! The only place that talks to a person. Data goes to stdout; progress, plans and questions go to
//! stderr, so that a pipe gets nothing but data.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use clap::ValueEnum;
use longrun_core::approval::{Approved, Ask, Demand, Refused};
use serde::Serialize;

use crate::failure::Failure;

mod work;

pub(crate) use work::{Work, seconds};

/// The form of what goes to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON document for each command.
    Json,
}

/// Where a command reads answers and writes to.
#[derive(Debug)]
pub(crate) struct Terminal {
    output: Output,
    interactive: bool,
    talks_to_terminal: bool,
    /// Whether the command's document was printed: there is one for each command.
    has_printed: AtomicBool,
}

/// What the command line says in place of an answer.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Answers {
    /// Answer yes where no data is lost. The loss of data is never approved by this flag.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Approve exactly the plan with this digest, which a dry run prints.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) approve: Option<String>,
}

impl Terminal {
    pub(crate) fn new(output: Output) -> Self {
        let talks_to_terminal = std::io::stderr().is_terminal();
        Self {
            output,
            // A question needs both: an answer to read and a place where it is seen.
            interactive: talks_to_terminal && std::io::stdin().is_terminal(),
            talks_to_terminal,
            has_printed: AtomicBool::new(false),
        }
    }

    /// Whether a program waits for a document, which it gets from every command.
    pub(crate) fn owes_document(&self) -> bool {
        self.output == Output::Json
    }

    /// Prints the command's result: `text` for people, `document` for programs.
    pub(crate) fn data<T: Serialize>(
        &self,
        document: &T,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        // `cargo xtask … | head` is no failure.
        self.data_to_reader(document, text).map(drop)
    }

    /// As [`Self::data`]; answers whether anybody reads it still.
    pub(crate) fn data_to_reader<T: Serialize>(
        &self,
        document: &T,
        text: impl FnOnce() -> String,
    ) -> Result<bool, Failure> {
        let text = match self.output {
            Output::Text => text(),
            Output::Json => serde_json::to_string_pretty(document).map_err(|error| {
                Failure::refused(format!("the result cannot be written as JSON: {error}"))
            })?,
        };
        self.has_printed.store(true, Ordering::Relaxed);
        match print(text.trim_end()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            written => written
                .map(|()| true)
                .map_err(|error| Failure::refused(format!("cannot write the result: {error}"))),
        }
    }

    /// Clears a terminal for what is printed next, and does nothing to a pipe.
    pub(crate) fn redraw(&self) -> Result<(), Failure> {
        if self.output == Output::Json || !std::io::stdout().is_terminal() {
            return Ok(());
        }
        // To the corner, and away with what is below (ECMA-48: CUP, ED).
        let mut stdout = std::io::stdout().lock();
        write!(stdout, "\x1b[H\x1b[J")
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::refused(format!("cannot write the result: {error}")))
    }

    /// Says something to the person who waits.
    pub(crate) fn say(&self, text: &str) {
        tell(&format!("{text}\n"));
    }

    /// Says why the command ended before it was done. A program that waits for a document gets it as one, unless it has
    /// the result already.
    pub(crate) fn fail(&self, failure: &Failure) {
        self.say(&format!("error: {}", failure.message));
        for hint in &failure.hints {
            self.say(&format!("  → {hint}"));
        }
        if self.owes_document() && !self.has_printed.load(Ordering::Relaxed) {
            self.fail_in_document(failure);
        }
    }

    /// Prints an error as a document. Whoever does not read it has the exit code.
    pub(crate) fn fail_in_document(&self, failure: &Failure) {
        let _ = self.data(&failure.document(), String::new);
    }

    /// Begins something that may take a while.
    pub(crate) fn work(&self, what: &str) -> Work {
        Work::begin(what, self.talks_to_terminal)
    }

    /// Asks about something that is no plan and loses nothing.
    pub(crate) fn consent(&self, what: &str, question: &str, yes: bool) -> Result<(), Failure> {
        self.say(what);
        if yes {
            return Ok(());
        }
        if !self.interactive {
            return Err(
                Failure::refused("there is no terminal to ask at, and nothing was done")
                    .hint("answer with --yes"),
            );
        }
        tell(&format!("{question} [y/N] "));
        match self.line().as_str() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure::refused("not confirmed, nothing was done")),
        }
    }

    /// A typed line without its end. One that the end of the input cut off is an empty one, which
    /// confirms nothing.
    fn line(&self) -> String {
        let mut line = String::new();
        let _ = std::io::stdin().lock().read_line(&mut line);
        let Some(whole) = line.strip_suffix('\n') else {
            tell("\n");
            return String::new();
        };
        whole.trim_end_matches('\r').to_owned()
    }

    /// Gets the answer to a plan: from the flags, or typed.
    pub(crate) fn answer(&self, ask: Ask, answers: &Answers) -> Result<Approved, Refused> {
        let demand = ask.demand();
        let answered = answers.approve.is_some() || (answers.yes && demand == Demand::Yes);
        if answered || !self.interactive {
            return ask.piped(answers.yes, answers.approve.as_deref());
        }
        tell(&match demand {
            Demand::Yes => format!("Do this on {}? [y/N] ", ask.plan().target),
            Demand::Phrase(phrase) => format!("To do this, type {phrase}: "),
        });
        ask.typed(&self.line())
    }
}

/// Writes a result. A pipe gets no escape sequences, for example of a pod's log; to look for them costs as much as to
/// parse a template, and most results have none.
fn print(text: &str) -> std::io::Result<()> {
    if text.contains('\x1b') {
        let mut stdout = anstream::stdout().lock();
        return writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    }
    // In one piece: standard output is flushed at line ends.
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(format!("{text}\n").as_bytes())?;
    stdout.flush()
}

/// Writes to the person who waits. One whose terminal is gone keeps nothing from being ended in order.
fn tell(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}
