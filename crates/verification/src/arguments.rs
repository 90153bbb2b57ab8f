//! The command line. Every option can also be set by the environment.

use clap::{Args, Parser, Subcommand};
use longrun_program::{InvalidId, ProgramId, Seed, Size};
use longrun_restate::Origin;
use longrun_verification::{duration, observe, service, test};
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
    Serve(service::Addresses),
    /// Execute and verify the program of a Job; two result lines on stdout.
    Test(Test),
    /// Register the services with Restate, again if they have changed.
    Discover(Discover),
    /// Serve what a Restate node does not tell: open invocations and leaders of partitions.
    Observe(observe::Options),
    /// Show a program, its counters and what of it is open, as JSON.
    Inspect(OfProgram),
    /// Remove the state of a program. Evidence of a failure goes with it.
    Clear(OfProgram),
    /// Send a directory as a copy's stream on stdout; what the receiver has of it is read from stdin.
    Send(Send),
    /// Print in what two directories differ, one a line: lists, modes and Restate's cluster markers. Exit 1 if they do.
    Compare(Compare),
    /// Print what database a directory holds: Restate's cluster marker, and files beside it. Exit 1 if it holds none.
    Examine(Examine),
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    pub(crate) program: Program,
    #[command(flatten)]
    pub(crate) options: test::Options,
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

fn parse_job(text: &str) -> Result<Job, InvalidId> {
    match text.parse() {
        // Not at all like an id. One with a mistake in it must not become the name of another Job.
        Err(InvalidId::Shape(_)) => text.parse().map(Job::Name),
        id => id.map(Job::Program),
    }
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

#[derive(Debug, Args)]
pub(crate) struct Examine {
    /// The node's base directory, or anything above the node's own.
    pub(crate) directory: PathBuf,
}
