//! The server's binary, from its npm package: a static Linux executable, so it also runs in an
//! image without anything else.

use crate::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of Restate that this workspace is built for and tested with.
pub const VERSION: &str = "1.7.12";

const PACKAGE: &str = "@restatedev/restate-server";
/// Where npm puts the executable for x86-64 Linux.
const BINARY: &str = "node_modules/@restatedev/restate-server-linux-x64/bin/restate-server";

/// The path of `restate-server` of this version, installed with npm below `cache` where it is not
/// there already: `<cache>/longrun/restate/<version>/…`. What takes time is reported first.
///
/// # Errors
/// [`Error::NotInstalled`] when npm is absent, fails, or brings no such executable.
pub fn install(version: &str, cache: &Path, report: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    let directory = cache.join("longrun/restate").join(version);
    let binary = directory.join(BINARY);
    if binary.is_file() {
        return Ok(binary);
    }
    let failed = |reason: String| Error::NotInstalled {
        version: version.into(),
        directory: directory.clone(),
        reason,
    };
    report(&format!(
        "installing restate-server {version} from npm into {}",
        directory.display()
    ));
    // Installed beside and renamed, so that an interrupted or concurrent run leaves no half of it.
    let partial = directory.with_file_name(format!("{version}.partial-{}", std::process::id()));
    std::fs::create_dir_all(&partial).map_err(|error| failed(error.to_string()))?;
    let output = Command::new("npm")
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
        ])
        .arg(&partial)
        .arg(format!("{PACKAGE}@{version}"))
        .output()
        .map_err(|error| failed(format!("npm cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(failed(format!(
            "npm: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )));
    }
    if !partial.join(BINARY).is_file() {
        return Err(failed(format!(
            "the package has no {BINARY}; only x86-64 Linux is supported"
        )));
    }
    match std::fs::rename(&partial, &directory) {
        Ok(()) => Ok(binary),
        // Somebody else was faster.
        Err(_) if binary.is_file() => {
            let _ = std::fs::remove_dir_all(&partial);
            Ok(binary)
        }
        Err(error) => Err(failed(error.to_string())),
    }
}
