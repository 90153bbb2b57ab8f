//! What builds images: docker, podman and buildah differ in the words for the same few things.

use std::{ffi::OsString, fmt::Display, net::IpAddr, path::Path, time::Duration};

use longrun_core::inputs::ImageReference;
use tokio::process::Command;

use super::{
    Error, Image, Report,
    run::{Ran, last_lines, run},
};

/// A program that builds images and that works here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builder {
    Docker,
    Podman,
    Buildah,
}

/// How long a builder may take to say whether it works. An engine on a dead socket never answers.
const ANSWER: Duration = Duration::from_secs(10);

/// A file for the digest of what was pushed.
const DIGEST: &str = "digest";

impl Builder {
    /// The first one that is installed and works. A docker client alone does not: it needs its engine.
    pub(super) async fn find() -> Result<Self, Error> {
        let mut reasons = Vec::new();
        for builder in [Self::Docker, Self::Podman, Self::Buildah] {
            match builder.works().await {
                Ok(()) => return Ok(builder),
                Err(reason) => reasons.push(format!("{}: {reason}", builder.program())),
            }
        }
        Err(Error::NoBuilder(reasons))
    }

    fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Buildah => "buildah",
        }
    }

    async fn works(self) -> Result<(), String> {
        let mut command = self.command(match self {
            Self::Docker => &["version", "--format", "{{.Server.Version}}"],
            Self::Podman | Self::Buildah => &["info"],
        });
        match tokio::time::timeout(ANSWER, run(&mut command, &|_| ())).await {
            Ok(Ok(ran)) if ran.success => Ok(()),
            Ok(Ok(ran)) => Err(last_lines(&ran.end(), 1)),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                Err("not installed".into())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", ANSWER.as_secs())),
        }
    }

    /// Whether its store has an image.
    pub(super) async fn has(self, reference: impl Display) -> Result<bool, Error> {
        let mut command = self.command(match self {
            Self::Docker | Self::Podman => &["image", "inspect"],
            Self::Buildah => &["inspect", "--type", "image"],
        });
        command.arg(reference.to_string());
        Ok(self.run(&mut command, &|_| ()).await?.success)
    }

    /// Pulls an image into its store.
    pub(super) async fn pull(self, name: &str, report: Report<'_>) -> Result<(), Error> {
        // Docker knows which registry a short name means; the others would ask, or not find one.
        let name = match self {
            Self::Docker => name.to_owned(),
            Self::Podman | Self::Buildah => format!("docker.io/library/{name}"),
        };
        let news = |line: &str| report(&format!("pulling {name}: {line}"));
        let ran = self.run(&mut self.command(&["pull", &name]), &news).await?;
        ran.succeeded(format!("{} pull {name}", self.program()))
            .map(drop)
    }

    /// Makes an image of a root file system.
    pub(super) async fn import(self, tree: &Path, name: &str, folder: &Path) -> Result<(), Error> {
        let doing = format!("{}: importing {}", self.program(), tree.display());
        if self != Self::Buildah {
            let mut command = self.command(&["import"]);
            command.arg(tree).arg(name);
            return self
                .run(&mut command, &|_| ())
                .await?
                .succeeded(doing)
                .map(drop);
        }
        let context = folder.join(super::store::STAGING);
        std::fs::create_dir_all(&context).map_err(Error::file("create", &context))?;
        let containerfile = context.join("Containerfile");
        std::fs::write(
            &containerfile,
            "FROM scratch\nADD tree.tar /\nCMD [\"bash\"]\n",
        )
        .map_err(Error::file("write", &containerfile))?;
        let here = context.join("tree.tar");
        std::fs::hard_link(tree, &here).map_err(Error::file("link", &here))?;
        let mut command = self.command(&[
            "bud",
            "--format",
            "docker",
            "--isolation",
            "chroot",
            "--tag",
            name,
        ]);
        command.arg(&context);
        let ran = self.run(&mut command, &|_| ()).await;
        let _ = std::fs::remove_dir_all(&context);
        ran?.succeeded(doing).map(drop)
    }

    /// Builds an image from a directory with its files, into its store.
    pub(super) async fn build(
        self,
        image: &Image,
        base: &str,
        context: &Path,
        report: Report<'_>,
    ) -> Result<(), Error> {
        let mut command = self.command(match self {
            Self::Docker => &["build", "--progress", "plain"],
            // The base is there; asking a registry for a newer one takes long or fails.
            Self::Podman => &[
                "build",
                "--format",
                "docker",
                "--isolation",
                "chroot",
                "--layers=false",
                "--pull-never",
            ],
            Self::Buildah => &[
                "bud",
                "--format",
                "docker",
                "--isolation",
                "chroot",
                "--pull-never",
            ],
        });
        command
            .arg("--build-arg")
            .arg(format!("BASE={base}"))
            .args(["--tag", image.reference.as_str(), "--file"])
            .args([&image.containerfile, context]);
        let news = |line: &str| report(&format!("building {}: {line}", image.name));
        let ran = self.run(&mut command, &news).await?;
        ran.succeeded(format!("building {} with {}", image.name, self.program()))
            .map(drop)
    }

    /// Writes an image of its store to a file.
    pub(super) async fn save(self, reference: &ImageReference, file: &Path) -> Result<(), Error> {
        let mut command = match self {
            Self::Docker => self.command(&["save", "--output"]),
            Self::Podman => self.command(&["save", "--format", "docker-archive", "--output"]),
            Self::Buildah => self.command(&["push", reference.as_str()]),
        };
        match self {
            Self::Docker | Self::Podman => command.arg(file).arg(reference.as_str()),
            Self::Buildah => command.arg(transport("docker-archive:", file, Some(reference))),
        };
        self.run(&mut command, &|_| ())
            .await?
            .succeeded(format!("writing {}", file.display()))
            .map(drop)
    }

    /// Reads an image into its store.
    pub(super) async fn load(self, file: &Path) -> Result<(), Error> {
        let mut command = match self {
            Self::Docker | Self::Podman => self.command(&["load", "--input"]),
            Self::Buildah => self.command(&["pull"]),
        };
        match self {
            Self::Docker | Self::Podman => command.arg(file),
            Self::Buildah => command.arg(transport("docker-archive:", file, None)),
        };
        self.run(&mut command, &|_| ())
            .await?
            .succeeded(format!("reading {}", file.display()))
            .map(drop)
    }

    /// Takes an image out of its store: the archive and the registry have it, and each takes much space.
    pub(super) async fn forget(self, reference: &ImageReference) {
        // If it stays, it is only in the way.
        let _ = self
            .run(&mut self.command(&["rmi", reference.as_str()]), &|_| ())
            .await;
    }

    /// Pushes an image of its store and answers the digest, with `sha256:` before it.
    pub(super) async fn push(
        self,
        reference: &ImageReference,
        folder: &Path,
        report: Report<'_>,
    ) -> Result<String, Error> {
        let file = folder.join(DIGEST);
        let mut command = self.command(&["push"]);
        if self != Self::Docker {
            command.arg("--digestfile").arg(&file);
            // As docker does: what listens on this very machine has no certificate.
            if is_loopback(registry(reference)) {
                command.arg("--tls-verify=false");
            }
        }
        command.arg(reference.as_str());
        let news = |line: &str| report(&format!("pushing {reference}: {line}"));
        let ran = self.run(&mut command, &news).await?;
        if !ran.success {
            return Err(self.refused(reference, &ran));
        }
        let told = match self {
            Self::Docker => ran.stdout,
            Self::Podman | Self::Buildah => {
                std::fs::read_to_string(&file).map_err(Error::file("read", &file))?
            }
        };
        let nameless = || Error::Push {
            reference: reference.clone(),
            output: "its digest was not told".into(),
        };
        digest(&told).ok_or_else(nameless)
    }

    fn refused(self, reference: &ImageReference, ran: &Ran) -> Error {
        let registry = registry(reference).to_owned();
        let reference = reference.clone();
        // Builders try several times and say the same each time.
        let output = last_lines(&ran.end(), 1);
        match refusal(&output) {
            Some(Refusal::NoRepository) => Error::NoRepository {
                registry,
                reference,
                output,
            },
            Some(Refusal::Unauthorised) => Error::Unauthorised {
                registry,
                reference,
                program: self.program(),
                output,
            },
            None => Error::Push { reference, output },
        }
    }

    fn command(self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program());
        command.args(arguments);
        command
    }

    async fn run(self, command: &mut Command, news: Report<'_>) -> Result<Ran, Error> {
        run(command, news)
            .await
            .map_err(Error::start(self.program()))
    }
}

