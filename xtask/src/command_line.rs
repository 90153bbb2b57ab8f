//! The command line as a whole: which commands there are, what all of them take, and where each is carried out.

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::{
    commands,
    failure::{ExitStatus, Failure},
    project::Project,
    terminal::{Output, Terminal},
};

/// Long-running verification tests of Restate on Kubernetes.
#[derive(Debug, Parser)]
#[command(
    name = "longrun",
    bin_name = "cargo xtask",
    version,
    disable_help_subcommand = true,
    after_help = EXIT_CODES
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: Command,
    /// The format of the result on stdout.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) output: Output,
    /// Read environments, clusters and (if it has any) templates from this directory instead of the clone.
    #[arg(long, global = true, value_name = "DIR")]
    inputs: Option<PathBuf>,
    /// The cluster that the user works on, where the command talks to one and names none.
    #[arg(skip)]
    cluster: Option<String>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done, or nothing to do
  1    differences (diff, render --check), or a failure that was reproduced (reproduce)
  2    refused, or asked for wrongly: nothing was changed
  3    failed or interrupted half-way: the message says what state it left and how to go on
  130  ended by Ctrl-C before anything had begun (143: by SIGTERM)";

/// The cluster that the user works on, where no --cluster says otherwise.
const CLUSTER: &str = "LONGRUN_CLUSTER";

#[derive(Debug, Subcommand)]
enum Command {
    Render(commands::render::Args),
    Deploy(commands::deploy::Args),
    Diff(commands::diff::Args),
    Status(commands::status::Args),
    Snapshot(commands::snapshot::Args),
    Attach(commands::attach::Args),
    Copy(commands::copy::Args),
    Wipe(commands::wipe::Args),
    Restore(commands::restore::Args),
    #[command(subcommand)]
    Operation(commands::operation::Command),
    Triage(commands::triage::Args),
    Reproduce(commands::reproduce::Args),
    #[command(subcommand)]
    Chaos(commands::chaos::Command),
    Images(commands::images::Args),
    #[command(subcommand)]
    Cluster(commands::cluster::Command),
    #[command(subcommand)]
    Local(commands::local::Command),
    Test(commands::test::Args),
    Completions(commands::completions::Args),
}

impl CommandLine {
    /// Reads the arguments, or says what is wrong with them.
    pub(crate) fn read(arguments: Vec<OsString>) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        if is_installed(arguments.first()) {
            command = command.bin_name("longrun");
        }
        let matches = command.clone().try_get_matches_from(arguments)?;
        let mut read = Self::from_arg_matches(&matches)?;
        let user = std::env::var(CLUSTER).ok().filter(|name| !name.is_empty());
        read.cluster = user.filter(|_| takes_users_cluster(&command, &matches));
        Ok(read)
    }

    pub(crate) async fn run(self, terminal: &Terminal) -> Result<ExitStatus, Failure> {
        if let Some(cluster) = &self.cluster {
            terminal.say(&format!("cluster {cluster} (from {CLUSTER})"));
        }
        let project = || Project::find(self.inputs, self.cluster);
        match self.command {
            Command::Render(args) => commands::render::run(&args, &project()?, terminal),
            Command::Deploy(args) => commands::deploy::run(&args, &project()?, terminal).await,
            Command::Diff(args) => commands::diff::run(&args, &project()?, terminal).await,
            Command::Status(args) => commands::status::run(&args, &project()?, terminal).await,
            Command::Snapshot(args) => commands::snapshot::run(&args, &project()?, terminal).await,
            Command::Attach(args) => commands::attach::run(&args, &project()?, terminal).await,
            Command::Copy(args) => commands::copy::run(&args, &project()?, terminal).await,
            Command::Wipe(args) => commands::wipe::run(&args, &project()?, terminal).await,
            Command::Restore(args) => commands::restore::run(&args, &project()?, terminal).await,
            Command::Operation(command) => {
                commands::operation::run(&command, &project()?, terminal).await
            }
            // Evidence that was saved is judged without the project's files.
            Command::Triage(args) => commands::triage::run(&args, project, terminal).await,
            Command::Reproduce(args) => {
                commands::reproduce::run(&args, &project()?, terminal).await
            }
            Command::Chaos(command) => commands::chaos::run(&command, &project()?, terminal).await,
            Command::Images(args) => commands::images::run(&args, &project()?, terminal).await,
            Command::Cluster(command) => {
                commands::cluster::run(&command, &project()?, terminal).await
            }
            Command::Local(command) => commands::local::run(&command, terminal),
            Command::Test(args) => commands::test::run(&args, &project()?, terminal),
            Command::Completions(args) => commands::completions::run(&args, terminal),
        }
    }
}

/// Whether the program was called by the name that `cargo install` gives it. The launcher behind `cargo xtask` gives it
/// another one.
fn is_installed(program: Option<&OsString>) -> bool {
    let name = program.and_then(|program| std::path::Path::new(program).file_name());
    name.is_some_and(|name| name == "longrun")
}

/// Whether the command talks to a cluster and does not say which one.
fn takes_users_cluster(mut command: &clap::Command, mut matches: &ArgMatches) -> bool {
    while let Some((name, below)) = matches.subcommand()
        && let Some(subcommand) = command.find_subcommand(name)
    {
        (command, matches) = (subcommand, below);
    }
    let given = |name: &str| {
        let mut arguments = command.get_arguments();
        let takes = arguments.any(|argument| argument.get_id() == name);
        takes.then(|| matches.contains_id(name))
    };
    // What was saved is of no cluster that could be reached.
    given("cluster") == Some(false) && given("from") != Some(true)
}

/// Whether arguments that could not be read ask for documents.
pub(crate) fn asks_for_json(arguments: &[OsString]) -> bool {
    let is_two_words = arguments
        .windows(2)
        .any(|pair| pair == ["--output", "json"]);
    is_two_words || arguments.iter().any(|one| one == "--output=json")
}

#[cfg(test)]
mod tests;
