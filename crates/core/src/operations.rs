//! One planner an operation: facts in, plan out.

pub mod deploy;
