//! One planner an operation: facts in, plan out.

pub mod attach;
pub mod copy;
pub mod data;
mod database;
pub mod deploy;
pub mod opening;
pub mod refusal;
pub mod restore;
pub mod snapshot;
mod suspension;
mod volume_replacement;
pub mod wipe;

#[cfg(test)]
mod tests;
