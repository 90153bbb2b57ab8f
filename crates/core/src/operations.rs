//! One planner an operation: facts in, plan out.

pub mod data;
pub mod deploy;
pub mod snapshot;
