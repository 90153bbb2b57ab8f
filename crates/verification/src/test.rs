//! The test of one Job: execute the program of its name, verify it, say so in two lines.
//!
//! A pod that fails is started again by its Job, seven in all, with growing pauses. Within one pod
//! verify is repeated for a while (`patience`), because background calls may still run and Restate
//! or the service may be restarting: a healthy test is one pod, and a failed pod means something.

use crate::duration;
use crate::inspect;
use crate::line::{self, Code, Mismatch, Outcome};
use crate::service::{Counter, INTERPRETER, VERIFIED_STATE, VERIFIER};
use longrun_program::ProgramId;
use longrun_restate::{Admin, Error, Ingress, Object, Open, Origin, one_line, quote};
use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// The state of a program is removed this long after it was verified: no pod of its Job is left.
pub const CLEAR_AFTER: Duration = Duration::from_secs(3 * 3_600);
/// A test clears at most so many old programs, so that it does not become the load.
const CLEAR_AT_MOST: u32 = 5;
/// One request never takes longer: a lost answer must not cost the whole patience.
const REQUEST: Duration = Duration::from_secs(20);
/// Pauses between attempts grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(4));
/// A program of which nothing has been open for so long does nothing any more.
const QUIET: Duration = Duration::from_secs(2);
/// Open invocations that are named with a mismatch, at most.
const NAMED_OPEN: usize = 10;

/// How a program is tested.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Restate's ingress.
    #[arg(long, env = "RESTATE_INGRESS", default_value = "http://restate:8080")]
    pub ingress: Origin,
    /// Restate's admin interface.
    #[arg(long, env = "RESTATE_ADMIN", default_value = "http://restate:9070")]
    pub admin: Origin,
    /// How long execute, and after it verify, is tried before this pod fails.
    #[arg(long, env = "TEST_PATIENCE", default_value = "90s", value_parser = duration::parse)]
    pub patience: Duration,
    /// This pod ends after this at the latest.
    #[arg(long, env = "TEST_DEADLINE", default_value = "10m", value_parser = duration::parse)]
    pub deadline: Duration,
    /// Fail before the patience is used up, once nothing has moved for so long: the same invocations
    /// are open. Where none is, a few seconds are enough.
    #[arg(long, env = "TEST_SETTLED", value_parser = duration::parse)]
    pub settled: Option<Duration>,
}

/// Executes and verifies a program and writes the result lines; whether it succeeded.
///
/// # Errors
/// Only when a line cannot be written.
pub async fn run(
    program: ProgramId,
    options: Options,
    out: &mut impl Write,
) -> std::io::Result<bool> {
    let job = program.seed.clone();
    let end = Instant::now() + options.deadline;
    let late = || {
        let message = format!("Not done within the {:?} that a pod has", options.deadline);
        Outcome::new(Code::DeadlineExceeded, message)
    };
    let test = Test {
        key: program.to_string(),
        program,
        ingress: Ingress::new(options.ingress),
        admin: Admin::new(options.admin, REQUEST),
        patience: options.patience,
        settled: options.settled,
    };

    let executed = tokio::time::timeout_at(end, test.execute())
        .await
        .unwrap_or_else(|_| late());
    line::write(out, "execute", &job, &executed)?;
    if !executed.is_ok() {
        return Ok(false);
    }
    let verified = tokio::time::timeout_at(end, test.verify())
        .await
        .unwrap_or_else(|_| late());
    line::write(out, "verify", &job, &verified)?;
    if verified.is_ok() {
        // What follows is housekeeping. It changes nothing about the result.
        if let Ok(Err(error)) = tokio::time::timeout_at(end, test.tidy()).await {
            tracing::warn!(error = one_line(&error), "cannot clear old programs");
        }
    }
    Ok(verified.is_ok())
}

struct Test {
    program: ProgramId,
    key: String,
    ingress: Ingress,
    admin: Admin,
    patience: Duration,
    settled: Option<Duration>,
}

