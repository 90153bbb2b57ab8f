//! What goes into an image: the program built from these sources, the server as it is released, or the version
//! of a package.

use std::{
    io,
    path::{Path, PathBuf},
};

use longrun_core::version::Version;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::{Error, Report, built, key::hexadecimal, run::run};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// `restate-server` of a version, from npm. A published version never changes, so its number is its
    /// content, and it is not downloaded to know the image's name.
    Released { version: String },
    /// A program of this workspace, built from these sources.
    Built {
        binary: Binary,
        path: PathBuf,
        digest: String,
    },
    /// A version of a Debian package, which the Containerfile installs.
    Packaged { version: String },
}

/// A program of this workspace that runs as a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Binary {
    /// As cargo, the Containerfile and pods call it.
    pub(super) name: &'static str,
    package: &'static str,
}

pub(super) const VERIFICATION: Binary = Binary {
    name: "verification",
    package: "longrun-verification",
};

/// The service that is wrong on purpose, which is in no image.
pub(super) const FAULTY_SERVICE: Binary = Binary {
    name: "faulty-service",
    package: "longrun-verification",
};

const RECORDER: Binary = Binary {
    name: "recorder",
    package: "longrun-recorder",
};

const FAULT: Binary = Binary {
    name: "longrun-fault",
    package: "longrun-kubernetes",
};

/// Built with one command: one at a time, cargo would build again for each what they have in common.
const OURS: [Binary; 4] = [VERIFICATION, FAULTY_SERVICE, RECORDER, FAULT];

/// What an image has in it, if it is one of ours.
pub(super) fn in_image(image: &str) -> Option<Binary> {
    match image {
        "verification" => Some(VERIFICATION),
        "recorder" => Some(RECORDER),
        "faults" => Some(FAULT),
        _ => None,
    }
}

impl Program {
    /// The released server of an exact version. npm would also take ranges and tags, which mean another
    /// version tomorrow.
    pub(super) fn released(version: &str) -> Result<Self, Error> {
        let is_exact = version.parse::<Version>().is_ok();
        let version = version.to_owned();
        if is_exact {
            Ok(Self::Released { version })
        } else {
            Err(Error::NoSuchRestate { version })
        }
    }

    /// What the Containerfile calls it.
    pub(super) fn file_name(&self) -> &'static str {
        match self {
            Self::Released { .. } => "restate-server",
            Self::Built { binary, .. } => binary.name,
            Self::Packaged { .. } => "version",
        }
    }

    /// What tells its content from any other.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Released { version } => format!("@restatedev/restate-server {version}"),
            Self::Built { digest, .. } => digest.clone(),
            Self::Packaged { version } => version.clone(),
        }
    }

    /// Puts it into the directory that an image is built from.
    pub(super) async fn stage(
        &self,
        cache: &Path,
        context: &Path,
        report: Report<'_>,
    ) -> Result<(), Error> {
        let staged = context.join(self.file_name());
        match self {
            Self::Released { version } => copy(&install(version, cache, report).await?, &staged),
            Self::Packaged { version } => {
                std::fs::write(&staged, version).map_err(Error::file("write", &staged))
            }
            Self::Built { path, digest, .. } => {
                copy(path, &staged)?;
                // Somebody may have built again meanwhile, and the image's name would be wrong.
                if digest_of(&staged)? == *digest {
                    Ok(())
                } else {
                    Err(Error::Changed(path.clone()))
                }
            }
        }
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    std::fs::copy(from, to)
        .map(drop)
        .map_err(Error::file("copy", from))
}

pub(super) fn digest_of(path: &Path) -> Result<String, Error> {
    let content = std::fs::read(path).map_err(Error::file("read", path))?;
    Ok(hexadecimal(&Sha256::digest(content)))
}

/// A program, built with our others unless it is known that these sources were. `folder` is where that is remembered,
/// and `sources` what [`built::sources`] says. Without `report` nothing is built.
pub(super) async fn build(
    binary: Binary,
    root: &Path,
    folder: &Path,
    sources: Option<&str>,
    report: Option<Report<'_>>,
) -> Result<Program, Error> {
    if let Some(sources) = sources
        && let Some(program) = built::recall(binary, folder, sources)
    {
        return Ok(program);
    }
    let report = report.ok_or(Error::NotBuilt(binary.name))?;
    let programs = cargo_build(root, report).await?;
    // Whoever edited them meanwhile knows better than we what was built.
    if let Some(sources) = sources
        && built::sources(root).as_deref() == Some(sources)
    {
        for program in &programs {
            built::remember(folder, sources, program);
        }
    }
    let is_wanted = |program: &Program| matches!(program, Program::Built { binary: other, .. } if *other == binary);
    programs
        .into_iter()
        .find(is_wanted)
        .ok_or_else(|| Error::Cargo(format!("cargo named no executable {}", binary.name)))
}

