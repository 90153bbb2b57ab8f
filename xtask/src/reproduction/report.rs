//! What came of it, for people and for programs.

use std::fmt::Write as _;

use longrun_program::Symptom;
use serde::Serialize;
use serde_json::Value;

use super::{
    runs::{Found, Ran},
    smaller::Smaller,
    subject::Subject,
};
use crate::{
    failure::{End, Failure},
    terminal::{Terminal, seconds},
};

/// The command that repeats a failure.
#[derive(Debug)]
pub(crate) struct Again {
    /// All but the program and the kills.
    pub(crate) flags: Vec<String>,
}

impl Again {
    fn command(&self, program: &str, kills: Option<u32>) -> String {
        let chaos = kills.map(|number| format!("--chaos --chaos-seed {number}"));
        let flags = self.flags.iter().cloned().chain(chaos);
        let flags = flags.collect::<Vec<_>>().join(" ");
        format!("cargo xtask reproduce {program} {flags}")
    }
}

/// The result of the command.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    program: String,
    restate: String,
    chaos: bool,
    /// How often it was to be run, at most.
    runs: u32,
    passed: u32,
    /// What the test of the last run that passed printed.
    lines: Vec<Value>,
    /// `null` when it never failed.
    failure: Option<Failing>,
    /// `null` when no smaller program was looked for.
    smaller: Option<Small>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failing {
    run: u32,
    /// The number of its kills.
    kills: Option<u32>,
    symptom: Symptom,
    message: String,
    /// What the test printed.
    lines: Vec<Value>,
    /// Where its data directory and logs are.
    kept: String,
    again: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Small {
    program: String,
    commands: usize,
    invocations: u32,
    tried: u32,
    seconds: u64,
    /// Whether no command of it can be left out.
    complete: bool,
    /// Whether it failed once more by itself, on a node of its own.
    confirmed: bool,
    tree: String,
    kept: Option<String>,
    again: String,
}

impl Report {
    pub(crate) fn new(subject: &Subject, runs: u32, chaos: bool) -> Self {
        Self {
            program: subject.program.to_string(),
            restate: subject.restate.clone(),
            chaos,
            runs,
            passed: 0,
            lines: Vec::new(),
            failure: None,
            smaller: None,
        }
    }

    /// What came of the runs.
    pub(crate) fn ran(&mut self, ran: &Ran, again: &Again) {
        self.passed = ran.passed;
        self.lines.clone_from(&ran.lines);
        self.failure = ran.found.as_ref().map(|found| Failing {
            run: found.run,
            kills: found.kills,
            symptom: found.failed.symptom,
            message: found.failed.message.clone(),
            lines: found.failed.lines.clone(),
            kept: found.kept.display().to_string(),
            again: again.command(&self.program, found.kills),
        });
    }

    /// What came of the search for a smaller program, and the run of it alone.
    pub(crate) fn shrunk(&mut self, smaller: &Smaller, evidence: Option<&Found>, again: &Again) {
        let program = smaller.program.generate();
        let id = smaller.program.to_string();
        let kills = match evidence {
            Some(found) => found.kills,
            None => self.failure.as_ref().and_then(|failure| failure.kills),
        };
        self.smaller = Some(Small {
            commands: program.commands(),
            invocations: program.invocations(),
            tried: smaller.tried,
            seconds: smaller.took.as_secs(),
            complete: smaller.complete,
            confirmed: evidence.is_some(),
            tree: program.to_string(),
            kept: evidence.map(|found| found.kept.display().to_string()),
            again: again.command(&id, kills),
            program: id,
        });
    }

    pub(crate) fn print(&self, terminal: &Terminal, end: End) -> Result<End, Failure> {
        terminal.data(self, || self.text())?;
        Ok(end)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = match &self.failure {
            Some(failure) => failure.write(&self.program, self.runs, &mut text),
            None => lines(&self.lines, &mut text).and_then(|()| {
                write!(
                    text,
                    "{} verified, {} of {} runs",
                    self.program, self.passed, self.runs
                )
            }),
        };
        if let Some(smaller) = &self.smaller {
            let _ = smaller.write(&mut text);
        }
        text
    }
}

impl Failing {
    fn write(&self, program: &str, runs: u32, text: &mut String) -> std::fmt::Result {
        lines(&self.lines, text)?;
        writeln!(
            text,
            "{program} FAILED in run {} of {runs}: {}",
            self.run, self.symptom
        )?;
        if self.lines.is_empty() {
            writeln!(text, "  what     {}", self.message)?;
        }
        writeln!(text, "  kept     {}", self.kept)?;
        write!(text, "  again    {}", self.again)
    }
}

impl Small {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        let state = match (self.complete, self.confirmed) {
            (false, _) => "the search was interrupted: smaller may be possible",
            (true, true) => "nothing of it can be left out",
            (true, false) => "it did not fail when it was run once more: give more --runs",
        };
        let time = seconds(std::time::Duration::from_secs(self.seconds));
        writeln!(
            text,
            "\nsmaller: {} commands, {} invocations, after {} programs in {time}; {state}",
            self.commands, self.invocations, self.tried
        )?;
        for line in self.tree.lines() {
            writeln!(text, "  {line}")?;
        }
        if let Some(kept) = &self.kept {
            writeln!(text, "  kept     {kept}")?;
        }
        write!(text, "  again    {}", self.again)
    }
}

/// What a test printed, for people.
fn lines(lines: &[Value], text: &mut String) -> std::fmt::Result {
    for line in lines {
        let field = |pointer: &str| line.pointer(pointer).and_then(Value::as_str);
        let [command, code, message] =
            ["/command", "/result/code", "/result/message"].map(|name| field(name).unwrap_or(""));
        writeln!(text, "{command:<8} {code:<12} {message}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_repeat_a_failure_is_whole() {
        let again = Again {
            flags: vec!["--restate 1.7.11".into(), "-n restate".into()],
        };
        assert_eq!(
            again.command("v1-s300-all-test-1", Some(7)),
            "cargo xtask reproduce v1-s300-all-test-1 --restate 1.7.11 -n restate --chaos --chaos-seed 7"
        );
        assert_eq!(
            again.command("v1-s300-k2-test-1", None),
            "cargo xtask reproduce v1-s300-k2-test-1 --restate 1.7.11 -n restate"
        );
    }
}
