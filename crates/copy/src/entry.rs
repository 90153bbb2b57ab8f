//! What a directory holds, as the manifest says it.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::path::{RelativePath, escape, unescape};

/// One thing in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it is.
    pub path: RelativePath,
    /// What it is.
    #[serde(flatten)]
    pub kind: Kind,
    /// Its permission bits.
    pub mode: Mode,
    /// When its content last changed: seconds since 1970 and nanoseconds.
    pub modified: (i64, u32),
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Bytes, holes included.
        size: u64,
    },
    /// A symbolic link.
    Symlink {
        /// What it points to, as it is written in it.
        target: Target,
    },
    /// A socket, pipe or device: listed, never copied.
    Special,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::File { .. } => "file",
            Self::Symlink { .. } => "symbolic link",
            Self::Special => "special file",
        }
    }
}

/// What a symbolic link points to: any bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(pub(crate) Vec<u8>);

impl Target {
    pub(crate) fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&escape(&self.0))
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escape(&self.0))
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = unescape(&text).filter(|bytes| !bytes.is_empty() && !bytes.contains(&0));
        bytes
            .map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("a link cannot point to `{text}`")))
    }
}

/// Permission bits, in text as octal digits: `0644`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub(crate) u32);

impl Mode {
    /// Of what `stat` says, which has the type too.
    pub(crate) fn of(mode: u32) -> Self {
        Self(mode & 0o7777)
    }

    /// What a copy gets: whose set-user-id bits are of other users.
    pub(crate) fn permissions(self) -> u32 {
        self.0 & 0o777
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04o}", self.0)
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mode = u32::from_str_radix(&text, 8)
            .ok()
            .filter(|mode| *mode <= 0o7777);
        mode.map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("`{text}` is no mode")))
    }
}

/// What was not the same when the directory was listed again after it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where.
    pub path: RelativePath,
    /// How it differs.
    pub how: How,
}

/// How something changed while it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Written to, replaced, or another mode: the copy may hold some of the old and some of the new.
    Changed,
    /// It is there no more. The copy may or may not have it.
    Gone,
    /// It came after the manifest: the copy does not have it.
    New,
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            How::Changed => "changed",
            How::Gone => "gone",
            How::New => "new",
        };
        write!(out, "{how}: {}", self.path)
    }
}
