//! Programs executed and verified on one machine, while its processes are killed; and what became of each.

use std::{
    process::Output,
    time::{Duration, Instant},
};

use longrun_program::{ProgramId, Symptom, kills::Kill};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::JoinSet;

use super::machine::{Machine, Patience};
use crate::failure::Failure;

/// How often a machine is looked at while it works.
const TICK: Duration = Duration::from_millis(50);

#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// With the lines of the test.
    Verified(Vec<Value>),
    Failed(Failed),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Failed {
    pub(crate) symptom: Symptom,
    pub(crate) message: String,
    /// The lines of the test, as its pod would print them.
    pub(crate) lines: Vec<Value>,
}

/// The line of a verification that failed, as far as it is judged here.
#[derive(Deserialize)]
struct Line {
    result: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    code: String,
    message: String,
    #[serde(default)]
    mismatches: Vec<Mismatch>,
    #[serde(default)]
    open_invocations: Option<u64>,
}

#[derive(Deserialize)]
struct Mismatch {
    expected: u64,
    actual: u64,
}

/// What became of programs that ran at the same time.
#[derive(Debug)]
pub(crate) struct Trial {
    /// In the order of the programs; some are missing where enough was known before.
    pub(crate) verdicts: Vec<Option<Verdict>>,
    /// How many kills were due meanwhile.
    pub(crate) killed: u32,
}

/// When enough is known of programs that run at the same time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// All have ended.
    All,
    /// The first of them that fails in this way is known.
    First(Symptom),
}

/// The first program that fails in a way, if all before it have ended otherwise.
pub(crate) fn first(verdicts: &[Option<Verdict>], symptom: Symptom) -> Option<usize> {
    let fails = |verdict: &Verdict| match verdict {
        Verdict::Failed(failed) => failed.symptom == symptom,
        Verdict::Verified(_) => false,
    };
    let ended = verdicts.iter().map_while(Option::as_ref);
    ended
        .enumerate()
        .find(|(_, verdict)| fails(verdict))
        .map(|(place, _)| place)
}

/// Runs programs at the same time.
///
/// # Errors
/// When it cannot be said whether they failed.
pub(crate) async fn trial(
    machine: &mut Machine,
    programs: &[ProgramId],
    kills: &[Kill],
    patience: Patience,
    until: Until,
) -> Result<Trial, Failure> {
    let mut tests = JoinSet::new();
    for (place, program) in programs.iter().enumerate() {
        let child = machine.test(program, patience)?;
        tests.spawn(async move { (place, child.wait_with_output().await) });
    }
    let mut verdicts: Vec<Option<Verdict>> = vec![None; programs.len()];
    let mut kills = kills.iter().peekable();
    let mut killed = 0;
    let mut since = Instant::now();
    while !tests.is_empty() {
        if let Until::First(symptom) = until
            && first(&verdicts, symptom).is_some()
        {
            break;
        }
        tokio::select! {
            Some(ended) = tests.join_next() => {
                let (place, output) = ended.map_err(lost)?;
                verdicts[place] = Some(judge(&output.map_err(lost)?)?);
                continue;
            }
            () = tokio::time::sleep(TICK) => {}
        }
        let due = |kill: &&Kill| since.elapsed() >= Duration::from_millis(kill.after_ms.into());
        let mut trouble = machine.ended();
        if trouble.is_none()
            && let Some(kill) = kills.next_if(due)
        {
            machine.kill(kill.victim).await?;
            killed += 1;
            // The next one may wait until this one is over, or come in the middle of it.
            if kills.peek().is_some_and(|next| !next.during_recovery) {
                trouble = machine.recovered(kill.victim).await.err();
            }
            since = Instant::now();
        }
        if let Some(trouble) = trouble {
            let down = Verdict::Failed(Failed {
                symptom: Symptom::Down,
                message: trouble,
                lines: Vec::new(),
            });
            for verdict in &mut verdicts {
                verdict.get_or_insert_with(|| down.clone());
            }
            break;
        }
    }
    Ok(Trial { verdicts, killed })
}