impl Test {
    fn verifier(&self, handler: &'static str) -> Object<'_> {
        Object {
            service: VERIFIER,
            key: &self.key,
            handler,
        }
    }

    /// Has Restate start the program. A second pod's execute is ok at once: the handler starts a
    /// program only once, and a one-way call does not wait for a key that may be stuck.
    async fn execute(&self) -> Outcome {
        let mut attempts = Attempts::during(self.patience);
        loop {
            let execute = self.verifier("execute");
            match self.ingress.send(execute, None::<&()>, REQUEST).await {
                Ok(_) => return Outcome::success(),
                Err(error) if error.is_transient() && attempts.another().await => {}
                Err(error) => return Outcome::from(&error),
            }
        }
    }

    /// Verifies as soon as nothing of the program is open, and again while that fails, until the
    /// patience is used up. The last attempt is made whatever is open, so that what is wrong is
    /// known; and also whenever SQL cannot be asked.
    async fn verify(&self) -> Outcome {
        let mut attempts = Attempts::during(self.patience);
        let mut stillness = Stillness::new(self.settled);
        loop {
            let open = self.admin.count_open(&self.key).await.ok();
            let still = match stillness.within {
                Some(_) => {
                    let open = inspect::open(&self.admin, &self.program).await.ok();
                    let ids = open.map(|open| open.into_iter().map(|open| open.id).collect());
                    stillness.lasts(ids, Instant::now())
                }
                None => false,
            };
            if open.is_some_and(|open| open > 0) && !still && attempts.another().await {
                continue;
            }
            match self.verify_once().await {
                Ok(()) => {
                    let program = Some(self.program.clone());
                    return Outcome {
                        program,
                        ..Outcome::success()
                    };
                }
                Err(error) if still && !error.is_transient() => {
                    return self.explain(&error, open).await;
                }
                Err(_) if attempts.another().await => {}
                Err(error) => return self.explain(&error, open).await,
            }
        }
    }

    async fn verify_once(&self) -> Result<(), Error> {
        self.ingress
            .call(self.verifier("verify"), None::<&()>, REQUEST)
            .await
    }

    /// The failure with all that can be found out about it; less, when Restate does not answer.
    async fn explain(&self, error: &Error, open_invocations: Option<u64>) -> Outcome {
        let mut counters = inspect::counters(&self.ingress, &self.program, REQUEST)
            .await
            .unwrap_or_default();
        counters.retain(|counter| !counter.is_correct());
        let mut open = Vec::new();
        if !counters.is_empty() {
            let asked = inspect::open(&self.admin, &self.program).await;
            open = asked.unwrap_or_default();
        }
        let mismatch = |counter| self.mismatch(counter, &open);
        let mismatches = counters.into_iter().map(mismatch).collect();
        let program = Some(self.program.clone());
        Outcome {
            program,
            mismatches,
            open_invocations,
            ..Outcome::from(error)
        }
    }

    /// A wrong counter with those of the open invocations that are of its target.
    fn mismatch(&self, counter: Counter, open: &[Open]) -> Mismatch {
        let target = format!("{INTERPRETER}/{}/", self.program.key_of(counter.target));
        let open = open.iter().filter(|open| open.target.starts_with(&target));
        Mismatch {
            counter,
            open: open.take(NAMED_OPEN).cloned().collect(),
        }
    }

    /// Remembers this program as verified, and clears those that were verified long ago. This one
    /// stays: a crash between clearing and the end of the pod would fail a good program, because
    /// the next pod's execute would find it started.
    async fn tidy(&self) -> Result<(), Error> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        self.ingress
            .send(self.verifier("verified"), Some(&now), REQUEST)
            .await?;
        for key in verified_before(&self.admin, now.saturating_sub(CLEAR_AFTER.as_secs())).await? {
            let clear = Object {
                service: VERIFIER,
                key: &key,
                handler: "clear",
            };
            self.ingress.send(clear, None::<&()>, REQUEST).await?;
        }
        Ok(())
    }
}

