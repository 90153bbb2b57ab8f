//! The workload of the long-running clusters: the services that run test programs, the test that
//! starts and verifies one, and the observer beside the Restate node. And what reads a database where it is mounted:
//! one directory sent, two compared.
//!
//! ```text
//! verification test ──ingress──▶ Restate ──▶ verification serve
//!        │                          │            verifier/<program>       execute, verify, …
//!        └──SQL: what is open──▶    │            interpreter/<target>-<program>   one counter each
//! ```
//! Nothing here writes to disk.

pub mod direct_transfer;
pub mod directory;
pub mod discover;
pub mod duration;
mod error;
pub mod inspect;
pub mod line;
pub mod log;
pub mod observe;
pub mod service;
pub mod signal;
pub mod test;

pub use error::Error;
