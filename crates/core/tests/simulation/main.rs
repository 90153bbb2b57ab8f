//! A model cluster, its controllers and other people against the planners, the approval and the journal:
//! drivers die before and after any request, answers are lost, clocks step, the world moves while the
//! question is open. `LONGRUN_SCHEDULES=100000 cargo test --test simulation` for more, with
//! `LONGRUN_FIRST=100000` for others, `LONGRUN_SEED=7 cargo test --test simulation data` for one.
#![expect(clippy::expect_used, reason = "a test: a broken model must stop it")]

use std::{collections::BTreeMap, env, sync::Mutex};

mod data;
mod deploy;
mod driver;
mod random;
mod stories;
mod world;

/// Plays schedules, and tells the story of the first that fails, and the seeds of the others.
fn play_all(default: u64, play: fn(u64) -> Result<(), String>) {
    if let Some(seed) = number("LONGRUN_SEED") {
        play(seed).unwrap_or_else(|story| panic!("{story}"));
        return;
    }
    let schedules = number("LONGRUN_SCHEDULES").unwrap_or(default);
    let first = number("LONGRUN_FIRST").unwrap_or(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let failed = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let failed = &failed;
            scope.spawn(move || {
                for seed in (first + thread..first + schedules).step_by(threads as usize) {
                    if let Err(story) = play(seed) {
                        // Whoever stops a long run has what it found.
                        eprintln!("seed {seed} fails");
                        failed.lock().expect("no thread panics").insert(seed, story);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no thread panics");
    if let Some(story) = failed.values().next() {
        let seeds: Vec<&u64> = failed.keys().take(20).collect();
        panic!(
            "{} of {schedules} schedules fail, with the seeds {seeds:?} …; the first one:\n{story}",
            failed.len()
        );
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn every_schedule_of_deployments_converges_and_loses_nothing() {
    play_all(1000, deploy::play);
}

#[test]
fn every_schedule_of_operations_on_data_converges_and_loses_nothing() {
    play_all(3_000, data::play);
}
