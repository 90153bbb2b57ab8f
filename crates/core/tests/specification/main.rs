//! What inputs, rendering and the network policies promise, as seen from outside the crate.

mod doors;
mod inputs;
mod network;
mod pods;
mod project;
mod rendering;
