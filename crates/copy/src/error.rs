//! Everything that can go wrong with a copy: what happened, in which state things are, how to go on. No message
//! repeats its source.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::path::RelativePath;
use crate::wire::Tag;

/// Something that the operating system did not do.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}", .path.display())]
pub struct Failed {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Failed {
    pub(crate) fn new(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self {
            doing,
            path,
            source,
        }
    }
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was not begun: nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It was begun, and is not done.
    #[error(transparent)]
    Interrupted(#[from] Box<Interrupted>),
}

/// Why nothing is copied to a destination.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A path like `..` or `/`.
    #[error("`{}` does not end with the name of a new directory: name one", .0.display())]
    NoName(PathBuf),
    /// A file, a link or the like.
    #[error("{} is there and no directory: choose another destination, or move it away", .0.display())]
    Occupied(PathBuf),
    /// A directory with something in it.
    #[error(
        "{} is not empty, and a copy overwrites nothing: choose another destination, or move it away",
        .0.display()
    )]
    NotEmpty(PathBuf),
    /// The place of the unfinished copy has something else.
    #[error(
        "{} is there, without the manifest of an unfinished copy beside it: choose another destination, or move it away",
        .0.display()
    )]
    NotOurs(PathBuf),
    /// It is the unfinished copy of another directory.
    #[error(
        "{} is the unfinished copy of {holds}, not of {asked}: choose another destination, finish that copy, or delete it",
        .partial.display()
    )]
    OtherSource {
        /// The unfinished copy.
        partial: PathBuf,
        /// What it is a copy of.
        holds: String,
        /// What was to be copied.
        asked: String,
    },
    /// Somebody else is writing it.
    #[error(
        "another command is writing {} at this moment: wait for it, or choose another destination",
        .0.display()
    )]
    Busy(PathBuf),
    /// The operating system said no.
    #[error("nothing was copied")]
    Failed(#[from] Failed),
}

/// A copy that is not done. Its message tells of the problem and all its causes, before what is there: they are no
/// source of it.
#[derive(Debug, thiserror::Error)]
#[error("{}. {state}. {}", one_line(.problem), .problem.way_on())]
pub struct Interrupted {
    /// What happened.
    pub problem: Problem,
    /// What is there.
    pub state: State,
}

/// What there is of an unfinished copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Where.
    pub partial: PathBuf,
    /// Bytes that are there and bytes in all, with holes; once the manifest is known.
    pub done: Option<(u64, u64)>,
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let partial = self.partial.display();
        match self.done {
            None => write!(out, "{partial} is as it was"),
            Some((done, total)) => {
                write!(out, "{partial} has {} of {}", Bytes(done), Bytes(total))
            }
        }
    }
}

/// What ended a copy early.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Whoever answered is no sender.
    #[error("what answered is not the sender of a copy; it said: {0}")]
    NotACopy(String),
    /// The end frame did not come.
    #[error(
        "the stream ended without the frame that ends a copy: the connection or the sender died"
    )]
    Cut,
    /// The connection failed.
    #[error("the connection to the sender failed")]
    Connection(#[source] io::Error),
    /// A frame's hash is wrong.
    #[error(
        "frame {0} of the stream is not as it was sent: its SHA-256 differs; it was thrown away"
    )]
    Corrupted(u64),
    /// A file's hash is wrong.
    #[error("{0} is not what the sender read: its SHA-256 differs")]
    Hash(RelativePath),
    /// The sender does not keep the rules.
    #[error("what was sent is no copy of a directory")]
    Rejected(#[from] Rejected),
    /// The sender gave up.
    #[error("the sender gave up: {0}")]
    Sender(String),
    /// No space, or no quota.
    #[error("the disk is full")]
    Full(#[source] Failed),
    /// The operating system said no.
    #[error(transparent)]
    Failed(Failed),
}

impl Problem {
    /// What to do next, a sentence.
    fn way_on(&self) -> &'static str {
        match self {
            Self::NotACopy(_) => {
                "See that the pod has this version's program, then run the same command again"
            }
            Self::Cut | Self::Connection(_) | Self::Corrupted(_) => {
                "Run the same command again: it fetches only what is missing"
            }
            Self::Hash(_) => {
                "Run the same command again: it fetches that file anew. If it happens again, suspect the memory or the disk of this machine"
            }
            Self::Rejected(_) => {
                "Do not repeat this before you know what runs in the pod: its program is another version, or not ours"
            }
            Self::Full(_) => {
                "Make room, then run the same command again: it fetches only what is missing"
            }
            Self::Sender(_) | Self::Failed(_) => {
                "Mend that, then run the same command again: it fetches only what is missing"
            }
        }
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        match failed.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(failed),
            _ => Self::Failed(failed),
        }
    }
}

/// How a sender broke the rules.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// A document that is none, or has a path that leaves the destination.
    #[error(transparent)]
    Document(#[from] serde_json::Error),
    /// The list is not sorted, or has something twice.
    #[error("{0} is listed twice or out of order")]
    Order(RelativePath),
    /// Its parent is a symbolic link, a file, or not listed.
    #[error("{0} is in something that is not listed as a directory")]
    Parent(RelativePath),
    /// More than can be kept in memory.
    #[error("it lists more than {0} entries")]
    TooMany(usize),
    /// The sum of all sizes is no number.
    #[error("the files that it lists are larger than any disk")]
    TooLarge,
    /// More bytes than were announced.
    #[error("{0} has more bytes than were listed")]
    TooLong(RelativePath),
    /// Fewer bytes than were announced.
    #[error("{0} has fewer bytes than were listed, and is not named as changed")]
    TooShort(RelativePath),
    /// It goes on where the receiver is not.
    #[error("{0} goes on behind what is here of it")]
    Kept(RelativePath),
    /// A frame where another belongs.
    #[error("a frame of kind {0} is out of place")]
    OutOfPlace(char),
    /// A hole's length is not eight bytes.
    #[error("a hole has no length")]
    Hole,
    /// The numbers at the end are others.
    #[error("its totals are not what came")]
    Totals,
}

impl Rejected {
    pub(crate) fn out_of_place(tag: Tag) -> Self {
        Self::OutOfPlace(char::from(tag.byte()))
    }
}

/// The message of an error with those of its causes, on one line.
#[must_use]
pub fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// A number of bytes for a person.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        match UNITS.iter().find(|(_, bits)| self.0 >> bits > 0) {
            None => write!(out, "{} bytes", self.0),
            Some((unit, bits)) => {
                let tenths = (u128::from(self.0) * 10) >> bits;
                write!(out, "{}.{} {unit}", tenths / 10, tenths % 10)
            }
        }
    }
}
