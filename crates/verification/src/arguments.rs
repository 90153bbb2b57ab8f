//! The command line. Every option can also be set by the environment.

use clap::{Args, Parser, Subcommand};
use longrun_program::{ProgramId, Seed, Size};
use longrun_restate::Origin;
use longrun_verification::{duration, observe, service, test};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The workload of the long-running clusters: programs whose every step must happen exactly once.
#[derive(Debug, Parser)]
#[command(name = "verification", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the services that run and verify programs.
    Serve(Serve),
    /// Execute and verify the program of a Job; two result lines on stdout.
    Test(Test),
    /// Register the services with Restate, again if they have changed.
    Discover(Discover),
    /// Serve what a Restate node does not tell: open invocations and leaders of partitions.
    Observe(Observe),
    /// Show a program, its counters and what of it is open, as JSON.
    Inspect(OfProgram),
    /// Remove the state of a program. Evidence of a failure goes with it.
    Clear(OfProgram),
    /// Send a directory as a copy's stream on stdout; what the receiver has of it is read from stdin.
    Send(Send),
    /// Print in what two directories differ, one a line: lists, modes and Restate's cluster markers. Exit 1 if they do.
    Compare(Compare),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where Restate reaches the services (HTTP/2 with prior knowledge).
    #[arg(long, env = "VERIFICATION_LISTEN", default_value = "0.0.0.0:9080")]
    listen: SocketAddr,
    /// Where probes reach /live and /ready (HTTP/1.1).
    #[arg(long, env = "VERIFICATION_HEALTH", default_value = "0.0.0.0:9081")]
    health: SocketAddr,
}

impl Serve {
    pub(crate) fn addresses(&self) -> service::Addresses {
        service::Addresses {
            services: self.listen,
            health: self.health,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    program: Program,
    /// Restate's ingress.
    #[arg(long, env = "RESTATE_INGRESS", default_value = "http://restate:8080")]
    ingress: Origin,
    /// Restate's admin interface.
    #[arg(long, env = "RESTATE_ADMIN", default_value = "http://restate:9070")]
    admin: Origin,
    /// How long execute, and after it verify, is tried before this pod fails.
    #[arg(long, env = "TEST_PATIENCE", default_value = "90s", value_parser = duration::parse)]
    patience: Duration,
    /// This pod ends after this at the latest.
    #[arg(long, env = "TEST_DEADLINE", default_value = "10m", value_parser = duration::parse)]
    deadline: Duration,
}

impl From<Test> for test::Options {
    fn from(test: Test) -> Self {
        let Test {
            program,
            ingress,
            admin,
            patience,
            deadline,
        } = test;
        Self {
            program: program.id(),
            ingress,
            admin,
            patience,
            deadline,
        }
    }
}

/// Which program: that of a Job, or any by its id.
#[derive(Debug, Args)]
pub(crate) struct Program {
    /// Name of the Job, which is the seed; or a whole program id like v1-s300-all-test-28112572.
    #[arg(env = "TEST_JOB", value_parser = parse_job)]
    job: Job,
    /// Asked number of invocations, where only the Job is named.
    #[arg(long, env = "TEST_SIZE", default_value_t = Size::DEFAULT)]
    size: Size,
}

#[derive(Clone, Debug)]
enum Job {
    Name(Seed),
    Program(ProgramId),
}

fn parse_job(text: &str) -> Result<Job, String> {
    if let Ok(id) = text.parse() {
        return Ok(Job::Program(id));
    }
    text.parse()
        .map(Job::Name)
        .map_err(|error: longrun_program::InvalidId| error.to_string())
}

impl Program {
    pub(crate) fn id(&self) -> ProgramId {
        match &self.job {
            Job::Name(seed) => ProgramId::new(seed.clone(), self.size),
            Job::Program(id) => id.clone(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Discover {
    /// Restate's admin interface.
    #[arg(long, env = "RESTATE_ADMIN", default_value = "http://restate:9070")]
    pub(crate) admin: Origin,
    /// Where Restate reaches the services.
    #[arg(
        long,
        env = "VERIFICATION_DEPLOYMENT",
        default_value = "http://verification:9080"
    )]
    pub(crate) deployment: Origin,
    /// How long to wait for both to be up.
    #[arg(long, env = "DISCOVER_WAIT", default_value = "2m", value_parser = duration::parse)]
    pub(crate) wait: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Observe {
    /// The node's admin interface.
    #[arg(long, env = "RESTATE_ADMIN", default_value = "http://127.0.0.1:9070")]
    admin: Origin,
    /// The node's own port, which has its metrics.
    #[arg(long, env = "RESTATE_NODE", default_value = "http://127.0.0.1:5122")]
    node: Origin,
    /// Where /metrics, /invocations, /ready and /live are served.
    #[arg(long, env = "OBSERVE_LISTEN", default_value = "0.0.0.0:9091")]
    listen: SocketAddr,
    /// How often the node is asked for its invocations.
    #[arg(long, env = "OBSERVE_EVERY", default_value = "5s", value_parser = duration::parse)]
    every: Duration,
}

impl From<Observe> for observe::Options {
    fn from(observe: Observe) -> Self {
        let Observe {
            admin,
            node,
            listen,
            every,
        } = observe;
        Self {
            admin,
            node,
            listen,
            every,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct OfProgram {
    #[command(flatten)]
    pub(crate) program: Program,
    /// Restate's ingress.
    #[arg(long, env = "RESTATE_INGRESS", default_value = "http://restate:8080")]
    pub(crate) ingress: Origin,
    /// Restate's admin interface.
    #[arg(long, env = "RESTATE_ADMIN", default_value = "http://restate:9070")]
    pub(crate) admin: Origin,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// What to send.
    pub(crate) directory: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// A directory.
    pub(crate) one: PathBuf,
    /// Another.
    pub(crate) other: PathBuf,
}
