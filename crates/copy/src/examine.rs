//! Whether a directory holds a database of Restate at all. A snapshot can be ready and empty.

use std::fs;
use std::path::Path;

use crate::compare::is_marker;
use crate::entry::Kind;
use crate::error::Failed;
use crate::list::{Listed, is_of_file_system, list};
use crate::path::RelativePath;

/// What a directory that holds a database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The marker of the node's directory (Restate 1.7: `<base>/<node>/.cluster-marker`).
    pub marker: RelativePath,
    /// Files beside the marker, or below.
    pub files: usize,
    /// Bytes of them, holes included.
    pub bytes: u64,
}

/// Why a directory holds no database.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// Nothing at all.
    #[error("it is empty: there is no database in it")]
    Empty,
    /// Something, and no node's directory.
    #[error(
        "it has {files} files and no marker of Restate (<node>/.cluster-marker): it is no database, or not all of one"
    )]
    NoMarker {
        /// How many files.
        files: usize,
    },
    /// The marker is not what Restate writes.
    #[error("{marker} is no JSON object, and what is beside it cannot be trusted")]
    Unreadable {
        /// Where.
        marker: RelativePath,
        /// Why.
        source: serde_json::Error,
    },
    /// The marker, and nothing of what it marks.
    #[error("{0} has no file beside it: the node's directory is empty")]
    Alone(RelativePath),
    /// It cannot be read: then nothing is known.
    #[error(transparent)]
    Failed(#[from] Failed),
}

/// Looks for a cluster marker and files beside it: in `directory`, or anywhere below. `lost+found` belongs to the file
/// system.
///
/// # Errors
/// [`Flaw`], when there is no database, or it is not known.
pub fn examine(directory: &Path) -> Result<Examined, Flaw> {
    let listed = list(directory)?;
    let files: Vec<(&RelativePath, u64, bool)> = listed
        .iter()
        .filter(|listed| !is_of_file_system(&listed.entry.path))
        .filter_map(|Listed { entry, .. }| match entry.kind {
            Kind::File { size } => Some((&entry.path, size, is_marker(entry))),
            _ => None,
        })
        .collect();
    if files.is_empty() {
        return Err(Flaw::Empty);
    }
    // The list is sorted: the first one is the same in every run.
    let Some((marker, _, _)) = files.iter().find(|(_, _, is_marker)| *is_marker) else {
        let files = files.len();
        return Err(Flaw::NoMarker { files });
    };
    let full = directory.join(marker.as_path());
    let content = fs::read(&full).map_err(|error| Failed::new("read", &full, error))?;
    if let Err(source) = serde_json::from_slice::<serde_json::Map<_, _>>(&content) {
        let marker = (*marker).clone();
        return Err(Flaw::Unreadable { marker, source });
    }
    let node = marker.as_path().parent().unwrap_or(Path::new(""));
    let beside = files
        .iter()
        .filter(|(path, _, is_marker)| !is_marker && path.as_path().starts_with(node));
    let (count, bytes) = beside.fold((0, 0), |(count, bytes), (_, size, _)| {
        (count + 1, bytes + size)
    });
    if count == 0 {
        return Err(Flaw::Alone((*marker).clone()));
    }
    Ok(Examined {
        marker: (*marker).clone(),
        files: count,
        bytes,
    })
}
