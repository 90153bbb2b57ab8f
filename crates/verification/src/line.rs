//! The result lines of a test: one JSON object a line, of a form that people and tools know.
//!
//! ```text
//! {"command": "execute", "test_job": "test-28114121", "result": {"code": "ok", "message": "Success"}}
//! ```

use crate::service::Counter;
use longrun_program::{ProgramId, Seed};
use longrun_restate::{Error, Open, one_line};
use serde::Serialize;
use serde_json::ser::Formatter;
use std::io::{self, Write};

/// How a command ended. The words are those of gRPC, as the original's were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// It succeeded.
    Ok,
    /// A handler ended with an error: for verify, the counters are wrong.
    Internal,
    /// Restate could not be reached, or could not reach the service.
    Unavailable,
    /// It was not done in time.
    DeadlineExceeded,
}

/// The result of a command. What follows the message may grow.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// How it ended.
    pub code: Code,
    /// `Success`, or what is wrong, in one sentence.
    pub message: String,
    /// The program, where it is not only started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramId>,
    /// Every wrong counter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mismatches: Vec<Mismatch>,
    /// How many invocations of the program were still open; absent when it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_invocations: Option<u64>,
}

/// A wrong counter, with what may yet change it.
#[derive(Clone, Debug, Serialize)]
pub struct Mismatch {
    /// Target, expected and actual value.
    #[serde(flatten)]
    pub counter: Counter,
    /// The invocations of this target that have not completed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Open>,
}

impl Outcome {
    /// It succeeded.
    #[must_use]
    pub fn success() -> Self {
        Self::new(Code::Ok, "Success")
    }

    /// An outcome with nothing but a message.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            code,
            message,
            program: None,
            mismatches: Vec::new(),
            open_invocations: None,
        }
    }

    /// Whether it succeeded.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.code == Code::Ok
    }
}

impl From<&Error> for Outcome {
    fn from(error: &Error) -> Self {
        let code = if error.is_transient() {
            Code::Unavailable
        } else {
            Code::Internal
        };
        Self::new(code, one_line(error))
    }
}

/// Writes a result line.
///
/// # Errors
/// When it cannot be written.
pub fn write(out: &mut impl Write, command: &str, job: &Seed, result: &Outcome) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        command: &'a str,
        test_job: &'a str,
        result: &'a Outcome,
    }
    let mut text = Vec::new();
    let line = Line {
        command,
        test_job: job.as_str(),
        result,
    };
    line.serialize(&mut serde_json::Serializer::with_formatter(
        &mut text, Spaced,
    ))?;
    text.push(b'\n');
    // In one piece, so that no other writer's line gets between.
    out.write_all(&text)?;
    out.flush()
}

/// JSON on one line with a space after each colon and comma.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Mismatch, Outcome, write};
    use crate::service::Counter;
    use longrun_program::Target;

    fn line(command: &str, outcome: &Outcome) -> String {
        let mut out = Vec::new();
        write(
            &mut out,
            command,
            &"test-28114121".parse().unwrap(),
            outcome,
        )
        .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_success_is_the_known_line() {
        assert_eq!(
            line("execute", &Outcome::success()),
            "{\"command\": \"execute\", \"test_job\": \"test-28114121\", \
             \"result\": {\"code\": \"ok\", \"message\": \"Success\"}}\n"
        );
    }

    #[test]
    fn a_failure_begins_as_the_known_line_and_then_has_every_mismatch() {
        let counter = Counter {
            target: Target(117),
            expected: 1,
            actual: 0,
        };
        let mut outcome = Outcome::new(Code::Internal, counter.complaint());
        outcome.mismatches = vec![Mismatch {
            counter,
            open: vec![],
        }];
        assert_eq!(
            line("verify", &outcome),
            "{\"command\": \"verify\", \"test_job\": \"test-28114121\", \"result\": \
             {\"code\": \"internal\", \
             \"message\": \"Incorrect value for target 117: expected 1, got 0\", \
             \"mismatches\": [{\"target\": 117, \"expected\": 1, \"actual\": 0}]}}\n"
        );
    }
}
