//! What is wrong in an input file, and where: the edge draws the picture.

use alloc::string::String;

use serde::Serialize;

/// A refusal of an input file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct InputError {
    /// The path, as it was given.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right: the allowed values, or what was probably meant.
    pub hint: Option<String>,
}