/// The keys of some programs that were verified before this second since the Unix epoch.
async fn verified_before(admin: &Admin, second: u64) -> Result<Vec<String>, Error> {
    #[derive(serde::Deserialize)]
    struct Row {
        service_key: String,
    }
    // Other state is not a number, and conditions may be evaluated in any order.
    let sql = format!(
        "select service_key from state where service_name = {} and key = {} \
         and try_cast(value_utf8 as bigint) < {second} order by service_key limit {CLEAR_AT_MOST}",
        quote(VERIFIER),
        quote(VERIFIED_STATE)
    );
    let rows: Vec<Row> = admin.query(&sql).await?;
    Ok(rows.into_iter().map(|row| row.service_key).collect())
}

/// Whether a program has come to rest, right or wrong.
struct Stillness {
    /// How long nothing may move; none where that is not asked.
    within: Option<Duration>,
    open: BTreeSet<String>,
    since: Option<Instant>,
}

impl Stillness {
    fn new(within: Option<Duration>) -> Self {
        Self {
            within,
            open: BTreeSet::new(),
            since: None,
        }
    }

    /// Whether what is open now, by id and if that is known, is what has been open for long enough.
    fn lasts(&mut self, open: Option<BTreeSet<String>>, now: Instant) -> bool {
        let (Some(within), Some(open)) = (self.within, open) else {
            self.since = None;
            return false;
        };
        // A message between partitions is no invocation yet, but never takes long.
        let within = if open.is_empty() {
            within.min(QUIET)
        } else {
            within
        };
        if open != self.open || self.since.is_none() {
            self.open = open;
            self.since = Some(now);
        }
        self.since.is_some_and(|since| now - since >= within)
    }
}

/// Pauses between attempts, until a time is used up.
struct Attempts {
    until: Instant,
    pause: Duration,
}

impl Attempts {
    fn during(patience: Duration) -> Self {
        Self {
            until: Instant::now() + patience,
            pause: PAUSES.0,
        }
    }

    /// Waits before another attempt; false, at once, when there is no time for one.
    async fn another(&mut self) -> bool {
        if Instant::now() + self.pause > self.until {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 3 / 2).min(PAUSES.1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is still at each of these seconds, with these invocations open; `None` is not known.
    fn still(settled: Option<u64>, seen: &[(u64, Option<&[&str]>)]) -> Vec<bool> {
        let began = Instant::now();
        let mut stillness = Stillness::new(settled.map(Duration::from_secs));
        let at = |(second, open): &(u64, Option<&[&str]>)| {
            let open = open.map(|ids| ids.iter().map(|&id| id.to_owned()).collect());
            stillness.lasts(open, began + Duration::from_secs(*second))
        };
        seen.iter().map(at).collect()
    }

    #[test]
    fn what_is_open_all_the_time_is_still_in_the_end() {
        let same = Some(&["a", "b"][..]);
        let seen = [(0, same), (19, same), (20, same)];
        assert_eq!(still(Some(20), &seen), [false, false, true]);
    }

    #[test]
    fn anything_that_begins_or_ends_is_a_move() {
        // As many, and not the same.
        let (some, others) = (Some(&["a", "b"][..]), Some(&["a", "c"][..]));
        let seen = [(0, some), (19, others), (38, some), (57, some), (58, some)];
        assert_eq!(still(Some(20), &seen), [false, false, false, false, true]);
    }

    #[test]
    fn where_nothing_is_open_two_seconds_are_enough() {
        let none = Some(&[][..]);
        let seen = [(0, Some(&["a"][..])), (5, none), (6, none), (7, none)];
        assert_eq!(still(Some(20), &seen), [false, false, false, true]);
    }

    #[test]
    fn what_is_not_known_is_not_still() {
        let same = Some(&["a"][..]);
        let seen = [(0, same), (15, None), (21, same), (40, same), (41, same)];
        assert_eq!(still(Some(20), &seen), [false, false, false, false, true]);
    }

    #[test]
    fn nothing_is_ever_still_where_that_is_not_asked() {
        let same = Some(&["a"][..]);
        assert_eq!(still(None, &[(0, same), (1_000, same)]), [false, false]);
    }
}
