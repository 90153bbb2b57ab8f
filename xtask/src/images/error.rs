//! Why an image could not be had, and how to go on.

use std::{io, path::PathBuf};

use longrun_core::inputs::{ImageName, ImageReference};

use super::shown;
use crate::failure::Failure;

/// Why an image could not be named, built or pushed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An environment names an image that is not made here.
    #[error("cannot build image `{name}`: this project has no {}", shown(.containerfile))]
    UnknownImage {
        name: ImageName,
        containerfile: PathBuf,
    },
    /// The reference would not be one.
    #[error("invalid image reference: {0}")]
    Reference(String),
    /// Nothing here builds images.
    #[error("no image builder found:\n{}", .0.join("\n"))]
    NoBuilder(Vec<String>),
    #[error("cargo build failed:\n{0}")]
    Cargo(String),
    /// The sources are others than those of the program that there is, and nothing was to be built.
    #[error("{0} has not been built from these sources")]
    NotBuilt(&'static str),
    /// What was hashed is not what would go into the image.
    #[error("{} changed while its image was being built", shown(.0))]
    Changed(PathBuf),
    #[error("npm is not on the PATH; restate-server {version} comes from npm")]
    Npm { version: String },
    /// The version was never published.
    #[error("npm has no restate-server {version}")]
    NoSuchRestate { version: String },
    /// The server could not be installed for another reason.
    #[error(transparent)]
    Restate(#[from] longrun_restate::Error),
    /// There is no base to build on.
    #[error(
        "the base image {base} can be neither pulled nor built here\npulling it: {pull}\nmaking it: {make}"
    )]
    Base {
        base: &'static str,
        pull: String,
        make: String,
    },
    #[error("{doing} failed:\n{output}")]
    Build { doing: String, output: String },
    #[error("no space is left on the disk: {doing} failed:\n{output}")]
    DiskFull { doing: String, output: String },
    /// The registry wants to know who pushes.
    #[error("the registry {registry} requires a login to push {reference}:\n{output}")]
    Unauthorised {
        registry: String,
        reference: ImageReference,
        program: &'static str,
        output: String,
    },
    /// The registry does not make repositories by itself.
    #[error("the registry {registry} has no repository for {reference}:\n{output}")]
    NoRepository {
        registry: String,
        reference: ImageReference,
        output: String,
    },
    /// The registry could not be reached, or refused for another reason.
    #[error("{reference} could not be pushed:\n{output}")]
    Push {
        reference: ImageReference,
        output: String,
    },
    /// A program is there but could not be started.
    #[error("cannot run {program}")]
    Start { program: String, source: io::Error },
    #[error("cannot {action} {}", shown(.path))]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl Error {
    /// What to do about it.
    fn hint(&self) -> String {
        let hint = match self {
            Self::UnknownImage { .. } => {
                "ask for `restate:<version>`, `verification:<version>`, `recorder:<version>`, `faults:<version>` or `busybox:<version>` in the environment"
            }
            Self::Reference(_) => {
                "shorten the tag in the environment, or the registry in the cluster's file"
            }
            Self::NoBuilder(_) => "install the Debian package buildah, or podman or docker",
            Self::Cargo(_) => "see all of it: cargo build --workspace",
            Self::NotBuilt(_) => "build it: cargo xtask images",
            Self::Changed(_) => "run the command again when nothing else is building",
            Self::Npm { .. } => "install Node.js with npm: the Debian packages nodejs and npm",
            Self::NoSuchRestate { .. } => {
                "correct `restate.image` in the environment, or --restate; all versions: npm view @restatedev/restate-server versions"
            }
            Self::Restate(_) => {
                "check the connection to the npm registry, then run the command again"
            }
            Self::Base { .. } => {
                "install the Debian package mmdebstrap and check the connection to a Debian mirror, or pull the \
                 base yourself; then run the command again"
            }
            Self::Build { .. } | Self::Start { .. } => {
                "nothing was changed; fix the cause and run the command again"
            }
            Self::DiskFull { .. } => {
                "free some space: old archives are in `images` of the cache directory, and nothing else needs them"
            }
            Self::Unauthorised {
                registry, program, ..
            } => return login(registry, program),
            Self::NoRepository { .. } => {
                "create the repository (on Amazon ECR: aws ecr create-repository), then push again"
            }
            Self::Push { .. } => {
                "check `registry` in the cluster's file and the connection to it, then push again"
            }
            Self::File { .. } => "check the file's owner and the space on its disk",
        };
        hint.to_owned()
    }

    /// The error of a failed program, told by what it printed.
    pub(super) fn of_output(doing: String, output: String) -> Self {
        if output.to_lowercase().contains("no space left on device") {
            Self::DiskFull { doing, output }
        } else {
            Self::Build { doing, output }
        }
    }

    /// For `map_err`: the error of a file operation.
    pub(super) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull => Self::DiskFull {
                doing: format!("the attempt to {action} {}", shown(&path)),
                output: source.to_string(),
            },
            _ => Self::File {
                action,
                path,
                source,
            },
        }
    }

    /// For `map_err`: the error of a program that did not start.
    pub(super) fn start(program: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Start {
            program: program.to_owned(),
            source,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = Self::chain(&error);
        let failure = match &error {
            // The images before it are in the registry already.
            Error::Unauthorised { .. } | Error::NoRepository { .. } | Error::Push { .. } => {
                Self::half_way(message)
            }
            _ => Self::refused(message),
        };
        failure.hint(error.hint())
    }
}

fn login(registry: &str, program: &str) -> String {
    // <account>.dkr.ecr.<region>.amazonaws.com, whose passwords last twelve hours.
    match registry
        .split_once(".dkr.ecr.")
        .and_then(|(_, rest)| rest.split('.').next())
    {
        Some(region) => format!(
            "log in: aws ecr get-login-password --region {region} | {program} login --username AWS --password-stdin {registry}"
        ),
        None => format!("log in: {program} login {registry}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_log_in_is_the_registrys() {
        assert_eq!(
            login("registry.example:5000", "buildah"),
            "log in: buildah login registry.example:5000"
        );
        assert_eq!(
            login("1.dkr.ecr.eu-central-1.amazonaws.com", "docker"),
            "log in: aws ecr get-login-password --region eu-central-1 | docker login --username AWS \
             --password-stdin 1.dkr.ecr.eu-central-1.amazonaws.com"
        );
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let full = Error::of_output(
            "building".into(),
            "write /x: No space left on device".into(),
        );
        assert!(matches!(full, Error::DiskFull { .. }), "{full}");
        let other = Error::of_output("building".into(), "exit status 1".into());
        assert!(matches!(other, Error::Build { .. }), "{other}");
        let full = Error::file("write", "/x")(io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(full, Error::DiskFull { .. }), "{full}");
    }

    #[test]
    fn a_failure_has_its_cause_and_a_way_on() {
        let error = Error::file("read", "/x")(io::Error::from(io::ErrorKind::PermissionDenied));
        let failure = Failure::from(error);
        assert_eq!(failure.message, "cannot read /x: permission denied");
        assert_eq!(failure.hints.len(), 1);
        assert_eq!(failure.end, crate::failure::ExitStatus::Refused);
    }
}
