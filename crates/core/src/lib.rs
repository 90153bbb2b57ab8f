//! Decides, and does nothing else: what the inputs mean, what they render to, what a plan is, what
//! must be said for it, what to do next and when to give up. The clock, files, terminals and clusters
//! are elsewhere: `no_std` makes the compiler refuse them here.
#![no_std]

extern crate alloc;

pub mod applied;
pub mod approval;
pub mod change;
pub mod cluster;
pub mod execution;
pub mod faults;
pub mod gate;
pub mod inputs;
pub mod journal;
pub mod known;
pub mod names;
mod nearest;
pub mod network;
pub mod object;
pub mod operations;
pub mod plan;
pub mod records;
pub mod render;
mod schedule;
pub mod triage;
pub mod version;
pub mod wait;
