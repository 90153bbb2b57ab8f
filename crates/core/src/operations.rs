//! One planner an operation: facts in, plan out.

pub mod attach;
pub mod copy;
pub mod data;
pub mod deploy;
mod exchange;
mod ground;
pub mod refusal;
pub mod restore;
pub mod snapshot;
pub(crate) mod suspension;
pub mod wipe;

#[cfg(test)]
mod tests;
