//! The cluster's programs: built from the Go module beside this crate, once for
//! each content of it, and kept in the cache.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::command::{command, find, follow, output};
use crate::files::last_lines;
use crate::images::hex;
use crate::{Error, Report, files, preflight};

/// The Go module's directory, in the source tree that this was built from.
const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/go");
/// Without the version, nodes would say v0.0.0.
const LINK: &str = "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.1";
/// Without the second, Go asks git about the source tree, and git refuses where
/// that is another user's, as with sudo.
const ARGUMENTS: [&str; 6] = [
    "build",
    "-buildvcs=false",
    "-v",
    "-trimpath",
    "-ldflags",
    LINK,
];
const PACKAGES: [&str; 2] = ["./cmd/...", "tool"];
/// MiB that a build without anything cached leaves behind in Go's own cache.
const BUILD_SPACE: u64 = 10 * 1024;
/// MiB of the programs themselves.
const PROGRAMS_SPACE: u64 = 1024;
const SNAPSHOT_MODULE: &str = "github.com/kubernetes-csi/external-snapshotter/client/v8";
const SNAPSHOT_DEFINITIONS: [&str; 3] = [
    "volumesnapshotclasses",
    "volumesnapshotcontents",
    "volumesnapshots",
];
/// In the name of a directory that a build writes into.
const PARTIAL: &str = ".partial-";
const IN_USE: &str = "in-use.lock";
/// Programs not used for so long are removed when others are built.
const FORGOTTEN: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Progress is told no more often than this.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The directory of the built programs below `cache`; builds them first when
/// the module has changed.
pub(crate) fn ensure(cache: &Path, report: Report<'_>) -> Result<PathBuf, Error> {
    let go = installed_go()?;
    let directory = cache.join(key(&go.version)?);
    if directory.is_dir() {
        return Ok(directory);
    }
    let _lock = files::lock(&cache.join("build.lock"), || {
        report("waiting for another build of the cluster's programs");
    })?;
    if directory.is_dir() {
        return Ok(directory);
    }
    preflight::space(&go.cache, "building the cluster's programs", BUILD_SPACE)?;
    preflight::space(cache, "the cluster's programs", PROGRAMS_SPACE)?;
    remove_stale(cache)?;
    // A build whose caller was killed may still be writing into its own.
    let partial = files::beside(&directory, &format!("{PARTIAL}{}", std::process::id()));
    files::make_directory(&partial)?;
    build(&partial, report)?;
    copy_definitions(&partial)?;
    fs::rename(&partial, &directory).map_err(Error::file("rename", &partial))?;
    Ok(directory)
}

/// Held, shared, by each supervisor that starts programs of this directory.
pub(crate) fn hold(directory: &Path) -> Result<File, Error> {
    let path = directory.join(IN_USE);
    // Written to, so that its age tells when it was last used.
    let held = File::create(&path).and_then(|file| file.lock_shared().map(|()| file));
    held.map_err(Error::file("lock", path))
}

/// Removes unfinished builds, and programs that nothing has used for long.
fn remove_stale(cache: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let directory = entry.path();
        let is_partial = directory.to_string_lossy().contains(PARTIAL);
        if is_partial || is_forgotten(&directory.join(IN_USE)) {
            files::remove(&directory)?;
        }
    }
    Ok(())
}

fn is_forgotten(in_use: &Path) -> bool {
    let age = fs::metadata(in_use).and_then(|found| found.modified());
    let is_old = age.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > FORGOTTEN));
    is_old && File::open(in_use).is_ok_and(|file| file.try_lock().is_ok())
}

/// The texts of the custom resource definitions for snapshots.
pub(crate) fn snapshot_definitions(programs: &Path) -> Result<Vec<String>, Error> {
    SNAPSHOT_DEFINITIONS
        .iter()
        .map(|name| {
            let path = programs.join(definition_file(name));
            fs::read_to_string(&path).map_err(Error::file("read", path))
        })
        .collect()
}

fn definition_file(name: &str) -> String {
    format!("snapshot.storage.k8s.io_{name}.yaml")
}

/// Everything that decides on the programs' content.
fn key(go: &str) -> Result<String, Error> {
    let mut sources = Vec::new();
    sources_below(Path::new(MODULE), &mut sources)?;
    sources.sort();
    let mut digest = Sha256::new();
    for text in [go, LINK, std::env::consts::ARCH] {
        digest.update(format!("{text}\n"));
    }
    for source in sources {
        let content = fs::read(&source).map_err(Error::file("read", &source))?;
        let name = source.strip_prefix(MODULE).unwrap_or(&source);
        digest.update(format!("{} {}\n", name.display(), content.len()));
        digest.update(content);
    }
    Ok(hex(&digest.finalize()[..8]))
}

fn sources_below(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = || Error::file("read", directory);
    for entry in fs::read_dir(directory).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        let name = path.to_string_lossy();
        let is_source = [".go", "go.mod", "go.sum"]
            .iter()
            .any(|end| name.ends_with(end));
        if path.is_dir() {
            sources_below(&path, found)?;
        } else if is_source && !name.ends_with("_test.go") {
            found.push(path);
        }
    }
    Ok(())
}

/// The installed Go.
struct Go {
    version: String,
    /// Where it keeps what it has compiled.
    cache: PathBuf,
}

