//! The workload without Kubernetes: a real Restate server, the real programs, as processes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod driver;
mod faults;
mod machine;
mod observer;
mod survival;
