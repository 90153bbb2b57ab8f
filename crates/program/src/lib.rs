//! The test program: what it is, how a seed becomes one, and what it must have done at its end.
//!
//! A program is a tree of commands that Restate runs as invocations of virtual objects. It is
//! determined by a [`ProgramId`] alone, on every machine and in every year: the generator has a
//! version, a random number generator specified here ([`random`]), and neither I/O nor floats.
//!
//! ```
//! use longrun_program::ProgramId;
//!
//! let id: ProgramId = "v1-s300-all-test-28112572".parse()?;
//! let program = id.generate();
//! assert!((150..=600).contains(&program.invocations()));
//! assert!(program.expected().values().all(|&increments| increments > 0));
//! # Ok::<(), longrun_program::InvalidId>(())
//! ```
#![no_std]

extern crate alloc;

mod generate;
mod id;
pub mod kills;
mod outline;
mod path;
pub mod random;
mod shrink;
mod symptom;
mod tree;

pub use generate::{MAX_DELAY_MS, MAX_SLEEP_MS};
pub use id::{InvalidId, ProgramId, Seed, Size, Version};
pub use path::{InvalidPath, Kept, Part, Path};
pub use shrink::Shrink;
pub use symptom::Symptom;
pub use tree::{Command, Lock, Node, Program, Target};
