//! The JSON Schemas of the input files, so that editors complete and check them.

use alloc::{string::String, vec, vec::Vec};

use schemars::schema_for;
use serde_json::json;

use super::{Cluster, Environment};

/// A JSON Schema, and where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Relative to the project's root.
    pub path: &'static str,
    /// With a line break at the end.
    pub text: String,
}

/// The schemas of all input files.
#[must_use]
pub fn schemas() -> Vec<Schema> {
    // A JSON value always has a text.
    let text = |schema| serde_json::to_string_pretty(&json!(schema)).unwrap_or_default() + "\n";
    vec![
        Schema {
            path: "schemas/cluster.json",
            text: text(schema_for!(Cluster)),
        },
        Schema {
            path: "schemas/environment.json",
            text: text(schema_for!(Environment)),
        },
    ]
}
