//! What a sender lists, checked before anything of it is believed; and the record of it beside the copy.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::entry::{Change, Entry, Kind};
use crate::error::{Failed, Rejected};
use crate::path::RelativePath;
use crate::wire::{Contents, Hash};

/// What fits into memory. A database has thousands of files.
const MOST: usize = 1_000_000;

/// A list of entries in which every path is below the destination: sorted, each once, and each in a directory that
/// is listed too, so that none goes through a symbolic link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) entries: Vec<Entry>,
    /// Bytes of all files, holes included.
    pub(crate) bytes: u64,
}

impl Manifest {
    pub(crate) fn add(&mut self, entry: Entry) -> Result<(), Rejected> {
        if self.entries.len() == MOST {
            return Err(Rejected::TooMany(MOST));
        }
        if self
            .entries
            .last()
            .is_some_and(|last| last.path >= entry.path)
        {
            return Err(Rejected::Order(entry.path));
        }
        if let Some(parent) = entry.path.parent()
            && self.kind(&parent) != Some(&Kind::Directory)
        {
            return Err(Rejected::Parent(entry.path));
        }
        if let Kind::File { size } = entry.kind {
            // The largest position that an operating system can address.
            let sum = self.bytes.checked_add(size);
            let sum = sum.filter(|sum| i64::try_from(*sum).is_ok());
            self.bytes = sum.ok_or(Rejected::TooLarge)?;
        }
        self.entries.push(entry);
        Ok(())
    }

    /// That nothing of it is missing.
    pub(crate) fn whole(&self, totals: &Contents) -> Result<(), Rejected> {
        if totals.entries == self.entries.len() as u64 && totals.bytes == self.bytes {
            Ok(())
        } else {
            Err(Rejected::Totals)
        }
    }

    /// What is at a path.
    pub(crate) fn kind(&self, path: &RelativePath) -> Option<&Kind> {
        let found = self.entries.binary_search_by(|entry| entry.path.cmp(path));
        found.ok().map(|at| &self.entries[at].kind)
    }

    /// The regular files, with their sizes.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&RelativePath, u64)> {
        self.entries.iter().filter_map(|entry| match entry.kind {
            Kind::File { size } => Some((&entry.path, size)),
            _ => None,
        })
    }

    /// What is never copied.
    pub(crate) fn special(&self) -> Vec<RelativePath> {
        let special = |entry: &&Entry| entry.kind == Kind::Special;
        let special = self.entries.iter().filter(special);
        special.map(|entry| entry.path.clone()).collect()
    }
}

/// What lies beside a copy: of what it is one, and what it has. One JSON document.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What is copied, as the caller names it.
    pub(crate) source: String,
    /// Whether the copy is done.
    pub(crate) complete: bool,
    /// Whether nothing changed while it was made; once that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consistent: Option<bool>,
    /// What changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<Change>,
    /// What there is.
    pub(crate) entries: Vec<Recorded>,
}

/// An entry of the record.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Recorded {
    #[serde(flatten)]
    pub(crate) entry: Entry,
    /// Of a file, once it is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<Hash>,
}

impl Record {
    /// Reads a record; `None` where there is none, or one that is not ours.
    pub(crate) fn read(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the record at `path`, whole or not at all.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Failed> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let beside = Path::new(&name);
        let saved = self.write(beside).and_then(|()| fs::rename(beside, path));
        saved.map_err(|error| {
            // It may be the disk that is full.
            let _ = fs::remove_file(beside);
            Failed::new("write", path, error)
        })
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.into_inner()?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(manifest: &mut Manifest, line: &str) -> Result<(), Rejected> {
        manifest.add(serde_json::from_str(line)?)
    }

    fn entry(path: &str, rest: &str) -> String {
        format!(r#"{{"path": "{path}", {rest}, "mode": "0644", "modified": [0, 0]}}"#)
    }

    const FILE: &str = r#""type": "file", "size": 1"#;
    const DIRECTORY: &str = r#""type": "directory""#;
    const LINK: &str = r#""type": "symlink", "target": "/etc""#;

    /// The reason for which the last of these entries is refused.
    fn refused(entries: &[(&str, &str)]) -> String {
        let mut manifest = Manifest::default();
        let ((path, rest), before) = entries.split_last().unwrap();
        for (path, rest) in before {
            add(&mut manifest, &entry(path, rest)).unwrap();
        }
        add(&mut manifest, &entry(path, rest))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_leaves_the_destination_is_refused() {
        for (entries, reason) in [
            (&[("../a", FILE)][..], "leaves the directory through `..`"),
            (
                &[("a", DIRECTORY), ("a/../../b", FILE)],
                "leaves the directory through `..`",
            ),
            (&[("/etc/passwd", FILE)], "it is absolute"),
            (&[("a\\\\x00", FILE)], "zero byte"),
            (&[("a//b", FILE)], "empty or `.`"),
            (
                &[("link", LINK), ("link/passwd", FILE)],
                "not listed as a directory",
            ),
            (
                &[("file", FILE), ("file/a", FILE)],
                "not listed as a directory",
            ),
            (&[("absent/a", FILE)], "not listed as a directory"),
        ] {
            let said = refused(entries);
            assert!(said.contains(reason), "{entries:?}: {said}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for (entries, reason) in [
            (&[("a", FILE), ("a", FILE)][..], "listed twice"),
            (&[("b", FILE), ("a", FILE)], "out of order"),
            (
                &[("a", r#""type": "file", "size": 18446744073709551615"#)],
                "larger than any disk",
            ),
            (
                &[
                    ("a", r#""type": "file", "size": 9223372036854775807"#),
                    ("b", FILE),
                ],
                "larger than any disk",
            ),
            (&[("a", r#""type": "file", "size": -1"#)], "invalid value"),
            (&[("a", r#""type": "device""#)], "unknown variant"),
            (
                &[("a", r#""type": "symlink", "target": """#)],
                "cannot point to",
            ),
        ] {
            let said = refused(entries);
            assert!(said.contains(reason), "{entries:?}: {said}");
        }
    }
}
