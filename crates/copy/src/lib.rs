//! A directory as a stream: framed, hashed, resumable. And [`compare`]: whether two are the same; [`examine`]: whether
//! one holds a database.
//!
//! ```text
//! receiver                                        sender
//! Destination ── what is here: path, length, SHA-256 ──▶ send
//!             ◀── manifest, contents, changes, end ──
//! ```
//! - **Every hash is checked, and each file is read once.** A hash in the manifest would mean reading a large
//!   volume twice, so the manifest has path, type, size, mode and time of change, and the SHA-256 of a file
//!   follows its content: of all its bytes, holes as zeros, as `sha256sum` has it. On the way, each frame
//!   carries the SHA-256 of itself, but for bytes of files, and all frames before it, so that nothing is lost,
//!   doubled or swapped.
//! - **Only an end frame is an end.** It has totals; a stream without it is a failure, whatever the connection
//!   says.
//! - **A file that is here in part goes on where it stops**, when the sender finds the same hash for as many of
//!   its own first bytes. A whole file is the part that has all bytes: nothing of it is sent again.
//! - **The sender is not trusted**: paths that leave the destination, parents that are not listed directories
//!   and more bytes than were announced are refused. Symbolic links are made last, with the target they had.
//! - **What moves is reported.** The sender lists the directory again at the end; what is not as it was is named,
//!   and the copy is then not consistent.
//!
//! `Read` and `Write` block: all that is done here, hashing and writing files, blocks too. An asynchronous
//! stream comes through a bridge, on a thread that may block.
//!
//! There are no features: the sending side is what is linked when only [`send`], [`compare`] and [`examine`] are called.

mod compare;
mod destination;
mod entry;
mod error;
mod examine;
mod finish;
mod flush;
mod frame;
mod inventory;
mod list;
mod manifest;
mod pace;
mod path;
mod receive;
mod send;
mod sparse;
mod wire;

pub use compare::{Difference, compare, is_empty};
pub use destination::Destination;
pub use entry::{Change, Entry, How, Kind, Mode};
pub use error::{Error, Failed, Interrupted, Problem, Refusal, Rejected, State, one_line};
pub use examine::{Examined, Flaw, examine};
pub use path::{InvalidPath, RelativePath};
pub use receive::{Copied, Progress};
pub use send::{SendError, Sent, send};
