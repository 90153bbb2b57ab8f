//! Runs other programs, and passes on what they say while they do it.

use std::{cell::RefCell, io, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::Command,
};

use super::{Error, Report};

/// How many lines of a failure are shown.
const LINES: usize = 20;

/// What a program printed until it ended.
pub(super) struct Ran {
    pub(super) success: bool,
    pub(super) stdout: String,
    /// Both outputs, in the order they came.
    said: String,
}

impl Ran {
    /// The end of what it said, which is where programs say why.
    pub(super) fn end(&self) -> String {
        last_lines(&self.said, LINES)
    }

    /// The same without the lines that are meant for programs.
    pub(super) fn end_without(&self, unwanted: impl Fn(&str) -> bool) -> String {
        let wanted: Vec<&str> = self.said.lines().filter(|line| !unwanted(line)).collect();
        last_lines(&wanted.join("\n"), LINES)
    }

    /// The error of a program that failed.
    pub(super) fn error(&self, doing: impl Into<String>) -> Error {
        Error::of_output(doing.into(), self.end())
    }

    /// Its output if it succeeded, or an error that says what it was `doing`.
    pub(super) fn succeeded(self, doing: impl Into<String>) -> Result<Self, Error> {
        if self.success {
            Ok(self)
        } else {
            Err(self.error(doing))
        }
    }
}

/// Runs a program to its end; dropping the future kills it. Each line it prints is news.
pub(super) async fn run(command: &mut Command, news: Report<'_>) -> io::Result<Ran> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let said = RefCell::new(String::new());
    let hear = |line: &str| {
        said.borrow_mut().push_str(line);
        // Of a line that was written over, the last state.
        let line = line.trim().rsplit('\r').next().unwrap_or_default();
        if !line.is_empty() {
            news(line);
        }
    };
    let (stdout, _, status) =
        tokio::try_join!(lines(stdout, &hear), lines(stderr, &hear), child.wait())?;
    Ok(Ran {
        success: status.success(),
        stdout,
        said: said.into_inner(),
    })
}

async fn lines(stream: Option<impl AsyncRead + Unpin>, hear: Report<'_>) -> io::Result<String> {
    let mut all = String::new();
    let Some(stream) = stream else { return Ok(all) };
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await? > 0 {
        let text = String::from_utf8_lossy(&line);
        hear(&text);
        all.push_str(&text);
        line.clear();
    }
    Ok(all)
}

pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
