//! The command line. Every option can also be set by the environment.

use clap::{Args, Parser, Subcommand};
use longrun_program::{InvalidId, ProgramId, Seed, Size};
use longrun_restate::Origin;
use longrun_verification::{duration, observe, service, signal, test};
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
    /// Send a directory as a copy's stream; what the receiver has of it is read from stdin.
    Send(Send),
    /// Print in what two directories differ, one a line: lists, modes and Restate's cluster markers. Exit 1 if they do.
    Compare(Compare),
    /// Print what database a directory holds: Restate's cluster marker, and files beside it. Exit 1 if it holds none.
    Examine(Examine),
    /// Send a signal to every process of this name in the pod, and print what was hit. Exit 1 if there is none, unless it is CONT.
    Signal(Signal),
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
    /// Known number of invocations, where only the Job is named.
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
    /// Not on stdout, but in answer to the first HTTP request at this address whose header x-longrun-secret is the first line of stdin.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) at: Option<SocketAddr>,
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

#[derive(Debug, Args)]
pub(crate) struct Signal {
    /// Which signal.
    #[arg(value_enum)]
    pub(crate) signal: signal::Signal,
    /// The name of the program that the process runs.
    pub(crate) process: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The program of a test with these arguments, or why there is none.
    fn program(arguments: &[&str]) -> Result<String, String> {
        let line = ["verification", "test"].iter().chain(arguments);
        let parsed = Arguments::try_parse_from(line).map_err(|error| error.to_string())?;
        let Command::Test(test) = parsed.command else {
            panic!("{:?}", parsed.command)
        };
        Ok(test.program.id().to_string())
    }

    #[test]
    fn a_job_is_the_seed_of_the_newest_generator() {
        let id = program(&["test-28112572", "--size", "30"]);
        assert_eq!(id.unwrap(), "v1-s30-all-test-28112572");
    }

    #[test]
    fn a_whole_id_is_that_program_whatever_the_size() {
        let id = program(&["v1-s60-k0.2-test-28112572", "--size", "30"]);
        assert_eq!(id.unwrap(), "v1-s60-k0.2-test-28112572");
    }

    #[test]
    fn an_id_with_a_mistake_in_it_is_not_the_name_of_a_job() {
        for (id, reason) in [
            (
                "v9-s60-all-test-1",
                "generator version 9 is not in this build",
            ),
            ("v1-s0-all-test-1", "is not a program size"),
        ] {
            let refused = program(&[id]).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
    }
}
