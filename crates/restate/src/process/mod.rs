//! The real server as a process of this machine: for tests, `reproduce`, and images.

mod install;
mod ports;
mod server;

pub use install::{OLDEST, VERSION, install};
pub use ports::{Ports, free_ports};
pub use server::{Options, Server};
