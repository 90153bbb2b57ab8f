//! The server's binary, from its npm package: a static Linux executable, so it also runs in an
//! image without anything else.

use crate::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of Restate that this workspace is built for and tested with.
pub const VERSION: &str = "1.7.12";
/// The oldest version that it is tested with.
pub const OLDEST: &str = "1.6.1";

const PACKAGE: &str = "@restatedev/restate-server";
/// Where npm puts the executable for x86-64 Linux.
const BINARY: &str = "node_modules/@restatedev/restate-server-linux-x64/bin/restate-server";

type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
#[error("npm cannot be run")]
struct NoNpm(#[source] std::io::Error);

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
    let failed = |source| Error::NotInstalled {
        version: version.into(),
        directory: directory.clone(),
        source,
    };
    report(&format!(
        "installing restate-server {version} from npm into {}",
        directory.display()
    ));
    install_once(version, &directory).map_err(failed)?;
    Ok(binary)
}

/// Installs beside and renames, so that an interrupted run leaves no half of it; one at a time,
/// because two would write into the same place.
fn install_once(version: &str, directory: &Path) -> Result<(), Source> {
    let place = directory.parent().unwrap_or(directory);
    std::fs::create_dir_all(place)?;
    let turn = File::open(place)?;
    turn.lock()?;
    if directory.join(BINARY).is_file() {
        return Ok(());
    }
    let partial = directory.with_file_name(format!("{version}.partial"));
    // Of a run that was killed.
    let _ = std::fs::remove_dir_all(&partial);
    let installed =
        fetch(version, &partial).and_then(|()| Ok(std::fs::rename(&partial, directory)?));
    let _ = std::fs::remove_dir_all(&partial);
    installed
}

fn fetch(version: &str, directory: &Path) -> Result<(), Source> {
    std::fs::create_dir_all(directory)?;
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
        .map_err(NoNpm)?;
    if !output.status.success() {
        return Err(format!("npm: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    if !directory.join(BINARY).is_file() {
        return Err(format!("the package has no {BINARY}; only x86-64 Linux is supported").into());
    }
    Ok(())
}