/// The installed Go, which must be as new as the module asks.
fn installed_go() -> Result<Go, Error> {
    let path = Path::new(MODULE).join("go.mod");
    let module = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
    let needed = module
        .lines()
        .find_map(|line| line.strip_prefix("go "))
        .unwrap_or_default()
        .trim()
        .to_owned();
    if find("go").is_none() {
        return Err(Error::GoMissing(needed));
    }
    let printed = output(go().args(["env", "GOVERSION", "GOCACHE"]))?;
    let (found, cache) = printed.trim().split_once('\n').unwrap_or((&printed, ""));
    if version(found) < version(&needed) {
        return Err(Error::GoTooOld {
            found: found.trim().trim_start_matches("go").into(),
            needed,
        });
    }
    Ok(Go {
        version: found.into(),
        cache: cache.into(),
    })
}

/// `go1.26.3` and `1.26.3` as numbers to compare.
fn version(text: &str) -> Vec<u32> {
    let numbers = text.trim_start_matches("go");
    // A development version, `devel go1.27-…`, has its number after a space.
    let numbers = numbers
        .rsplit_once("go")
        .map_or(numbers, |(_, after)| after);
    numbers
        .split(|character: char| !character.is_ascii_digit())
        .map_while(|number| number.parse().ok())
        .collect()
}

fn go() -> std::process::Command {
    let mut go = command("go");
    go.current_dir(MODULE)
        // Static, so that a program also runs inside an empty image.
        .env("CGO_ENABLED", "0")
        // What the user has set for other modules is not for this one.
        .env_remove("GOFLAGS")
        .env("GOWORK", "off")
        .env("GOTOOLCHAIN", "local");
    go
}

fn build(into: &Path, report: Report<'_>) -> Result<(), Error> {
    let mut build = go();
    build
        .args(ARGUMENTS)
        .arg("-o")
        // The final slash makes it a directory to build several programs into.
        .arg(into.join(""))
        .args(PACKAGES);
    report("building the cluster's programs (10 minutes the first time)");
    let mut progress = Progress::new(report);
    follow(&mut build, |line| progress.line(line)).map_err(|error| {
        match last_lines(&progress.unexpected, 20) {
            nothing if nothing.is_empty() => error,
            said => Error::Build(said),
        }
    })
}

/// Counts what `go build -v` prints: modules fetched, and the package paths
/// that it begins to compile.
struct Progress<'report> {
    report: Report<'report>,
    fetched: u32,
    compiled: u32,
    told: Instant,
    /// All other lines: what the compiler says when it fails.
    unexpected: String,
}

impl<'report> Progress<'report> {
    fn new(report: Report<'report>) -> Self {
        Self {
            report,
            fetched: 0,
            compiled: 0,
            told: Instant::now(),
            unexpected: String::new(),
        }
    }

    fn line(&mut self, line: &str) {
        if line.starts_with("go: downloading ") {
            self.fetched += 1;
        } else if line.contains(' ') {
            self.unexpected.push_str(line);
            self.unexpected.push('\n');
        } else {
            self.compiled += 1;
        }
        if self.told.elapsed() >= REPORT_EVERY {
            self.told = Instant::now();
            let Self {
                fetched, compiled, ..
            } = self;
            (self.report)(&match fetched {
                0 => format!("building the cluster's programs: {compiled} packages compiled"),
                _ => format!(
                    "building the cluster's programs: {fetched} modules fetched, {compiled} packages compiled"
                ),
            });
        }
    }
}

/// Puts the definitions beside the programs, so that reading them later needs
/// neither Go nor the network.
fn copy_definitions(into: &Path) -> Result<(), Error> {
    let module = output(go().args(["list", "-m", "-f", "{{.Dir}}", SNAPSHOT_MODULE]))?;
    let from = Path::new(module.trim()).join("config/crd");
    for name in SNAPSHOT_DEFINITIONS.map(definition_file) {
        // Not a copy of the file: files of a module are read-only.
        let text = fs::read(from.join(&name)).map_err(Error::file("read", from.join(&name)))?;
        files::write(&into.join(&name), text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version("go1.9.7") < version("1.26.3"));
        assert!(version("go1.26.10 X:nocoverageredesign") > version("1.26.3"));
        assert!(version("devel go1.27-abcdef") > version("1.26.3"));
        assert!(version("go1.26.3") >= version("1.26.3"));
    }

    #[test]
    fn the_key_changes_with_the_tool() {
        assert_ne!(key("go1.26.3").unwrap(), key("go1.26.4").unwrap());
        assert_eq!(key("go1.26.3").unwrap(), key("go1.26.3").unwrap());
    }

    #[test]
    fn what_is_used_or_was_lately_is_not_removed() {
        let cache = std::env::temp_dir().join(format!("longrun-stale-{}", std::process::id()));
        let make = |name: &str, age: Duration| {
            let directory = cache.join(name);
            files::make_directory(&directory).unwrap();
            let held = hold(&directory).unwrap();
            held.set_modified(std::time::SystemTime::now() - age)
                .unwrap();
            held
        };
        let day = Duration::from_secs(24 * 60 * 60);
        drop(make("forgotten", FORGOTTEN + day));
        drop(make("lately", FORGOTTEN - day));
        let _held = make("used", FORGOTTEN + day);
        drop(make("0123.partial-1", Duration::ZERO));
        fs::write(cache.join("build.lock"), "").unwrap();
        remove_stale(&cache).unwrap();
        let mut left: Vec<_> = fs::read_dir(&cache)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["build.lock", "lately", "used"]);
        fs::remove_dir_all(cache).unwrap();
    }
}
