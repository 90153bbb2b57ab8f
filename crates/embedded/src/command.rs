//! Runs other programs and turns their failures into errors.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::Error;
use crate::files::last_lines;

/// Where Debian keeps programs for root; not on every user's PATH.
const EXTRA: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The PATH with the directories of root's programs.
pub(crate) fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
    format!("{path}:{}", EXTRA.join(":"))
}

/// Where `program` is, if it is installed.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    search_path()
        .split(':')
        .map(|directory| Path::new(directory).join(program))
        .find(|candidate| candidate.is_file())
}

/// A command that finds root's programs and reads nothing.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", search_path()).stdin(Stdio::null());
    command
}

/// Runs `program` and returns what it printed.
pub(crate) fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Result<String, Error> {
    let mut command = command(program);
    command.args(arguments);
    output(&mut command)
}

/// Runs a prepared command and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String, Error> {
    let result = command.output();
    match result {
        Ok(done) if done.status.success() => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        Ok(done) => Err(failure(command, &done)),
        Err(error) => Err(not_started(command, &error)),
    }
}

/// The error of a program that did not start.
pub(crate) fn not_started(command: &Command, error: &std::io::Error) -> Error {
    Error::Command {
        command: line(command),
        outcome: error.to_string(),
        output: String::new(),
    }
}

fn failure(command: &Command, done: &Output) -> Error {
    let text = [&done.stdout[..], &done.stderr[..]].concat();
    Error::Command {
        command: line(command),
        outcome: done.status.to_string(),
        output: last_lines(&String::from_utf8_lossy(&text), 20),
    }
}

fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
