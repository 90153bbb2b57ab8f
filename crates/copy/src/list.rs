//! Lists a directory, twice the same way: what is where, and by what a change of it is noticed.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::entry::{Change, Entry, How, Kind, Mode, Target};
use crate::error::Failed;
use crate::path::RelativePath;

/// An entry, and what is compared to notice a change of its content.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) entry: Entry,
    /// Inode and time of status change, which no program can set back.
    stamp: (u64, i64, i64),
}

/// The directory that `mkfs` makes at the top of a volume. Only `fsck` puts something there, and only root may
/// look into it.
const LOST_AND_FOUND: &str = "lost+found";

/// Whether a path is that directory, or in it.
pub(crate) fn is_of_file_system(path: &RelativePath) -> bool {
    path.as_path().starts_with(LOST_AND_FOUND)
}

/// All that is below `top`, sorted by path. What goes while it is listed is left out.
pub(crate) fn list(top: &Path) -> Result<Vec<Listed>, Failed> {
    let mut found = Vec::new();
    let mut open: Vec<Option<RelativePath>> = vec![None];
    while let Some(directory) = open.pop() {
        let here = directory
            .as_ref()
            .map_or_else(|| top.to_owned(), |below| top.join(below.as_path()));
        let failed = |error| Failed::new("list", &here, error);
        let names = match fs::read_dir(&here) {
            Ok(names) => names,
            Err(error) if directory.is_some() && error.kind() == ErrorKind::NotFound => continue,
            Err(error)
                if error.kind() == ErrorKind::PermissionDenied
                    && here == top.join(LOST_AND_FOUND) =>
            {
                continue;
            }
            Err(error) => return Err(failed(error)),
        };
        for name in names {
            let name = name.map_err(failed)?.file_name();
            let path = RelativePath::child(directory.as_ref(), &name)
                .map_err(|error| failed(std::io::Error::other(error)))?;
            let full = top.join(path.as_path());
            let listed = match look(&full, path) {
                Ok(listed) => listed,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(Failed::new("look at", &full, error)),
            };
            if listed.entry.kind == Kind::Directory {
                open.push(Some(listed.entry.path.clone()));
            }
            found.push(listed);
        }
    }
    found.sort_unstable_by(|one, other| one.entry.path.cmp(&other.entry.path));
    Ok(found)
}

fn look(full: &Path, path: RelativePath) -> std::io::Result<Listed> {
    let metadata = fs::symlink_metadata(full)?;
    let kind = if metadata.is_dir() {
        Kind::Directory
    } else if metadata.is_file() {
        let size = metadata.len();
        Kind::File { size }
    } else if metadata.is_symlink() {
        let target = fs::read_link(full)?.into_os_string().into_vec();
        let target = Target(target);
        Kind::Symlink { target }
    } else {
        Kind::Special
    };
    Ok(Listed {
        entry: Entry {
            path,
            kind,
            mode: Mode::of(metadata.mode()),
            modified: modified(&metadata),
        },
        stamp: (metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
    })
}

fn modified(metadata: &Metadata) -> (i64, u32) {
    let nanoseconds = u32::try_from(metadata.mtime_nsec()).unwrap_or_default();
    (metadata.mtime(), nanoseconds)
}

/// What is not the same in two lists of one directory, sorted by path. A directory whose list of names was touched
/// is no change: what came or went is one.
pub(crate) fn changes(before: &[Listed], after: &[Listed]) -> Vec<Change> {
    let mut old: BTreeMap<_, _> = before
        .iter()
        .map(|listed| (&listed.entry.path, listed))
        .collect();
    let mut changes = Vec::new();
    let mut note = |path: &RelativePath, how| {
        let path = path.clone();
        changes.push(Change { path, how });
    };
    for new in after {
        match old.remove(&new.entry.path) {
            None => note(&new.entry.path, How::New),
            Some(old) if !same(old, new) => note(&new.entry.path, How::Changed),
            Some(_) => {}
        }
    }
    for path in old.keys() {
        note(path, How::Gone);
    }
    changes.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    changes
}

fn same(old: &Listed, new: &Listed) -> bool {
    let (one, other) = (&old.entry, &new.entry);
    let kind = one.kind == other.kind && one.mode == other.mode;
    kind && (one.kind == Kind::Directory || old.stamp == new.stamp)
}