fn lost(error: impl std::fmt::Display) -> Failure {
    Failure::half_way(format!("the end of a test is not known: {error}"))
}

/// What a test says of its program.
fn judge(output: &Output) -> Result<Verdict, Failure> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<Value> = stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    if output.status.success() {
        return Ok(Verdict::Verified(lines));
    }
    let last = lines.last().and_then(|line| Line::deserialize(line).ok());
    // One that was executed, and then neither verified nor not, has failed in no way that is known.
    let Some(Line { result }) = last.filter(|line| line.result.code != "ok") else {
        return Err(Failure::half_way(format!(
            "the test ended without a result, {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )));
    };
    let counters = result.mismatches.iter();
    Ok(Verdict::Failed(Failed {
        symptom: Symptom::told(
            &result.code,
            counters.map(|counter| (counter.expected, counter.actual)),
            result.open_invocations.unwrap_or(0),
        ),
        message: result.message,
        lines,
    }))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

    use super::*;

    fn judged(code: i32, last: &str) -> Result<Verdict, Failure> {
        let execute = r#"{"command": "execute", "result": {"code": "ok", "message": "Success"}}"#;
        judge(&Output {
            status: ExitStatus::from_raw(code << 8),
            stdout: format!("{execute}\n{last}\n").into_bytes(),
            stderr: b"why".to_vec(),
        })
    }

    fn failed(result: &str) -> (Symptom, String) {
        match judged(
            1,
            &format!(
                r#"{{"command": "verify", "result": {}}}"#,
                result.replace('\n', "")
            ),
        ) {
            Ok(Verdict::Failed(failed)) => (failed.symptom, failed.message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_failure_is_told_by_the_last_line_of_the_test() {
        let (symptom, message) = failed(
            r#"{"code": "internal", "message": "Incorrect value", "open_invocations": 0,
                "mismatches": [{"target": 1, "expected": 2, "actual": 1}]}"#,
        );
        assert_eq!(
            (symptom, message.as_str()),
            (Symptom::Lost, "Incorrect value")
        );
        let (symptom, _) = failed(
            r#"{"code": "internal", "message": "m", "open_invocations": 4,
                "mismatches": [{"target": 1, "expected": 2, "actual": 1}]}"#,
        );
        assert_eq!(symptom, Symptom::Stuck);
        let (symptom, _) = failed(r#"{"code": "unavailable", "message": "m"}"#);
        assert_eq!(symptom, Symptom::Down);
    }

    #[test]
    fn the_first_that_fails_is_known_only_when_all_before_it_have_ended() {
        let verified = || Some(Verdict::Verified(Vec::new()));
        let failed = |symptom| {
            Some(Verdict::Failed(Failed {
                symptom,
                message: String::new(),
                lines: Vec::new(),
            }))
        };
        let (lost, stuck) = (|| failed(Symptom::Lost), || failed(Symptom::Stuck));
        for (verdicts, place) in [
            (vec![verified(), lost(), None], Some(1)),
            (vec![None, lost()], None),
            (vec![verified(), None], None),
            (vec![verified(), verified()], None),
            // Another failure is none.
            (vec![stuck(), lost(), lost()], Some(1)),
        ] {
            assert_eq!(first(&verdicts, Symptom::Lost), place, "{verdicts:?}");
        }
    }

    #[test]
    fn a_test_that_says_nothing_has_not_failed_and_not_passed() {
        assert!(matches!(judged(0, ""), Ok(Verdict::Verified(_))));
        let nothing = Output {
            status: ExitStatus::from_raw(2 << 8),
            stdout: Vec::new(),
            stderr: b"no such option".to_vec(),
        };
        let said = judge(&nothing).expect_err("nothing was said").message;
        assert!(said.contains("no such option"), "{said}");
        let half = judged(101, "thread 'main' panicked").expect_err("it was only executed");
        assert!(
            half.message.contains("without a result"),
            "{}",
            half.message
        );
    }
}
