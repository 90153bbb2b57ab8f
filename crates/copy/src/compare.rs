//! Whether two directories are the same, for whoever is about to delete one: by their lists, and by what Restate
//! writes once into a node's directory.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use crate::entry::{Entry, Kind};
use crate::error::Failed;
use crate::list::{Listed, is_of_file_system, list};
use crate::path::{RelativePath, escape};

/// Says of which cluster and node a directory is (Restate 1.7: `<base>/<node>/.cluster-marker`, JSON).
const MARKER: &str = ".cluster-marker";

/// One thing in which two directories differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub path: RelativePath,
    /// How, for a person.
    pub how: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.path, self.how)
    }
}

/// In what `one` and `other` differ: type, size and mode of everything in them, when the content of files last changed,
/// targets of links, and the content of every cluster marker. Sorted by path. Two that are empty are the same;
/// `lost+found` belongs to the file system.
///
/// # Errors
/// When one of them cannot be read: then nothing is known.
pub fn compare(one: &Path, other: &Path) -> Result<Vec<Difference>, Failed> {
    let (first, second) = (list(one)?, list(other)?);
    let mut pairs: BTreeMap<&RelativePath, [Option<&Entry>; 2]> = BTreeMap::new();
    for (side, listed) in [&first, &second].into_iter().enumerate() {
        let own = |listed: &&Listed| !is_of_file_system(&listed.entry.path);
        for Listed { entry, .. } in listed.iter().filter(own) {
            pairs.entry(&entry.path).or_default()[side] = Some(entry);
        }
    }
    let mut differences = Vec::new();
    for (path, pair) in pairs {
        let how = match pair {
            [Some(a), Some(b)] => {
                let mut how = attributes(a, b);
                if how.is_empty() && is_marker(a) {
                    how = marker(path, one, other)?;
                }
                if how.is_empty() { time(a, b) } else { how }
            }
            [Some(entry), None] => only(entry, one),
            [None, Some(entry)] => only(entry, other),
            [None, None] => continue,
        };
        if !how.is_empty() {
            let path = path.clone();
            differences.push(Difference { path, how });
        }
    }
    Ok(differences)
}

/// Whether there is nothing in a directory but directories; `lost+found` belongs to the file system.
///
/// # Errors
/// When it cannot be read: then nothing is known.
pub fn is_empty(directory: &Path) -> Result<bool, Failed> {
    let listed = list(directory)?;
    Ok(listed
        .iter()
        .map(|listed| &listed.entry)
        .all(|entry| is_of_file_system(&entry.path) || matches!(entry.kind, Kind::Directory)))
}

fn only(entry: &Entry, in_directory: &Path) -> String {
    format!("{} only in {}", entry.kind.word(), in_directory.display())
}

/// In what two entries of one path differ; empty for nothing.
fn attributes(a: &Entry, b: &Entry) -> String {
    let mut how = Vec::new();
    match (&a.kind, &b.kind) {
        (Kind::File { size: a }, Kind::File { size: b }) if a != b => {
            how.push(format!("size {a} and {b}"));
        }
        (Kind::Symlink { target: a }, Kind::Symlink { target: b }) if a != b => {
            how.push(format!("link to {a} and {b}"));
        }
        (a, b) if a.word() != b.word() => how.push(format!("{} and {}", a.word(), b.word())),
        _ => {}
    }
    if a.mode != b.mode {
        how.push(format!("mode {} and {}", a.mode, b.mode));
    }
    how.join(", ")
}

/// A snapshot keeps the time of the last change, and whoever writes into a file without making it longer changes it.
fn time(a: &Entry, b: &Entry) -> String {
    let is_file = matches!(a.kind, Kind::File { .. });
    if is_file && a.modified != b.modified {
        "another time of the last change".to_owned()
    } else {
        String::new()
    }
}

pub(crate) fn is_marker(entry: &Entry) -> bool {
    let named = entry.path.as_path().file_name() == Some(MARKER.as_ref());
    named && matches!(entry.kind, Kind::File { .. })
}

fn marker(path: &RelativePath, one: &Path, other: &Path) -> Result<String, Failed> {
    let read = |directory: &Path| {
        let full = directory.join(path.as_path());
        fs::read(&full).map_err(|error| Failed::new("read", &full, error))
    };
    let (a, b) = (read(one)?, read(other)?);
    if a == b {
        return Ok(String::new());
    }
    Ok(format!("content `{}` and `{}`", escape(&a), escape(&b)))
}