/// `docker-archive:<file>[:<reference>]`
fn transport(kind: &str, file: &Path, reference: Option<&ImageReference>) -> OsString {
    let mut place = OsString::from(kind);
    place.push(file);
    if let Some(reference) = reference {
        place.push(format!(":{reference}"));
    }
    place
}

/// The host of a reference, with its port.
fn registry(reference: &ImageReference) -> &str {
    reference.as_str().split('/').next().unwrap_or_default()
}

fn is_loopback(registry: &str) -> bool {
    let host = registry.split(':').next().unwrap_or_default();
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The first digest in what a push printed.
fn digest(text: &str) -> Option<String> {
    let (_, after) = text.split_once("sha256:")?;
    let digits: String = after.chars().take_while(char::is_ascii_hexdigit).collect();
    (digits.len() == 64).then(|| format!("sha256:{digits}"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    NoRepository,
    Unauthorised,
}

/// Why a registry refused, by the words of the common ones.
fn refusal(output: &str) -> Option<Refusal> {
    const WORDS: [(&str, Refusal); 8] = [
        // Before the others: Amazon ECR and Docker Hub say both.
        ("repository with name", Refusal::NoRepository),
        ("name unknown", Refusal::NoRepository),
        ("no basic auth credentials", Refusal::Unauthorised),
        ("unauthorized", Refusal::Unauthorised),
        ("authentication required", Refusal::Unauthorised),
        ("authorization token has expired", Refusal::Unauthorised),
        ("denied", Refusal::Unauthorised),
        ("403 (forbidden)", Refusal::Unauthorised),
    ];
    let output = output.to_lowercase();
    WORDS
        .iter()
        .find(|(words, _)| output.contains(words))
        .map(|(_, refusal)| *refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_found_in_what_builders_print() {
        let hash = "0123456789abcdef".repeat(4);
        let docker = format!(
            "The push refers to repository [a.example/b]\n1: digest: sha256:{hash} size: 529\n"
        );
        assert_eq!(digest(&docker), Some(format!("sha256:{hash}")));
        assert_eq!(
            digest(&format!("sha256:{hash}")),
            Some(format!("sha256:{hash}"))
        );
        assert_eq!(digest("sha256:0123"), None);
        assert_eq!(digest("pushed"), None);
    }

    #[test]
    fn refusals_are_told_apart() {
        for (output, expected) in [
            (
                "unauthorized: authentication required",
                Some(Refusal::Unauthorised),
            ),
            ("no basic auth credentials", Some(Refusal::Unauthorised)),
            (
                "denied: User: x is not authorized to perform: ecr:InitiateLayerUpload",
                Some(Refusal::Unauthorised),
            ),
            (
                "denied: Your authorization token has expired. Reauthenticate and try again.",
                Some(Refusal::Unauthorised),
            ),
            (
                "name unknown: The repository with name 'longrun/restate' does not exist in the registry",
                Some(Refusal::NoRepository),
            ),
            ("dial tcp 127.0.0.1:1: connect: connection refused", None),
        ] {
            assert_eq!(refusal(output), expected, "{output}");
        }
    }

    #[test]
    fn only_this_machine_is_trusted_without_certificate() {
        for near in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3"] {
            assert!(is_loopback(near), "{near}");
        }
        for far in [
            "registry.example:5000",
            "10.0.0.1:5000",
            "localhost.example",
        ] {
            assert!(!is_loopback(far), "{far}");
        }
    }
}
