//! The real server as a process of this machine: for tests, `reproduce`, and images.

mod install;
mod server;

pub use install::{VERSION, install};
pub use server::{Options, Ports, Server};
