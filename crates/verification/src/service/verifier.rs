//! Starts programs, and compares what they did with what they should have done.

use super::interpreter::InterpreterClient;
use super::{VERIFIER, logged, refused, span_of};
use longrun_program::{Path, Program, ProgramId, Target};
use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

const STARTED: &str = "started";
/// The state of a verifier that says since when its program is known to be verified, in seconds
/// since the Unix epoch. What has it can be cleared.
pub const VERIFIED_STATE: &str = "verified";

/// A counter of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Its number.
    pub target: Target,
    /// What it holds when every increment of the program has happened once.
    pub expected: u64,
    /// What it holds.
    pub actual: u64,
}

impl Counter {
    /// Whether every increment has happened exactly once, as far as a sum can tell.
    #[must_use]
    pub fn is_correct(&self) -> bool {
        self.expected == self.actual
    }

    /// The sentence by which a failure of this counter is known.
    #[must_use]
    pub fn complaint(&self) -> String {
        let Self {
            target,
            expected,
            actual,
        } = self;
        format!("Incorrect value for target {target}: expected {expected}, got {actual}")
    }
}

/// A program as it was generated, and every counter of it by target.
#[derive(Debug, Serialize)]
struct Inspection {
    program: Program,
    counters: Vec<Counter>,
}

/// The virtual object `verifier`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verifier;

#[restate_sdk::object(
    name = "verifier",
    inactivity_timeout = "10s",
    journal_retention = "1h",
    invocation_retry_policy(
        initial_interval = "100ms",
        factor = 2.0,
        max_interval = "5s",
        max_attempts = 100000,
        on_max_attempts = "pause",
    )
)]
impl Verifier {
    /// Starts the key's program, unless it was started before: the state remembers it without a
    /// time limit, so that no retry of a test, however late, can run its program twice.
    #[handler]
    async fn execute(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let id = parse_key(ctx.key())?;
        let span = span_of(ctx.invocation_id(), VERIFIER, ctx.key(), "execute", &id);
        let start = async {
            if ctx.get::<bool>(STARTED).await?.unwrap_or(false) {
                return Ok(());
            }
            let root = id.generate().root;
            let client = ctx.object_client::<InterpreterClient<'_>>(id.key_of(root.target));
            let path = Path::root().to_string();
            drop(match root.lock {
                longrun_program::Lock::Exclusive => client.run(path).send(),
                longrun_program::Lock::Shared => client.run_shared(path).send(),
            });
            ctx.set(STARTED, true);
            tracing::info!("started");
            Ok(())
        };
        logged(span, start).await
    }

    /// Ends with a terminal error that names the first wrong counter, if there is one. Shared: it
    /// must not hang behind the very key that is stuck.
    #[handler]
    async fn verify(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<()> {
        let id = parse_key(ctx.key())?;
        let span = span_of(ctx.invocation_id(), VERIFIER, ctx.key(), "verify", &id);
        let compare = async {
            let counters = read_counters(&ctx, &id.generate()).await?;
            match counters.iter().find(|counter| !counter.is_correct()) {
                None => Ok(()),
                Some(wrong) => Err(TerminalError::new(wrong.complaint()).into()),
            }
        };
        logged(span, compare).await
    }

    /// The program with its expected and actual counters.
    #[handler(journal_retention = "0s")]
    async fn inspect(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Inspection>> {
        let program = parse_key(ctx.key())?.generate();
        let counters = read_counters(&ctx, &program).await?;
        Ok(Json(Inspection { program, counters }))
    }

    /// Remembers that the program was verified, and when: seconds since the Unix epoch.
    #[handler(journal_retention = "0s")]
    async fn verified(&self, ctx: ObjectContext<'_>, at: u64) -> HandlerResult<()> {
        ctx.set(VERIFIED_STATE, at);
        Ok(())
    }

    /// Removes all state of the program. After this it can be executed again.
    #[handler(journal_retention = "0s")]
    async fn clear(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let id = parse_key(ctx.key())?;
        for target in id.generate().expected().into_keys() {
            drop(
                ctx.object_client::<InterpreterClient<'_>>(id.key_of(target))
                    .clear()
                    .send(),
            );
        }
        ctx.clear_all();
        Ok(())
    }
}

fn parse_key(key: &str) -> Result<ProgramId, TerminalError> {
    key.parse().map_err(refused)
}

/// Asks every counter at once, then awaits them in order.
async fn read_counters(
    ctx: &SharedObjectContext<'_>,
    program: &Program,
) -> Result<Vec<Counter>, TerminalError> {
    let asked: Vec<_> = program
        .expected()
        .into_iter()
        .map(|(target, expected)| {
            let client = ctx.object_client::<InterpreterClient<'_>>(program.id.key_of(target));
            (target, expected, client.counter().call())
        })
        .collect();
    let mut counters = Vec::with_capacity(asked.len());
    for (target, expected, answer) in asked {
        counters.push(Counter {
            target,
            expected,
            actual: answer.await?,
        });
    }
    Ok(counters)
}
