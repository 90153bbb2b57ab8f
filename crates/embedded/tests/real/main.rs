//! Real clusters on this machine, one test at a time.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod cluster;
mod place;
mod snapshots;
mod trace;