async fn cargo_build(root: &Path, report: Report<'_>) -> Result<Vec<Program>, Error> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("build");
    for binary in OURS {
        cargo.args(["--package", binary.package, "--bin", binary.name]);
    }
    cargo
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root);
    // `cargo xtask` sets these for its own package. Build scripts that look at them would run again at
    // every change between here and a build by hand.
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        let of_package = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
            "CARGO_PRIMARY_",
        ];
        if of_package.iter().any(|start| name.starts_with(start)) {
            cargo.env_remove(&variable);
        }
    }
    let is_message = |line: &str| line.starts_with('{');
    let news = |line: &str| {
        if !is_message(line) {
            report(&format!("cargo build: {line}"));
        }
    };
    let ran = run(&mut cargo, &news)
        .await
        .map_err(Error::start("cargo"))?;
    if !ran.success {
        return Err(Error::Cargo(ran.end_without(is_message)));
    }
    let built = |binary| {
        let path = ran
            .stdout
            .lines()
            .find_map(|line| executable(line, binary))?;
        let digest = digest_of(&path);
        Some(digest.map(|digest| Program::Built {
            binary,
            path,
            digest,
        }))
    };
    OURS.into_iter().filter_map(built).collect()
}

/// The path in a message of cargo, if the message is about the executable that was asked for.
fn executable(message: &str, binary: Binary) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let wanted =
        message["reason"] == "compiler-artifact" && message["target"]["name"] == binary.name;
    message["executable"]
        .as_str()
        .filter(|_| wanted)
        .map(PathBuf::from)
}

/// Installs a released server where it is missing.
pub(super) async fn install(
    version: &str,
    cache: &Path,
    report: Report<'_>,
) -> Result<PathBuf, Error> {
    // It appends the project's own folder, which `cache` is already.
    let caches = cache.parent().unwrap_or(cache).to_path_buf();
    let wanted = version.to_owned();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel::<String>();
    let installing = tokio::task::spawn_blocking(move || {
        longrun_restate::process::install(&wanted, &caches, &|news| {
            // Nobody listens any more when the command was interrupted.
            let _ = tell.send(news.to_owned());
        })
    });
    while let Some(news) = told.recv().await {
        report(&news);
    }
    let installed = installing
        .await
        .map_err(io::Error::other)
        .map_err(Error::start("npm"))?;
    installed.map_err(|error| not_installed(version, error))
}

/// Of the ways in which npm fails, those that a person can do something particular about.
fn not_installed(version: &str, error: longrun_restate::Error) -> Error {
    let said = longrun_restate::one_line(&error);
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|directory| directory.join("npm").is_file()) {
        return Error::Npm {
            version: version.to_owned(),
        };
    }
    // npm's own codes: no version that matches, nothing at that address, not a version at all.
    if ["ETARGET", "E404", "EINVALIDTAGNAME"]
        .iter()
        .any(|code| said.contains(code))
    {
        return Error::NoSuchRestate {
            version: version.to_owned(),
        };
    }
    if said.contains("ENOSPC") {
        return Error::DiskFull {
            doing: format!("installing restate-server {version}"),
            output: said,
        };
    }
    Error::Restate(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_versions_of_restate_are_taken() {
        for exact in ["1.7.12", "1.8.0-rc.1"] {
            assert!(Program::released(exact).is_ok(), "{exact}");
        }
        for moving in [
            "1", "1.7", "next", "v1.7.12", "1.7.x", "1.7.12.1", "1.07.12", "1.7.12-", "",
        ] {
            let error = Program::released(moving).expect_err(moving);
            assert!(matches!(error, Error::NoSuchRestate { .. }), "{error}");
        }
    }

    #[test]
    fn the_ends_of_the_supported_range_are_what_tests_run() {
        use longrun_core::{inputs::Restate, version::SUPPORTED};
        use longrun_restate::process::{OLDEST, VERSION};
        for end in [OLDEST, VERSION] {
            let version: Version = end.parse().expect("a version");
            assert!(SUPPORTED.contains(&version), "{end} is not in {SUPPORTED}");
        }
        assert!(SUPPORTED.to_string().starts_with(&format!(">={OLDEST},")));
        assert_eq!(Restate::default().image.tag(), VERSION);
    }

    #[test]
    fn cargo_names_the_executable() {
        let message = r#"{"reason":"compiler-artifact","target":{"name":"verification"},"executable":"/t/release/verification"}"#;
        assert_eq!(
            executable(message, VERIFICATION),
            Some(PathBuf::from("/t/release/verification"))
        );
        for other in [
            "   Compiling verification",
            r#"{"reason":"compiler-artifact","target":{"name":"verification"},"executable":null}"#,
            r#"{"reason":"compiler-artifact","target":{"name":"faulty-service"},"executable":"/t/release/faulty-service"}"#,
            r#"{"reason":"build-finished","success":true}"#,
        ] {
            assert_eq!(executable(other, VERIFICATION), None, "{other}");
        }
    }
}
