//! In which way a program that was run is wrong: what tells one failure from another.

use core::fmt;
use serde::Serialize;

/// What a run that did not verify suffers from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Symptom {
    /// A counter holds more than the program adds up to: something ran twice.
    Doubled,
    /// Invocations do not end: they wait for each other, or for something that does not come.
    Stuck,
    /// Everything has ended, and a counter holds less than the program adds up to.
    Lost,
    /// Restate or the service does not answer, answers with an error of its own, or ended by itself.
    Down,
}

impl Symptom {
    /// Tells it from what a test that failed says at last: the code of its result, and what
    /// [`Symptom::of`] takes.
    #[must_use]
    pub fn told(code: &str, counters: impl IntoIterator<Item = (u64, u64)>, open: u64) -> Self {
        match code {
            "internal" => Self::of(counters, open).unwrap_or(Self::Down),
            "deadline_exceeded" => Self::Stuck,
            _ => Self::Down,
        }
    }

    /// Whether it is that of one program, whatever else runs on the same node.
    #[must_use]
    pub fn is_of_one_program(self) -> bool {
        self != Self::Down
    }

    /// Tells the symptom from the counters, each as expected and actual value, and the number of
    /// invocations that are open when nothing moves any more. None where nothing is wrong.
    ///
    /// What is too much stays too much, whatever is still open; what is too little may only be late.
    #[must_use]
    pub fn of(counters: impl IntoIterator<Item = (u64, u64)>, open: u64) -> Option<Self> {
        let (mut more, mut less) = (false, false);
        for (expected, actual) in counters {
            more |= actual > expected;
            less |= actual < expected;
        }
        match (more, open, less) {
            (true, _, _) => Some(Self::Doubled),
            (_, 1.., _) => Some(Self::Stuck),
            (_, 0, true) => Some(Self::Lost),
            (_, 0, false) => None,
        }
    }
}

impl fmt::Display for Symptom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Doubled => "increments were doubled",
            Self::Stuck => "invocations do not end",
            Self::Lost => "increments were lost",
            Self::Down => "Restate or the service does not do its work",
        })
    }
}
