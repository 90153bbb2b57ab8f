//! Runs the nodes of programs; each object has one counter.

use super::{Conduct, INTERPRETER, logged, refused, span_of};
use longrun_program::{Command, Lock, Node, Path, ProgramId, Target};
use restate_sdk::context::Request;
use restate_sdk::prelude::{
    ContextClient, ContextReadState, ContextTimers, ContextWriteState, HandlerResult,
    ObjectContext, SharedObjectContext, TerminalError,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const COUNTER: &str = "counter";

/// The virtual object `interpreter`.
#[derive(Clone, Debug)]
pub(super) struct Interpreter {
    conduct: Arc<dyn Conduct>,
}

impl Interpreter {
    pub(super) fn new(conduct: Arc<dyn Conduct>) -> Self {
        Self { conduct }
    }
}

// A handler that waits leaves the service after five seconds and is replayed later: replay is what is
// tested here. Retries stay frequent and never give up, since no program fails by itself and a
// service that is away for minutes is part of the chaos: an invocation paused after the server's
// default of 70 attempts would be our failure, not Restate's. Journals are kept for an hour, which
// is what a triage needs, and not for the default day, in which they would be half a million.
#[restate_sdk::object(
    name = "interpreter",
    inactivity_timeout = "5s",
    journal_retention = "1h",
    invocation_retry_policy(
        initial_interval = "100ms",
        factor = 2.0,
        max_interval = "5s",
        max_attempts = 100000,
        on_max_attempts = "pause",
    )
)]
impl Interpreter {
    /// Runs the node at a path of the key's program, holding the key's lock.
    #[handler]
    async fn run(&self, ctx: ObjectContext<'_>, path: String) -> HandlerResult<()> {
        let (id, target) = parse_key(ctx.key())?;
        let span = span_of(ctx.invocation_id(), INTERPRETER, ctx.key(), "run", &id);
        let context = Context::Locked(&ctx, self.conduct.growth(target));
        let body = async {
            run_node(context, &id, &path).await?;
            if let Some(other) = self.conduct.detour(target) {
                take_lock(&ctx, id.key_of(other)).await?;
            }
            Ok(())
        };
        logged(span, body).await
    }

    /// Runs the node at a path of the key's program without the lock.
    #[handler(name = "runShared")]
    async fn run_shared(&self, ctx: SharedObjectContext<'_>, path: String) -> HandlerResult<()> {
        let (id, _) = parse_key(ctx.key())?;
        let span = span_of(
            ctx.invocation_id(),
            INTERPRETER,
            ctx.key(),
            "runShared",
            &id,
        );
        logged(span, run_node(Context::Unlocked(&ctx), &id, &path)).await
    }

    /// Increments the counter on behalf of a node that does not hold the lock.
    #[handler]
    async fn increment(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let (id, target) = parse_key(ctx.key())?;
        let span = span_of(
            ctx.invocation_id(),
            INTERPRETER,
            ctx.key(),
            "increment",
            &id,
        );
        let body = async {
            grow(&ctx, self.conduct.growth(target)).await?;
            tracing::info!("incremented");
            Ok(())
        };
        logged(span, body).await
    }

    /// The value of the counter. Shared, so that it answers also while the key is stuck.
    #[handler(journal_retention = "0s")]
    async fn counter(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<u64> {
        Ok(ctx.get::<u64>(COUNTER).await?.unwrap_or(0))
    }

    /// Removes the counter.
    #[handler(journal_retention = "0s")]
    async fn clear(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.clear_all();
        Ok(())
    }
}

fn parse_key(key: &str) -> Result<(ProgramId, Target), TerminalError> {
    ProgramId::parse_key(key).map_err(refused)
}

async fn grow(ctx: &ObjectContext<'_>, growth: u64) -> Result<(), TerminalError> {
    let value = ctx.get::<u64>(COUNTER).await?.unwrap_or(0);
    ctx.set(COUNTER, value + growth);
    Ok(())
}

/// Takes the lock of another object and gives it back: runs a node that is none there, which ends as
/// soon as it has begun.
async fn take_lock(ctx: &ObjectContext<'_>, key: String) -> Result<(), TerminalError> {
    // Long enough for others to take theirs.
    ctx.sleep(Duration::from_millis(1_500)).await?;
    let client = ctx.object_client::<InterpreterClient<'_>>(key);
    drop(client.run(String::new()).call().await);
    Ok(())
}

/// The context of a node that holds its key's lock, with the growth of an increment, or does not.
#[derive(Clone, Copy)]
enum Context<'a, 'ctx> {
    Locked(&'a ObjectContext<'ctx>, u64),
    Unlocked(&'a SharedObjectContext<'ctx>),
}

impl<'ctx> Context<'_, 'ctx> {
    fn client(self, key: String) -> InterpreterClient<'ctx> {
        match self {
            Self::Locked(ctx, _) => ctx.object_client(key),
            Self::Unlocked(ctx) => ctx.object_client(key),
        }
    }

    /// The request that runs this node, at this path of the program.
    fn request(self, id: &ProgramId, node: &Node, path: &Path) -> Request<'ctx, String, ()> {
        let client = self.client(id.key_of(node.target));
        match node.lock {
            Lock::Exclusive => client.run(path.to_string()),
            Lock::Shared => client.run_shared(path.to_string()),
        }
    }

    /// Without the lock nothing may be written: an exclusive invocation of the same key does it.
    async fn increment(self) -> Result<(), TerminalError> {
        match self {
            Self::Locked(ctx, growth) => grow(ctx, growth).await,
            Self::Unlocked(ctx) => self.client(ctx.key().to_owned()).increment().call().await,
        }
    }

    async fn sleep(self, ms: u32) -> Result<(), TerminalError> {
        let duration = Duration::from_millis(u64::from(ms));
        match self {
            Self::Locked(ctx, _) => ctx.sleep(duration).await,
            Self::Unlocked(ctx) => ctx.sleep(duration).await,
        }
    }
}

/// The commands of one node, in order. Awaitables are held and awaited one at a time: joining SDK
/// futures with anything but its own combinators loses wake-ups.
async fn run_node(context: Context<'_, '_>, id: &ProgramId, path: &str) -> HandlerResult<()> {
    let path: Path = path.parse().map_err(refused)?;
    let program = id.generate();
    let node = program
        .node(&path)
        .ok_or_else(|| refused(format!("{id} has no node {path}")))?;
    let mut awaitables = BTreeMap::new();
    for (index, command) in (0_u16..).zip(&node.commands) {
        let request = |callee: &Node| context.request(id, callee, &path.child(index));
        match command {
            Command::Increment => context.increment().await?,
            Command::Call(callee) => request(callee).call().await?,
            Command::CallAsync(callee) => {
                awaitables.insert(index, request(callee).call());
            }
            Command::Await(call) => {
                let missing = || refused(format!("{id} awaits at {path} what was not called"));
                awaitables.remove(call).ok_or_else(missing)?.await?;
            }
            Command::Send(callee) => drop(request(callee).send()),
            Command::SendDelayed { delay_ms, node } => {
                drop(request(node).send_after(Duration::from_millis(u64::from(*delay_ms))));
            }
            Command::Sleep(ms) => context.sleep(*ms).await?,
            Command::LeftOut => {}
        }
    }
    tracing::info!(node = %path, "ran");
    Ok(())
}
