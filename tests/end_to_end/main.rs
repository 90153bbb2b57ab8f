//! End-to-end tests through the real binary, on a real cluster.
fn main() {}
