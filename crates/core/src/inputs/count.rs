//! How many of something there are: at least one.

use alloc::{borrow::Cow, format, string::String};
use core::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A whole number from 1 to 100,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Count(u32);

/// The most invocations that a program of a test can have, and far more than there is of anything else.
const MOST: u32 = 100_000;
pub(super) const HINT: &str = "a whole number from 1 to 100,000";

impl Count {
    /// A count that is known to be in range: for defaults, which are checked when they are compiled.
    pub(super) const fn of(count: u32) -> Self {
        assert!(0 < count && count <= MOST, "a default is in range");
        Self(count)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Count {
    type Error = String;

    fn try_from(count: i64) -> Result<Self, Self::Error> {
        match u32::try_from(count) {
            Ok(count) if (1..=MOST).contains(&count) => Ok(Self(count)),
            Ok(0) => Err(format!("0 is too few\n{HINT}")),
            _ => Err(format!("{count} is out of range\n{HINT}")),
        }
    }
}

impl From<Count> for i64 {
    fn from(count: Count) -> Self {
        Self::from(count.0)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl JsonSchema for Count {
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 1, "maximum": MOST})
    }
}
