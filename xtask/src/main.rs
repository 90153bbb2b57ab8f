//! `cargo xtask`: the command line. It parses, calls what decides and what acts, and talks; it decides
//! nothing.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    failure::{ExitStatus, Failure},
    project::Project,
    terminal::{Output, Terminal},
};

mod access;
mod attachment;
mod commands;
mod database;
mod deployment;
mod drift;
mod failure;
mod images;
mod interrupt;
mod operation;
mod project;
mod recorded;
mod reproduction;
mod saved;
mod sender;
mod show;
mod terminal;

/// Long-running verification of Restate: from files to a namespace whose tests pass every minute.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
    /// The form of the result on stdout.
    #[arg(long, global = true, value_enum, default_value_t)]
    output: Output,
    /// Read environments and clusters from here instead of the project.
    #[arg(long, global = true, value_name = "DIR")]
    inputs: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Render(commands::render::Args),
    Deploy(commands::deploy::Args),
    Diff(commands::diff::Args),
    Status(commands::status::Args),
    Attach(commands::attach::Args),
    Copy(commands::copy::Args),
    Snapshot(commands::snapshot::Args),
    Wipe(commands::wipe::Args),
    Restore(commands::restore::Args),
    Triage(commands::triage::Args),
    Reproduce(commands::reproduce::Args),
    /// The faults that are injected on purpose.
    #[command(subcommand)]
    Chaos(commands::chaos::Command),
    /// The cluster files.
    #[command(subcommand)]
    Cluster(commands::cluster::Command),
    /// The embedded cluster.
    #[command(subcommand)]
    Local(commands::local::Command),
    Images(commands::images::Args),
    Test(commands::test::Args),
}

fn main() -> ExitCode {
    // The embedded cluster's supervisor is a copy of this program.
    if let Some(code) = longrun_embedded::supervise_main() {
        return code;
    }
    let arguments = CommandLine::parse();
    let terminal = Terminal::new(arguments.output);
    match run(arguments, &terminal) {
        Ok(end) => end.into(),
        Err(failure) => {
            terminal.say(&format!("error: {}", failure.message));
            for hint in &failure.hints {
                terminal.say(&format!("  → {hint}"));
            }
            failure.end.into()
        }
    }
}

fn run(arguments: CommandLine, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let project = Project::find(arguments.inputs)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        match arguments.command {
            Command::Render(args) => commands::render::run(&args, &project, terminal),
            Command::Deploy(args) => commands::deploy::run(&args, &project, terminal).await,
            Command::Diff(args) => commands::diff::run(&args, &project, terminal).await,
            Command::Status(args) => commands::status::run(&args, &project, terminal).await,
            Command::Snapshot(args) => commands::snapshot::run(&args, &project, terminal).await,
            Command::Wipe(args) => commands::wipe::run(&args, &project, terminal).await,
            Command::Restore(args) => commands::restore::run(&args, &project, terminal).await,
            Command::Triage(args) => commands::triage::run(&args, &project, terminal).await,
            Command::Reproduce(args) => commands::reproduce::run(&args, &project, terminal).await,
            Command::Chaos(command) => commands::chaos::run(&command, &project, terminal).await,
            Command::Attach(args) => commands::attach::run(&args, &project, terminal).await,
            Command::Copy(args) => commands::copy::run(&args, &project, terminal).await,
            Command::Cluster(command) => commands::cluster::run(&command, &project, terminal).await,
            Command::Local(command) => commands::local::run(&command, terminal),
            Command::Images(args) => commands::images::run(&args, &project, terminal).await,
            Command::Test(args) => commands::test::run(&args, &project, terminal),
        }
    })
}
