//! What the machine or the user cannot give is refused with what to do, and
//! nothing is begun.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use longrun_embedded::{Cluster, Error, Places};

struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("longrun-refusal-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn places(&self) -> Places {
        Places {
            state: self.0.join("state"),
            cache: self.0.join("cache"),
        }
    }

    /// The program that `up` is part of, with this as its home.
    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longrun-embedded"));
        command
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", &self.0);
        command
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What the program prints as it fails.
fn refusal(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn names_that_are_no_labels() {
    let places = Directory::new("name").places();
    for name in [
        "",
        "Upper",
        "a/b",
        "-a",
        "a-",
        "a.b",
        "ä",
        "..",
        &"a".repeat(41),
    ] {
        assert!(
            matches!(Cluster::open(name, &places), Err(Error::Name(_))),
            "{name}"
        );
    }
    for name in ["a", "test-1", &"a".repeat(40)] {
        Cluster::open(name, &places).unwrap();
    }
}

#[test]
fn a_user_who_is_not_root() {
    let directory = Directory::new("root");
    // Where everybody may execute it, unlike the build directory of root.
    let program = directory.0.join("program");
    fs::copy(env!("CARGO_BIN_EXE_longrun-embedded"), &program).unwrap();
    let printed = refusal(
        Command::new("setpriv")
            .args(["--reuid=65534", "--clear-groups"])
            .arg(&program)
            .args(["up", "one"])
            .env("HOME", &directory.0),
    );
    assert!(
        printed.contains("needs root, this is user 65534"),
        "{printed}"
    );
    assert!(!directory.0.join(".local").exists());
}

#[test]
fn programs_that_are_missing() {
    let directory = Directory::new("packages");
    let nothing = directory.0.join("nothing");
    let printed = refusal(directory.program().args(["up", "one"]).env("PATH", nothing));
    assert!(printed.contains("install the packages "), "{printed}");
    assert!(printed.contains("buildah, mmdebstrap"), "{printed}");
}

#[test]
fn no_home() {
    let directory = Directory::new("home");
    let printed = refusal(directory.program().args(["up", "one"]).env_remove("HOME"));
    assert!(
        printed.contains("neither XDG_STATE_HOME nor HOME"),
        "{printed}"
    );
}

#[test]
fn no_go() {
    let directory = Directory::new("go");
    // All that the machine has except for Go.
    let path = directory.0.join("bin");
    fs::create_dir_all(&path).unwrap();
    let without_go = "/usr/bin:/bin";
    let has_go = without_go
        .split(':')
        .any(|bin| Path::new(bin).join("go").exists());
    if has_go {
        return;
    }
    let printed = refusal(
        directory
            .program()
            .args(["up", "one"])
            .env("PATH", without_go),
    );
    assert!(printed.contains("`go` is not on the PATH"), "{printed}");
    assert!(printed.contains("install Go 1."), "{printed}");
}

#[test]
fn a_go_that_is_too_old() {
    let directory = Directory::new("old-go");
    let go = directory.0.join("go");
    fs::write(&go, "#!/bin/sh\necho go1.9.7\n").unwrap();
    Command::new("chmod").arg("+x").arg(&go).status().unwrap();
    let path = format!(
        "{}:{}",
        directory.0.display(),
        std::env::var("PATH").unwrap()
    );
    let printed = refusal(directory.program().args(["up", "one"]).env("PATH", path));
    assert!(printed.contains("Go 1.9.7 is too old"), "{printed}");
}

#[test]
fn a_disk_that_is_full() {
    let directory = Directory::new("disk");
    let small = directory.0.join("small");
    fs::create_dir_all(&small).unwrap();
    let mount = |arguments: &[&str]| {
        let status = Command::new(arguments[0])
            .args(&arguments[1..])
            .arg(&small)
            .status()
            .unwrap();
        assert!(status.success());
    };
    mount(&["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs"]);
    let printed = refusal(
        directory
            .program()
            .args(["up", "one"])
            .env("XDG_STATE_HOME", &small),
    );
    let left = small.join("longrun/clusters/one/volumes.btrfs").exists();
    mount(&["umount"]);
    assert!(
        printed.contains("10 MiB free and a cluster needs 6144 MiB"),
        "{printed}"
    );
    assert!(!left);
}

#[test]
fn what_needs_a_running_cluster() {
    let directory = Directory::new("down");
    let cluster = Cluster::open("one", &directory.places()).unwrap();
    let error = cluster.import_image(Path::new("/dev/null")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the cluster `one` is not running: start it first"
    );
    assert!(!cluster.down(true, &|_| {}).unwrap());
    assert!(cluster.status().unwrap().running.is_none());
    assert!(!directory.0.join("state").exists());
}
