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
    let installed = install_into(version, &partial).and_then(|()| {
        std::fs::rename(&partial, &directory).or_else(|error| {
            // Somebody else may have been faster.
            if binary.is_file() {
                Ok(())
            } else {
                Err(error.to_string())
            }
        })
    });
    let _ = std::fs::remove_dir_all(&partial);
    installed.map(|()| binary).map_err(failed)
}

fn install_into(version: &str, directory: &Path) -> Result<(), String> {
    std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
    let output = Command::new("npm")
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
        ])
        .arg(directory)
        .arg(format!("{PACKAGE}@{version}"))
        .output()
        .map_err(|error| format!("npm cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "npm: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    if !directory.join(BINARY).is_file() {
        return Err(format!(
            "the package has no {BINARY}; only x86-64 Linux is supported"
        ));
    }
    Ok(())
}
