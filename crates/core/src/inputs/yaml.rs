//! The one module that knows which library reads YAML, and what its errors mean to a person.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt;

use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_yaml::{Error, Location, Spanned};

use super::{InputError, Name, count};
use crate::nearest;

pub(super) fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, InputError> {
    serde_yaml::from_str_with_options(text, options()).map_err(|error| {
        let location = error.location().unwrap_or(Location::UNKNOWN);
        let (message, hint) = explain(&error);
        InputError {
            file: file.to_string(),
            line: to_index(location.line()),
            column: to_index(location.column()),
            message,
            hint,
        }
    })
}

/// Refuses a file that is not named after what it holds: two names for one thing are one too many.
pub(super) fn named_like_file(file: &str, text: &str, name: &Name) -> Result<(), InputError> {
    let stem = file.rsplit_once('/').map_or(file, |(_, file)| file);
    let stem = stem.strip_suffix(".yaml").unwrap_or(stem);
    if stem == name.as_str() {
        return Ok(());
    }
    let (line, column) = locate(text, &["name"]);
    Err(InputError {
        file: file.to_string(),
        line,
        column,
        message: format!("the file is `{stem}.yaml`, its `name` is `{name}`"),
        hint: Some(format!(
            "write `name: {stem}`, or rename the file to {name}.yaml"
        )),
    })
}

/// Line and column of the value at a path of keys; of the deepest part of the path that is there.
pub(super) fn locate(text: &str, path: &[&str]) -> (usize, usize) {
    let start = (1, 1);
    serde_yaml::with_deserializer_from_str_with_options(text, options(), |deserializer| {
        Place { path, start }.deserialize(deserializer)
    })
    .unwrap_or(start)
}

fn options() -> serde_yaml::Options {
    // `0o17` and `017` are the same to kubectl; and errors are drawn at the edge.
    serde_yaml::options! { legacy_octal_numbers: true, with_snippet: false }
}

fn explain(error: &Error) -> (String, Option<String>) {
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => (
            format!("unknown key `{field}`"),
            Some(nearest::among(field, expected.iter().copied())),
        ),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => (
            format!("unknown value `{variant}`"),
            Some(nearest::among(variant, expected.iter().copied())),
        ),
        Error::SerdeMissingField { field, .. } => (format!("`{field}` is missing"), None),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("?");
            (
                format!("the key `{key}` appears twice"),
                Some("keep one of them".to_string()),
            )
        }
        // Our own types say on a second line what would be right.
        Error::Message { msg, .. } => match msg.split_once('\n') {
            Some((message, hint)) => (message.to_string(), Some(hint.to_string())),
            None => (msg.clone(), None),
        },
        Error::Eof { .. } => ("the file is empty".to_string(), None),
        Error::MultipleDocuments { .. } => (
            "a second document begins here".to_string(),
            Some("one file, one environment or cluster: take out the `---`".to_string()),
        ),
        Error::InvalidScalar { ty: "i64", .. } => (
            "a whole number is expected here".to_string(),
            Some(count::HINT.to_string()),
        ),
        Error::InvalidScalar { ty: "boolean", .. } => (
            "this is neither true nor false".to_string(),
            Some("allowed: true, false".to_string()),
        ),
        Error::NullIntoString { .. } => (
            "a text is expected here, not nothing".to_string(),
            Some("write a value, or leave the key out".to_string()),
        ),
        Error::Unexpected {
            expected: "mapping start",
            ..
        } => (
            "keys and values are expected here".to_string(),
            Some("one a line, indented: `key: value`".to_string()),
        ),
        Error::Unexpected {
            expected: "string scalar",
            ..
        } => ("a text is expected here".to_string(), None),
        // The library ends its messages with the place, which stands elsewhere in ours.
        other => {
            let text = other.to_string();
            (
                text.split_once(" at line ")
                    .map_or(text.as_str(), |(message, _)| message)
                    .to_string(),
                None,
            )
        }
    }
}

fn to_index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).max(1)
}

/// Follows a path of keys and answers where its last value begins.
struct Place<'a> {
    path: &'a [&'a str],
    start: (usize, usize),
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = (usize, usize);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.path.is_empty() {
            let spanned: Spanned<IgnoredAny> = serde::Deserialize::deserialize(deserializer)?;
            let at = spanned.referenced;
            return Ok((to_index(at.line()), to_index(at.column())));
        }
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = (usize, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = self.start;
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            if self.path.first() == Some(&key.value.as_str()) {
                let start = (
                    to_index(key.referenced.line()),
                    to_index(key.referenced.column()),
                );
                found = map.next_value_seed(Place {
                    path: &self.path[1..],
                    start,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
