//! The command line, `cargo xtask` or `longrun`. It parses, calls what decides and what acts, and talks; it decides
//! nothing.

use std::{ffi::OsString, process::ExitCode};

use crate::{
    command_line::{CommandLine, asks_for_json},
    failure::{ExitStatus, Failure},
    terminal::{Output, Terminal},
};

mod access;
mod attachment;
mod command_line;
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
mod which;

fn main() -> ExitCode {
    // The embedded cluster's supervisor is a copy of this program.
    if let Some(code) = longrun_embedded::supervise_main() {
        return code;
    }
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command_line = match CommandLine::read(arguments.clone()) {
        Ok(command_line) => command_line,
        Err(error) => return unreadable(&error, &arguments),
    };
    let terminal = Terminal::new(command_line.output);
    match run(command_line, &terminal) {
        Ok(end) => end.into(),
        Err(failure) => {
            terminal.fail(&failure);
            failure.end.into()
        }
    }
}

fn run(command_line: CommandLine, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(format!("cannot start: {error}")))?;
    runtime.block_on(command_line.run(terminal))
}

/// Says what is wrong with the arguments, or what was asked about them (`--help`, `--version`).
fn unreadable(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let _ = error.print();
    if !error.use_stderr() {
        return ExitStatus::Done.into();
    }
    let failure = Failure::refused(error.to_string().trim_start_matches("error: ").trim_end());
    if asks_for_json(arguments) {
        Terminal::new(Output::Json).fail_in_document(&failure);
    }
    failure.end.into()
}
