//! What all tests share: the cluster that `cargo xtask test` brought up, the binary under test, and the
//! objects that belong to the cluster and to no environment.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Condvar, Mutex, OnceLock, PoisonError},
};

use crate::{house::House, report, run::output};

/// The cluster of the tests.
pub(crate) struct Setting {
    /// The binary under test.
    pub(crate) binary: PathBuf,
    /// The embedded cluster's name.
    pub(crate) cluster: String,
    /// Its administrator's kubeconfig.
    pub(crate) kubeconfig: PathBuf,
}

/// The setting, found out once.
pub(crate) fn setting() -> &'static Setting {
    static SETTING: OnceLock<Setting> = OnceLock::new();
    SETTING.get_or_init(|| {
        report::listen();
        Setting {
            cluster: told("LONGRUN_TEST_CLUSTER"),
            kubeconfig: told("LONGRUN_TEST_KUBECONFIG").into(),
            binary: binary(),
        }
    })
}

fn told(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: these tests need a cluster, run them with `cargo xtask test --only NAME`")
    })
}

/// The clone's top folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package is in the clone")
}

/// Builds the command line; `LONGRUN_TEST_BINARY` names one that is built already.
fn binary() -> PathBuf {
    if let Some(binary) = std::env::var_os("LONGRUN_TEST_BINARY") {
        return binary.into();
    }
    let mut build = Command::new(env!("CARGO"));
    build.args([
        "build",
        "--quiet",
        "--package",
        "xtask",
        "--message-format",
        "json",
    ]);
    // Set for the tests' own package: build scripts that look at them would run again.
    for (name, _) in std::env::vars_os() {
        let words = name.to_string_lossy();
        if words.starts_with("CARGO_PKG_") || words.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    let built = output(build.current_dir(root()));
    built
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "longrun")
        .find_map(|message| Some(message["executable"].as_str()?.into()))
        .expect("cargo says where it put the binary")
}

/// The objects that belong to the cluster and to no environment are there, and the images are built.
/// Two first deployments at once would each meet what the other makes of them.
pub(crate) fn furnish() {
    static FURNISHED: OnceLock<()> = OnceLock::new();
    FURNISHED.get_or_init(|| {
        let house = House::unfurnished("shared");
        house.copy_templates("_shared");
        house.deploy(&["--yes"]).exits(0);
    });
}

/// How many whole environments, with a Restate node each, run at a time.
const WHOLE: usize = 3;

/// Holds one of the places for whole environments.
pub(crate) struct Place;

static TAKEN: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

impl Place {
    pub(crate) fn take() -> Self {
        let (taken, freed) = &TAKEN;
        let taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = freed
            .wait_while(taken, |taken| *taken == WHOLE)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (taken, freed) = &TAKEN;
        *taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        freed.notify_one();
    }
}

/// The program that talks to the cluster as others do: kubectl, which every embedded cluster brings.
pub(crate) fn kubectl(kubeconfig: &Path) -> Command {
    static EMBEDDED: OnceLock<Option<PathBuf>> = OnceLock::new();
    let embedded = EMBEDDED.get_or_init(|| {
        // <cache>/clusters/<name>/kubeconfig and <cache>/embedded/<key>/kubernetes
        let cache = setting().kubeconfig.ancestors().nth(3)?;
        let built = std::fs::read_dir(cache.join("embedded")).ok()?;
        built
            .flatten()
            .map(|entry| entry.path().join("kubernetes"))
            .find(|program| program.is_file())
    });
    let mut command = match embedded {
        Some(program) => {
            let mut command = Command::new(program);
            command.arg("kubectl");
            command
        }
        None => Command::new("kubectl"),
    };
    command.arg("--kubeconfig").arg(kubeconfig);
    command
}
