//! What remembers: every result, and the evidence of every failure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Count, Cpu, ImageName, Period, Size, text::Literal as _};

/// The recorder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Recorder {
    /// The image.
    pub image: ImageName,
    /// The size of its claim. Three quarters of it are for the evidence of failures; when they are full, what
    /// occurred again goes first. A cluster can hold it down.
    pub storage: Size,
    /// How many days results and faults are kept.
    pub keep_days: Count,
    /// What a failed test sets off. Nothing, unless it says so.
    pub on_failure: OnFailure,
    /// Reserved processor time.
    pub cpu: Cpu,
    /// Reserved memory.
    pub memory: Size,
    /// Memory beyond which it is killed.
    pub memory_limit: Size,
}

/// What a failed test sets off, without anybody being asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct OnFailure {
    /// A snapshot of the database, as a power failure would leave it. It stays until it is deleted by name.
    pub snapshot: Option<FailureSnapshots>,
    /// Faults are paused for so long.
    pub pause_chaos: Option<Period>,
}

/// How many snapshots failed tests may set off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct FailureSnapshots {
    /// In any 24 hours.
    pub per_day: Count,
    /// At a time: when there are so many, no other is taken until one is deleted.
    pub kept: Count,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            image: ImageName::of("recorder:0.1.0"),
            storage: Size::gibibytes(1),
            keep_days: Count::of(14),
            on_failure: OnFailure::default(),
            cpu: Cpu::millis(10),
            memory: Size::mebibytes(32),
            memory_limit: Size::mebibytes(128),
        }
    }
}

impl Default for FailureSnapshots {
    fn default() -> Self {
        Self {
            per_day: Count::of(1),
            kept: Count::of(5),
        }
    }
}
