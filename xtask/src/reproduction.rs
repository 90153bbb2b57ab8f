//! A test's program again, on this machine: a real node and the real service as processes, as often as it
//! takes to fail, and then smaller.
//!
//! ```text
//! subject (which program, which Restate) → place, machine → trial → runs until one fails → smaller
//! ```

pub(crate) mod machine;
pub(crate) mod place;
pub(crate) mod report;
pub(crate) mod runs;
pub(crate) mod smaller;
pub(crate) mod subject;
pub(crate) mod trial;
