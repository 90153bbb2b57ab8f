//! What an unfinished copy has: read from the disk, since no record of it can be as right after a crash.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sha2::Sha256;

use crate::entry::Kind;
use crate::error::Failed;
use crate::manifest::Manifest;
use crate::path::RelativePath;
use crate::sparse::Walk;

/// The beginning of a file, or all of it.
pub(crate) struct Part {
    pub(crate) bytes: u64,
    /// Of these bytes; goes on with the next.
    pub(crate) hash: Sha256,
}

/// The directories and files of an unfinished copy.
#[derive(Default)]
pub(crate) struct Inventory {
    directories: BTreeSet<RelativePath>,
    pub(crate) parts: HashMap<RelativePath, Part>,
}

impl Inventory {
    /// Reads all that is there. Links are removed, they are made last; modes are opened, they are set last.
    pub(crate) fn take(top: &Path) -> Result<Self, Failed> {
        let mut inventory = Self::default();
        open(top, 0o700)?;
        inventory.read(top, None)?;
        Ok(inventory)
    }

    fn read(&mut self, top: &Path, directory: Option<&RelativePath>) -> Result<(), Failed> {
        let here = directory.map_or_else(|| top.to_owned(), |below| top.join(below.as_path()));
        let failed = |error| Failed::new("read", &here, error);
        for found in fs::read_dir(&here).map_err(failed)? {
            let found = found.map_err(failed)?;
            let path = RelativePath::child(directory, &found.file_name())
                .map_err(|error| failed(std::io::Error::other(error)))?;
            let full = top.join(path.as_path());
            let kind = found.file_type().map_err(failed)?;
            if kind.is_dir() {
                open(&full, 0o700)?;
                self.directories.insert(path.clone());
                self.read(top, Some(&path))?;
            } else if kind.is_file() {
                open(&full, 0o600)?;
                self.parts.insert(path, part(&full)?);
            } else {
                removed(&full, fs::remove_file(&full))?;
            }
        }
        Ok(())
    }

    /// Removes what a manifest does not list, and makes the directories that it does.
    pub(crate) fn keep_only(&mut self, manifest: &Manifest, top: &Path) -> Result<(), Failed> {
        let file = |path: &RelativePath| matches!(manifest.kind(path), Some(Kind::File { .. }));
        for (path, _) in self.parts.extract_if(|path, _| !file(path)) {
            let full = top.join(path.as_path());
            removed(&full, fs::remove_file(&full))?;
        }
        let directory = |path: &RelativePath| manifest.kind(path) == Some(&Kind::Directory);
        // The other way round: what is in a directory comes after it.
        for path in self
            .directories
            .iter()
            .rev()
            .filter(|path| !directory(path))
        {
            let full = top.join(path.as_path());
            removed(&full, fs::remove_dir(&full))?;
        }
        for entry in &manifest.entries {
            let full = top.join(entry.path.as_path());
            if entry.kind == Kind::Directory && !self.directories.contains(&entry.path) {
                fs::create_dir(&full).map_err(|error| Failed::new("make", &full, error))?;
                open(&full, 0o700)?;
            }
        }
        Ok(())
    }
}

fn open(full: &Path, mode: u32) -> Result<(), Failed> {
    fs::set_permissions(full, Permissions::from_mode(mode))
        .map_err(|error| Failed::new("open", full, error))
}

fn removed(full: &Path, done: std::io::Result<()>) -> Result<(), Failed> {
    done.map_err(|error| Failed::new("remove", full, error))
}

fn part(full: &Path) -> Result<Part, Failed> {
    let failed = |error| Failed::new("read", full, error);
    let file = File::open(full).map_err(failed)?;
    let mut walk = Walk::new(&file);
    while walk.next(u64::MAX).map_err(failed)?.is_some() {}
    Ok(Part {
        bytes: walk.position,
        hash: walk.hash,
    })
}
