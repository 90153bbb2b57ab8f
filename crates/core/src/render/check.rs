//! Whether what is committed is what would be applied.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::Serialize;
use similar::TextDiff;

use super::Rendered;

/// A file that is not as it would be rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "difference")]
pub enum Difference {
    /// It is there, with another content.
    Changed {
        /// Relative to the project's root.
        path: String,
        /// From what is committed to what would be rendered, as a unified diff.
        diff: String,
    },
    /// It would be rendered, and is not there.
    Missing {
        /// Relative to the project's root.
        path: String,
    },
    /// It is there, and would not be rendered.
    Surplus {
        /// Relative to the project's root.
        path: String,
    },
}

impl Difference {
    /// Relative to the project's root.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Changed { path, .. } | Self::Missing { path } | Self::Surplus { path } => path,
        }
    }
}

/// What differs between rendered files and the committed ones of the same folder. `committed` has every
/// file below it, by path relative to the project's root.
#[must_use]
pub fn check(
    folder: &str,
    rendered: &[Rendered],
    committed: &BTreeMap<String, String>,
) -> Vec<Difference> {
    let rendered: BTreeMap<String, &str> = rendered
        .iter()
        .map(|file| (format!("{folder}/{}", file.path), file.text.as_str()))
        .collect();
    let prefix = format!("{folder}/");
    let surplus = committed
        .keys()
        .filter(|path| path.starts_with(&prefix) && !rendered.contains_key(*path))
        .map(|path| Difference::Surplus { path: path.clone() });
    let mut differences: Vec<Difference> = rendered
        .iter()
        .filter_map(|(path, text)| match committed.get(path) {
            None => Some(Difference::Missing { path: path.clone() }),
            Some(before) if before == text => None,
            Some(before) => {
                let diff = TextDiff::from_lines(before.as_str(), *text)
                    .unified_diff()
                    .header(
                        &format!("{path} (committed)"),
                        &format!("{path} (rendered)"),
                    )
                    .to_string();
                Some(Difference::Changed {
                    path: path.clone(),
                    diff,
                })
            }
        })
        .chain(surplus)
        .collect();
    differences.sort_by(|a, b| a.path().cmp(b.path()));
    differences
}

/// What is committed below a folder and in none of the folders that are rendered: it belonged to an
/// environment or a cluster that is not there any more.
#[must_use]
pub fn strays(
    below: &str,
    rendered: &[&str],
    committed: &BTreeMap<String, String>,
) -> Vec<Difference> {
    let within = |path: &str, folder: &str| {
        path.strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    committed
        .keys()
        .filter(|path| within(path, below) && !rendered.iter().any(|folder| within(path, folder)))
        .map(|path| Difference::Surplus { path: path.clone() })
        .collect()
}
