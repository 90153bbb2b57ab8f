//! The one error of the command line: what happened, how to go on, and the exit code that says which
//! kind of end it was.

use std::{fmt::Display, process::ExitCode};

use serde::Serialize;

/// How a command ends; the number is its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// It was done, or there was nothing to do.
    Done = 0,
    /// There are differences (`diff`, `render --check`).
    Differences = 1,
    /// It was refused, or asked for wrongly; nothing was changed.
    Refused = 2,
    /// It failed half-way; the message says in what state.
    HalfWay = 3,
}

impl From<ExitStatus> for ExitCode {
    fn from(end: ExitStatus) -> Self {
        Self::from(end as u8)
    }
}

impl ExitStatus {
    /// What kind of error a document says it was.
    fn kind(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Differences => "differences",
            Self::Refused => "refused",
            Self::HalfWay => "halfWay",
        }
    }
}

/// An error as the document that is printed in place of a result.
#[derive(Serialize)]
pub(crate) struct Document<'a> {
    error: Fields<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    kind: &'static str,
    message: &'a str,
    hints: &'a [String],
    exit_code: u8,
}

/// Why a command ended before it was done.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) end: ExitStatus,
    pub(crate) message: String,
    pub(crate) hints: Vec<String>,
}

impl Failure {
    /// Nothing was changed.
    pub(crate) fn refused(message: impl Display) -> Self {
        Self {
            end: ExitStatus::Refused,
            message: message.to_string(),
            hints: Vec::new(),
        }
    }

    /// Something was changed and not all of it.
    pub(crate) fn half_way(message: impl Display) -> Self {
        Self {
            end: ExitStatus::HalfWay,
            message: message.to_string(),
            hints: Vec::new(),
        }
    }

    /// Says what was done before the rest was refused.
    pub(crate) fn after(mut self, done: &str) -> Self {
        self.end = ExitStatus::HalfWay;
        self.message = format!("{}\n{done}", self.message);
        self
    }

    pub(crate) fn document(&self) -> Document<'_> {
        Document {
            error: Fields {
                kind: self.end.kind(),
                message: &self.message,
                hints: &self.hints,
                exit_code: self.end as u8,
            },
        }
    }

    /// Adds a way to go on.
    pub(crate) fn hint(mut self, hint: impl Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    /// An error with its causes in one line each, as `thiserror` chains them.
    pub(crate) fn chain(error: &dyn std::error::Error) -> String {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        text
    }
}

/// Errors of the crates below that mean that nothing was changed.
macro_rules! refusals {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::refused(Self::chain(&error))
            }
        })*
    };
}

refusals!(
    longrun_core::approval::Refused,
    longrun_core::journal::NotTaken,
    longrun_core::operations::deploy::Problems,
    longrun_core::operations::refusal::Refusals,
    longrun_core::triage::NoTest,
    longrun_core::triage::NotResolved,
);
