//! The promise that the whole project is about: whatever is killed, every increment happens once.

use crate::machine::{Machine, ended, eventually};
use std::time::Duration;

const SEEDS: usize = 20;

#[tokio::test]
async fn twenty_programs_verify_although_restate_and_the_service_are_killed_in_the_middle() {
    let mut machine = Machine::start().await;
    let tests: Vec<_> = (0..SEEDS)
        .map(|seed| {
            let job = format!("test-{}", 28_112_572 + seed);
            let mut test = machine.command(&["test", &job, "--size", "120"]);
            // What is promised is that nothing is lost, not how fast a busy machine is.
            let test = test.args(["--patience", "9m", "--deadline", "20m"]);
            tokio::spawn(ended(test.spawn().unwrap()))
        })
        .collect();
    let admin = machine.admin();
    eventually(
        "hundreds of invocations are open",
        Duration::from_secs(60),
        async || {
            let counts = admin.open_counts().await.unwrap();
            let open = counts.iter().filter(|count| count.service == "interpreter");
            open.map(|count| count.count).sum::<u64>() > 300
        },
    )
    .await;
    machine.kill_service().await;
    machine.kill_server().await;
    machine.restart_server().await;
    machine.start_service().await;

    for test in tests {
        let ran = test.await.unwrap();
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.lines.len(), 2, "{}", ran.stdout);
        assert_eq!(ran.lines[1]["result"]["message"], "Success");
    }
}
