//! Lengths of time, as people write them in files and on the command line.

use alloc::{
    format,
    string::{String, ToString},
};
use core::{fmt, str::FromStr};

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A length of time in whole seconds, minutes, hours or days. It is written as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    count: u32,
    unit: char,
}

const HINT: &str = "a whole number and s, m, h or d, for example 90s or 10m";

impl Period {
    pub(super) const fn of_seconds(count: u32) -> Self {
        Self { count, unit: 's' }
    }

    pub(super) const fn minutes(count: u32) -> Self {
        Self { count, unit: 'm' }
    }

    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        let unit = match self.unit {
            'd' => 86_400,
            'h' => 3600,
            'm' => 60,
            _ => 1,
        };
        u64::from(self.count) * unit
    }

    /// To reckon with.
    #[must_use]
    pub fn duration(self) -> SignedDuration {
        // A count has 32 bits.
        SignedDuration::from_secs(i64::try_from(self.seconds()).unwrap_or(i64::MAX))
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("`{text}` is not a length of time: {why}\n{HINT}"));
        if text.starts_with('-') {
            return refused("it is negative");
        }
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = match &text[digits.len()..] {
            "s" => 's',
            "m" => 'm',
            "h" => 'h',
            "d" => 'd',
            "" => return refused("it has no unit"),
            unit => return refused(&format!("`{}` is not a unit", unit.trim())),
        };
        match digits.parse::<u32>() {
            Ok(0) => refused("it is zero"),
            Ok(count) if count <= 100_000 => Ok(Self { count, unit }),
            Ok(_) => refused("it is too long"),
            Err(_) => refused("it does not begin with a whole number"),
        }
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[1-9][0-9]*[smhd]$",
            "examples": ["90s", "10m"],
        })
    }
}
