//! Runs other programs and turns their failures into errors.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

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
        Ok(done) => {
            let text = [&done.stdout[..], &done.stderr[..]].concat();
            let text = String::from_utf8_lossy(&text);
            Err(failure(command, done.status, &text))
        }
        Err(error) => Err(not_started(command, &error)),
    }
}

/// Runs a prepared command to its end and passes on each line that it prints,
/// to either output, as it comes.
pub(crate) fn follow(command: &mut Command, mut hear: impl FnMut(&str)) -> Result<(), Error> {
    let (lines, mut child) = std::io::pipe()
        .and_then(|(lines, end)| {
            command.stdout(end.try_clone()?).stderr(end);
            let child = command.spawn();
            // It holds the end of the pipe as well, which the child's must close.
            command.stdout(Stdio::null()).stderr(Stdio::null());
            Ok((lines, child?))
        })
        .map_err(|error| not_started(command, &error))?;
    let mut printed = Vec::new();
    for text in BufReader::new(lines).split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&text).into_owned();
        hear(&text);
        printed.push(text);
    }
    let status = child.wait().map_err(|error| not_started(command, &error))?;
    if status.success() {
        return Ok(());
    }
    Err(failure(command, status, &printed.join("\n")))
}

/// The error of a program that did not start.
pub(crate) fn not_started(command: &Command, error: &std::io::Error) -> Error {
    Error::Command {
        command: line(command),
        outcome: error.to_string(),
        output: String::new(),
    }
}

fn failure(command: &Command, status: ExitStatus, printed: &str) -> Error {
    Error::Command {
        command: line(command),
        outcome: status.to_string(),
        output: last_lines(printed, 20),
    }
}

fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_outputs_are_passed_on_and_told_on_failure() {
        let mut heard = Vec::new();
        let mut shell = command("sh");
        shell.args(["-c", "echo one; echo two >&2; exit 3"]);
        let error = follow(&mut shell, |line| heard.push(line.to_owned())).unwrap_err();
        assert_eq!(heard, ["one", "two"]);
        let Error::Command {
            outcome, output, ..
        } = &error
        else {
            panic!("{error}");
        };
        assert_eq!(
            (outcome.as_str(), output.as_str()),
            ("exit status: 3", "  one\n  two")
        );
    }
}
