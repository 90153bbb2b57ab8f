//! What inputs, rendering and the network policies promise, as seen from outside the crate.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chaos;
mod committed;
mod inputs;
mod names;
mod network;
mod pods;
mod policies;
mod project;
mod recorder;
mod rendering;
