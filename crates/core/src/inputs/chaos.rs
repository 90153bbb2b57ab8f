//! Which faults are injected into an environment, and when.

use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Cpu, ImageName, Period, Size, text::Literal as _};
use crate::faults::{self, FAULTS, Fault};

/// The faults that are injected into the environment, each once an hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Chaos {
    /// Which ones, in the order in which they happen. That there are any is what makes an environment one for
    /// faults: its namespace then has a label that says so.
    pub faults: Vec<FaultName>,
    /// How far their minutes are apart at least, in whole minutes.
    pub spacing: Period,
    /// How long a fault stays that has to be taken back.
    pub hold: Period,
    /// The image of the program that injects them.
    pub image: ImageName,
    /// Reserved processor time.
    pub cpu: Cpu,
    /// Reserved memory.
    pub memory: Size,
    /// Memory beyond which it is killed.
    pub memory_limit: Size,
}

/// The name of a fault that there is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FaultName(&'static Fault);

impl FaultName {
    /// The fault.
    #[must_use]
    pub fn fault(self) -> &'static Fault {
        self.0
    }
}

impl PartialEq for FaultName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl fmt::Display for FaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl TryFrom<String> for FaultName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        faults::find(&name)
            .map(Self)
            .map_err(|hint| format!("unknown fault `{name}`\n{hint}"))
    }
}

impl From<FaultName> for String {
    fn from(name: FaultName) -> Self {
        name.0.name.to_string()
    }
}

impl JsonSchema for FaultName {
    fn schema_name() -> Cow<'static, str> {
        "Fault".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let faults: Vec<_> = FAULTS
            .iter()
            .map(|fault| json!({"const": fault.name, "description": fault.does}))
            .collect();
        json_schema!({"description": "A fault.", "oneOf": faults})
    }
}

impl Chaos {
    /// Whether any fault is asked for.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.faults.is_empty()
    }

    /// Each fault with its minute of the hour.
    #[must_use]
    pub fn rotation(&self) -> Vec<(&'static Fault, u32)> {
        let count = u32::try_from(self.faults.len()).unwrap_or(u32::MAX);
        // An environment whose faults do not fit is not read.
        let minutes = faults::minutes(count, self.spacing_minutes()).unwrap_or_default();
        let faults = self.faults.iter().map(|name| name.fault());
        faults.zip(minutes).collect()
    }

    fn spacing_minutes(&self) -> u32 {
        u32::try_from(self.spacing.seconds() / 60).unwrap_or(u32::MAX)
    }

    /// What is wrong with it as a whole: under which key, what, and what would be right.
    pub(super) fn check(&self) -> Result<(), (&'static str, String, String)> {
        for (index, name) in self.faults.iter().enumerate() {
            if self.faults[..index].contains(name) {
                return Err((
                    "faults",
                    format!("chaos: {name} appears twice"),
                    "each fault happens once an hour: keep one of them".to_string(),
                ));
            }
        }
        let seconds = self.spacing.seconds();
        if !seconds.is_multiple_of(60) {
            return Err((
                "spacing",
                format!("chaos: {} are not whole minutes", self.spacing),
                "faults begin at minutes of the hour, for example 7m".to_string(),
            ));
        }
        let count = u32::try_from(self.faults.len()).unwrap_or(u32::MAX);
        faults::minutes(count, self.spacing_minutes()).map_err(|overlap| {
            (
                "faults",
                format!("chaos: {overlap}"),
                format!(
                    "keep {} faults at most, or lower `spacing` to {}m",
                    overlap.fit(),
                    overlap.room()
                ),
            )
        })?;
        let hold = self.hold.seconds();
        for name in &self.faults {
            let budget = name.fault().budget(hold);
            if budget > seconds {
                return Err((
                    "spacing",
                    format!(
                        "chaos: {name} can take {budget} s until its target is healthy again, and the next fault begins after {}: the two would overlap",
                        self.spacing
                    ),
                    format!(
                        "raise `spacing` to {}m or more, or shorten `hold`",
                        budget.div_ceil(60)
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl Default for Chaos {
    fn default() -> Self {
        Self {
            faults: Vec::new(),
            spacing: Period::minutes(7),
            hold: Period::of_seconds(30),
            image: ImageName::of("faults:0.1.0"),
            cpu: Cpu::millis(10),
            memory: Size::mebibytes(16),
            memory_limit: Size::mebibytes(64),
        }
    }
}
