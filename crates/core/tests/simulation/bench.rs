//! How many schedules of the simulation one thread plays in a second.
#![expect(clippy::expect_used, reason = "a broken model must stop it")]

use std::{env, time::Instant};

mod data;
mod deploy;
mod driver;
mod random;
mod world;

type Play = fn(u64) -> Result<(), String>;

/// Enough for a second or so each.
const SCHEDULES: u64 = 500;

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let schedules = match env::args().any(|argument| argument == "--bench") {
        true => SCHEDULES,
        false => 1,
    };
    for (what, play) in [
        ("deployments", deploy::play as Play),
        ("operations on data", data::play as Play),
    ] {
        // Once before, so that what is made once is made.
        play(0).expect("no schedule fails");
        let began = Instant::now();
        (0..schedules).for_each(|seed| play(seed).expect("no schedule fails"));
        let rate = schedules as f64 / began.elapsed().as_secs_f64();
        println!("{what}: {rate:.0} schedules per second");
    }
}
