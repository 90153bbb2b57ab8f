//! Reading back what templates make.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::Value;

use super::{Place, RenderError};

/// The objects of a text with any number of documents, empty ones left out.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Value>, RenderError> {
    // `0o17` and `017` are the same to kubectl.
    let options = serde_yaml::options! { legacy_octal_numbers: true, with_snippet: false };
    let documents: Vec<Value> =
        serde_yaml::from_multiple_with_options(text, options).map_err(|error| {
            let location = error.location().unwrap_or(serde_yaml::Location::UNKNOWN);
            let line = usize::try_from(location.line()).unwrap_or_default();
            let column = usize::try_from(location.column()).unwrap_or_default();
            let text = text
                .lines()
                .nth(line.saturating_sub(1))
                .map_or_else(String::new, ToString::to_string);
            let message = match &error {
                serde_yaml::Error::DuplicateMappingKey { key: Some(key), .. } => {
                    format!("the key `{key}` appears twice")
                }
                // The library ends its messages with the place, which stands elsewhere in ours.
                other => other
                    .to_string()
                    .split(" at line ")
                    .next()
                    .unwrap_or_default()
                    .to_string(),
            };
            RenderError {
                file: file.to_string(),
                place: Place::Output { line, column, text },
                message,
                hint: None,
            }
        })?;
    Ok(documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect())
}
