//! What a copy promises, and what it does when the stream, the disk, the sender or the directory does not.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod broken;
mod comparison;
mod examination;
mod live;
mod refused;
mod round_trip;
mod tree;
