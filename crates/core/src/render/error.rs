//! Why something cannot be rendered, and where the mistake is: in a template, in what it makes, or in an
//! object.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use handlebars::{RenderErrorReason, TemplateErrorReason};
use serde::Serialize;
use serde_json::Value;

use super::TEMPLATES;
use crate::nearest;

/// A refusal to render.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderError {
    /// The template's path, or that of an extra manifest.
    pub file: String,
    /// Where the mistake is.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// Where a mistake is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// In the file itself. Both from 1.
    File {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// In what the template made.
    Output {
        /// From 1, of the output.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// The whole line.
        text: String,
    },
    /// In an object.
    Object {
        /// `apps/v1 StatefulSet restate`, …
        object: String,
        /// `.spec.template`, …; empty for the whole.
        field: String,
    },
}

impl core::error::Error for RenderError {}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, message, .. } = self;
        match &self.place {
            Place::File { line, column } => write!(f, "{file}:{line}:{column}: {message}"),
            Place::Output { line, column, text } => {
                write!(
                    f,
                    "{file}: what it makes is not YAML at {line}:{column}, `{}`: {message}",
                    text.trim()
                )
            }
            Place::Object { object, field } if field.is_empty() => {
                write!(f, "{file}: {object}: {message}")
            }
            Place::Object { object, field } => write!(f, "{file}: {object}: {field}: {message}"),
        }
    }
}

impl RenderError {
    pub(super) fn object(file: &str, object: &Value, field: &str, message: String) -> Self {
        Self {
            file: file.to_string(),
            place: Place::Object {
                object: super::title(object),
                field: field.to_string(),
            },
            message,
            hint: None,
        }
    }

    /// A template that cannot be parsed.
    pub(super) fn template(file: &str, text: &str, error: &handlebars::TemplateError) -> Self {
        let (line, column) = error.pos().unwrap_or((1, 1));
        let (message, hint) = match error.reason() {
            TemplateErrorReason::MismatchingClosedHelper(open, close)
            | TemplateErrorReason::MismatchingClosedDecorator(open, close) => (
                format!("`{{{{#{open}}}}}` is open and `{{{{/{close}}}}}` closes"),
                Some(format!("close it with `{{{{/{open}}}}}`")),
            ),
            TemplateErrorReason::InvalidSyntax(_) => match unclosed(text) {
                Some((block, line)) => {
                    let hint = format!("close it with `{{{{/{block}}}}}`");
                    let message = format!("`{{{{#{block}}}}}` of line {line} is never closed");
                    return Self {
                        file: file.to_string(),
                        place: Place::File { line, column: 1 },
                        message,
                        hint: Some(hint),
                    };
                }
                None => ("invalid handlebars syntax".to_string(), None),
            },
            other => (other.to_string(), None),
        };
        let place = Place::File { line, column };
        Self {
            file: file.to_string(),
            place,
            message,
            hint,
        }
    }

    /// A template, or what it includes, that cannot be filled in from `values`.
    pub(super) fn filling(file: &str, values: &Value, error: &handlebars::RenderError) -> Self {
        let (message, hint) = match error.reason() {
            RenderErrorReason::MissingVariable(Some(path)) => {
                (format!("unknown value `{path}`"), known(values, path))
            }
            RenderErrorReason::MissingVariable(None) => ("unknown value".to_string(), None),
            RenderErrorReason::HelperNotFound(name) => (
                format!("unknown helper `{name}`"),
                Some(
                    "helpers: `quote`; of handlebars: if, unless, each, with, eq, and, or, not"
                        .to_string(),
                ),
            ),
            RenderErrorReason::PartialNotFound(name) => (
                format!("unknown partial `{name}`"),
                Some(format!("it would be in {TEMPLATES}/_{name}.hbs")),
            ),
            RenderErrorReason::InvalidParamType(expected) => {
                (format!("{expected} is expected here"), None)
            }
            RenderErrorReason::ParamNotFoundForIndex(name, index) => (
                format!("value {} of `{name}` is not there", index + 1),
                None,
            ),
            other => (other.to_string(), None),
        };
        Self {
            file: file.to_string(),
            place: Place::File {
                line: error.line_no.unwrap_or(1),
                column: error.column_no.unwrap_or(1),
            },
            message,
            hint,
        }
    }
}

/// What there is instead of the first part of the path that is not there.
fn known(values: &Value, path: &str) -> Option<String> {
    let mut here = values;
    for part in path.split(['.', '/']) {
        let object = here.as_object()?;
        match object.get(part) {
            Some(value) => here = value,
            None => return Some(nearest::among(part, object.keys().map(String::as_str))),
        }
    }
    None
}

/// The first block that is opened and not closed by the end, and its line. The parser reports the end of
/// the file, which is no help.
fn unclosed(text: &str) -> Option<(String, usize)> {
    let mut open: Vec<(&str, usize)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for tag in line.split("{{").skip(1) {
            let tag = tag
                .split("}}")
                .next()
                .unwrap_or(tag)
                .trim_matches(['~', ' ']);
            if let Some(name) = tag.strip_prefix('#') {
                open.push((
                    name.split_ascii_whitespace().next().unwrap_or(name),
                    index + 1,
                ));
            } else if tag.starts_with('/') {
                open.pop();
            }
        }
    }
    open.first()
        .map(|(name, line)| ((*name).to_string(), *line))
}
