//! Amounts of processor and memory, in the units of Kubernetes, and always with a unit: `2` bytes of
//! memory and `100` processors are what a forgotten one asks for.

use alloc::{
    format,
    string::{String, ToString},
};
use core::{cmp::Ordering, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Memory or storage in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size {
    count: u64,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Ki = 10,
    Mi = 20,
    Gi = 30,
    Ti = 40,
}

/// Processor time in thousandths of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cpu {
    millis: u32,
}

const SIZE_HINT: &str =
    "a whole number and Ki, Mi, Gi or Ti (1,024 at a time), for example 512Mi or 2Gi";
const CPU_HINT: &str =
    "thousandths of a processor and m, for example 250m, or whole processors, for example 2";

impl Size {
    pub(super) const fn mebibytes(count: u64) -> Self {
        Self {
            count,
            unit: Unit::Mi,
        }
    }

    pub(super) const fn gibibytes(count: u64) -> Self {
        Self {
            count,
            unit: Unit::Gi,
        }
    }

    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.count << self.unit as u32
    }

    /// As Restate writes it: `256MiB`.
    #[must_use]
    pub fn spelled_out(self) -> String {
        format!("{self}B")
    }
}

impl PartialOrd for Size {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.bytes().cmp(&other.bytes()))
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let refused = |why: &str| Err(format!("`{text}` is not a size: {why}\n{SIZE_HINT}"));
        if text.starts_with('-') {
            return refused("it is negative");
        }
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = match &text[digits.len()..] {
            "Ki" => Unit::Ki,
            "Mi" => Unit::Mi,
            "Gi" => Unit::Gi,
            "Ti" => Unit::Ti,
            "" => return refused("it has no unit"),
            unit => return refused(&format!("`{}` is not a unit", unit.trim())),
        };
        match digits.parse::<u64>() {
            Ok(0) => refused("it is zero"),
            // Kubernetes keeps quantities in 63 bits.
            Ok(count) if count.leading_zeros() > unit as u32 => Ok(Self { count, unit }),
            Ok(_) => refused("it is too large"),
            Err(_) => refused("it does not begin with a whole number"),
        }
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.count, self.unit)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[1-9][0-9]*(Ki|Mi|Gi|Ti)$",
            "examples": ["512Mi", "2Gi"],
        })
    }
}

impl Cpu {
    pub(super) const fn millis(millis: u32) -> Self {
        Self { millis }
    }
}

impl TryFrom<String> for Cpu {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let refused = |why: &str| {
            Err(format!(
                "`{text}` is not an amount of processor: {why}\n{CPU_HINT}"
            ))
        };
        if text.starts_with('-') {
            return refused("it is negative");
        }
        let (digits, factor) = match text.strip_suffix('m') {
            Some(digits) => (digits, 1),
            None => (text.as_str(), 1000),
        };
        match digits.parse::<u32>().map(|count| count.checked_mul(factor)) {
            Ok(Some(0)) => refused("it is zero"),
            Ok(Some(millis)) => Ok(Self { millis }),
            Ok(None) => refused("it is too large"),
            Err(_) => refused("it is neither a whole number nor one with an m"),
        }
    }
}

impl From<Cpu> for String {
    fn from(cpu: Cpu) -> Self {
        cpu.to_string()
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.millis.is_multiple_of(1000) {
            write!(f, "{}", self.millis / 1000)
        } else {
            write!(f, "{}m", self.millis)
        }
    }
}

impl JsonSchema for Cpu {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Cpu".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "pattern": "^[1-9][0-9]*m?$",
            "minimum": 1,
            "examples": ["250m", 2],
        })
    }
}
