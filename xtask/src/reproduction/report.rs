//! What came of it, for people and for programs.

use std::{
    fmt::{Display, Write as _},
    time::Duration,
};

use longrun_program::Symptom;
use serde::Serialize;
use serde_json::Value;

use super::{
    runs::Ran,
    smaller::{self, Smaller},
    subject::Subject,
};
use crate::{
    failure::{ExitStatus, Failure},
    terminal::{Terminal, seconds},
};

/// The command that repeats a failure.
#[derive(Debug)]
pub(crate) struct Again {
    /// All but the program, the kills and how often.
    pub(crate) flags: Vec<(&'static str, String)>,
}

impl Again {
    /// What did not come at once may take as many runs again.
    fn command(&self, program: &str, kills: Option<u32>, runs: u32) -> String {
        let mut command = format!("cargo xtask reproduce {program}");
        for (flag, value) in &self.flags {
            // Writing to a text does not fail.
            let _ = write!(command, " {flag} {}", quoted(value));
        }
        if let Some(number) = kills {
            let _ = write!(command, " --chaos --chaos-seed {number}");
        }
        if runs > 1 {
            let _ = write!(command, " --runs {runs}");
        }
        command
    }
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-=,:".contains(c);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    program: String,
    restate: String,
    chaos: bool,
    /// How often it was to be run, at most.
    runs: u32,
    passed: u32,
    /// How long all of them took together.
    seconds: f64,
    /// How many kills there were in all of them.
    killed: u32,
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
    /// How many of them there were before it failed.
    killed: u32,
    symptom: Symptom,
    message: String,
    /// What the test printed; nothing when it had not ended.
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
    seconds: f64,
    /// Whether no command of it can be left out.
    complete: bool,
    /// Whether it failed once more by itself, on a node of its own.
    confirmed: bool,
    /// Whether the search, or that last run, was ended before it was done.
    cut_short: bool,
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
            seconds: 0.0,
            killed: 0,
            lines: Vec::new(),
            failure: None,
            smaller: None,
        }
    }

    pub(crate) fn ran(&mut self, ran: &Ran, again: &Again) {
        self.passed = ran.passed;
        self.seconds = ran.took.as_secs_f64();
        self.killed = ran.killed;
        self.lines.clone_from(&ran.lines);
        self.failure = ran.found.as_ref().map(|found| Failing {
            run: found.run,
            kills: found.kills,
            killed: found.killed,
            symptom: found.failed.symptom,
            message: found.failed.message.clone(),
            lines: found.failed.lines.clone(),
            kept: found.kept.display().to_string(),
            again: again.command(&self.program, found.kills, self.often(found.passed)),
        });
    }

    /// How often to run again what had passed so often before it failed.
    fn often(&self, passed: u32) -> u32 {
        if passed > 0 { self.runs } else { 1 }
    }

    /// What came of the search for a smaller program, and of the run of it alone.
    pub(crate) fn shrunk(&mut self, smaller: &Smaller, end: &smaller::End, again: &Again) {
        let program = smaller.program.generate();
        let id = smaller.program.to_string();
        let confirmed = match end {
            smaller::End::Confirmed(found) => Some(found),
            smaller::End::Unconfirmed | smaller::End::CutShort => None,
        };
        let (kills, passed) = match confirmed {
            Some(found) => (found.kills, found.passed),
            None => {
                let whole = self.failure.as_ref();
                (whole.and_then(|failure| failure.kills), self.passed)
            }
        };
        self.smaller = Some(Small {
            commands: program.commands(),
            invocations: program.invocations(),
            tried: smaller.tried,
            seconds: smaller.took.as_secs_f64(),
            complete: smaller.complete,
            confirmed: confirmed.is_some(),
            cut_short: matches!(end, smaller::End::CutShort),
            tree: program.to_string(),
            kept: confirmed.map(|found| found.kept.display().to_string()),
            again: again.command(&id, kills, self.often(passed)),
            program: id,
        });
    }

    pub(crate) fn print(
        &self,
        terminal: &Terminal,
        end: ExitStatus,
    ) -> Result<ExitStatus, Failure> {
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
                    "{} verified, {} of {} in {}{}",
                    self.program,
                    self.passed,
                    counted(self.runs, "run"),
                    pace(self.passed, self.seconds),
                    under(self.chaos, self.killed),
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
            "{program} FAILED in run {} of {runs}{}: {}",
            self.run,
            under(self.kills.is_some(), self.killed),
            self.symptom
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
        let state = match (self.complete, self.confirmed, self.cut_short) {
            (false, _, _) => "the search was cut short, smaller may be possible",
            (true, true, _) => "nothing of it can be left out",
            (true, false, true) => "it was not run once more by itself",
            (true, false, false) => {
                "it did NOT fail when it was run once more by itself: try again with more --runs"
            }
        };
        writeln!(
            text,
            "\nsmaller: {}, {}, after {} in {}: {state}",
            counted(self.commands, "command"),
            counted(self.invocations, "invocation"),
            counted(self.tried, "program"),
            pace(self.tried, self.seconds)
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

/// `1 run`, `2 runs`
pub(super) fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Of how many kills there were, where there were to be some.
fn under(chaos: bool, killed: u32) -> String {
    if chaos {
        format!(", under {}", counted(killed, "kill"))
    } else {
        String::new()
    }
}

/// How long something took that was done so often, and how often that is in a minute.
fn pace(count: u32, took: f64) -> String {
    let a_minute = f64::from(count) * 60.0 / took.max(0.001);
    let took = Duration::try_from_secs_f64(took).unwrap_or_default();
    format!("{} ({a_minute:.1} a minute)", seconds(took))
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
            flags: vec![
                ("--restate", "1.7.11".into()),
                ("--inputs", "/some where".into()),
            ],
        };
        assert_eq!(
            again.command("v1-s300-all-test-1", Some(7), 50),
            "cargo xtask reproduce v1-s300-all-test-1 --restate 1.7.11 --inputs '/some where' \
             --chaos --chaos-seed 7 --runs 50"
        );
        assert_eq!(
            again.command("v1-s300-k2-test-1", None, 1),
            "cargo xtask reproduce v1-s300-k2-test-1 --restate 1.7.11 --inputs '/some where'"
        );
    }

    #[test]
    fn a_word_for_a_shell_is_one_word() {
        for (word, written) in [
            ("deadlock=0,2", "deadlock=0,2"),
            ("it's here", r"'it'\''s here'"),
            ("$(reboot)", "'$(reboot)'"),
        ] {
            assert_eq!(quoted(word), written);
        }
    }

    #[test]
    fn a_pace_is_told_with_its_time() {
        assert_eq!(pace(12, 90.4), "1 min 30 s (8.0 a minute)");
    }
}
