//! What can go wrong when talking to a Restate node.

use std::path::PathBuf;
use std::time::Duration;

/// The one error of this crate. Its text does not repeat its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No connection, or it broke before the answer was complete.
    #[error("{url} is unreachable")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No complete answer within the time that was given.
    #[error("{url} did not answer within {within:?}")]
    TimedOut {
        /// What was asked.
        url: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// The node, or the handler that it called, answered with an error.
    #[error("{message}")]
    Answered {
        /// What was asked.
        url: String,
        /// HTTP status: from the ingress, the code of a terminal error of the handler.
        status: u16,
        /// The message in the answer, or the whole answer where it has none.
        message: String,
        /// Whether the handler itself ended the invocation with this error.
        terminal: bool,
    },
    /// The answer is not what this interface of Restate 1.7.12 answers.
    #[error("{url} answered something else than expected")]
    Unexpected {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server could not be installed.
    #[error("cannot install restate-server {version} into {}", directory.display())]
    NotInstalled {
        /// The wanted version.
        version: String,
        /// Where it was to be.
        directory: PathBuf,
        /// What npm or the file system said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server's process could not be started, or ended.
    #[error("restate-server {reason}; its log is {}", log.display())]
    Process {
        /// What happened.
        reason: String,
        /// Where its output is.
        log: PathBuf,
        /// What the operating system said, if it was asked.
        source: Option<std::io::Error>,
    },
}

impl Error {
    /// Whether the same request may well succeed later: nobody has decided against it. An error
    /// that the handler ended its invocation with is not transient.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            // Answered by the node itself while it has no leader, no service, or too much to do.
            Self::Answered {
                status, terminal, ..
            } => !terminal && (*status >= 500 || matches!(status, 404 | 408 | 429)),
            Self::Unexpected { .. } | Self::NotInstalled { .. } | Self::Process { .. } => false,
        }
    }
}

/// The message of an error with those of its causes, on one line.
#[must_use]
pub fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
