//! What `cargo xtask` runs. It builds the command line where that is out of date, with cargo's own progress on the
//! terminal, and becomes it. Without it cargo would either be silent for the minutes of a first build (`--quiet`) or
//! write two lines before every result; and it takes several times as long to find out that nothing has changed, since
//! it looks at every dependency. This package has none, so that it is compiled within a second.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs, io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    match launch() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: cargo xtask cannot start: {error}");
            ExitCode::from(2)
        }
    }
}

/// Comes back only when the command line was not started.
fn launch() -> io::Result<ExitCode> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.ancestors().nth(2).unwrap_or(package);
    let program = env::current_exe()?.with_file_name("longrun");
    let stamp = program.with_extension("stamp");
    if settings_of_user() || !is_current(root, &program, &stamp).unwrap_or(false) {
        // The clock of the file system says when the build began: what is edited meanwhile is younger.
        let begun = program.with_extension("begun");
        fs::write(&begun, "")?;
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--package", "xtask"]);
        let built = without_package(&mut build).status()?;
        if !built.success() {
            let code = built.code().and_then(|code| u8::try_from(code).ok());
            return Ok(code.unwrap_or(2).into());
        }
        fs::rename(&begun, &stamp)?;
    }
    let mut command = Command::new(&program);
    command.arg0("cargo xtask").args(env::args_os().skip(1));
    Err(without_package(&mut command).exec())
}

/// Whether nothing that the program is made of is younger than the beginning of the build that made it. Where that
/// cannot be told, cargo is asked.
fn is_current(root: &Path, program: &Path, stamp: &Path) -> io::Result<bool> {
    let began = fs::metadata(stamp)?.modified()?;
    // Cargo writes it beside the program: all sources of all packages of the workspace that are in it.
    let sources = sources(&fs::read_to_string(program.with_extension("d"))?);
    // A target directory that several clones share may hold the program of another one.
    if !program.is_file() || !sources.contains(&root.join("xtask/src/main.rs")) {
        return Ok(false);
    }
    let settings = [
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
        ".cargo/config.toml",
    ];
    let settings = settings.map(|file| root.join(file));
    let manifests = manifests(root, &sources);
    for file in sources.iter().chain(&settings).chain(&manifests) {
        if fs::metadata(file)?.modified()? >= began {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The paths after `program:`, in which a blank is written as `\ `.
fn sources(dependencies: &str) -> BTreeSet<PathBuf> {
    let (_, list) = dependencies.split_once(": ").unwrap_or_default();
    let list = list.trim_end().replace("\\ ", "\0");
    let paths = list.split(' ').filter(|path| !path.is_empty());
    paths.map(|path| path.replace('\0', " ").into()).collect()
}

/// The manifests of the packages that these sources are of.
fn manifests(root: &Path, sources: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let folders: BTreeSet<&Path> = sources
        .iter()
        .filter_map(|source| source.parent())
        .collect();
    let of_folder = |folder: &Path| {
        let within = folder
            .ancestors()
            .take_while(|above| above.starts_with(root));
        let mut manifests = within.map(|above| above.join("Cargo.toml"));
        manifests.find(|manifest| manifest.is_file())
    };
    folders.into_iter().filter_map(of_folder).collect()
}

/// Whether the environment says how to compile: cargo knows what that changes.
fn settings_of_user() -> bool {
    env::vars_os().any(|(name, _)| {
        let name = name.to_string_lossy();
        let starts = [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_",
            "CARGO_PROFILE_",
        ];
        starts.iter().any(|start| name.starts_with(start))
    })
}

/// Without what cargo says of this package. Build scripts that look at it would run again at every change between here
/// and a build by hand.
fn without_package(command: &mut Command) -> &mut Command {
    let of_package = |name: &OsString| {
        let name = name.to_string_lossy();
        let starts = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
            "CARGO_PRIMARY_",
        ];
        starts.iter().any(|start| name.starts_with(start))
    };
    for (name, _) in env::vars_os().filter(|(name, _)| of_package(name)) {
        command.env_remove(name);
    }
    command
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        time::{Duration, SystemTime},
    };

    use super::*;

    /// A clone whose program was built at `began`.
    fn clone(name: &str, began: SystemTime) -> PathBuf {
        let root = env::temp_dir().join(format!("launcher-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let sources = ["xtask/src/main.rs", "crates/a b/src/lib.rs"];
        for file in [
            "Cargo.toml",
            "Cargo.lock",
            "rust-toolchain.toml",
            ".cargo/config.toml",
            "xtask/Cargo.toml",
            "crates/a b/Cargo.toml",
            "target/longrun",
        ]
        .iter()
        .chain(&sources)
        {
            touch(&root.join(file), began - Duration::from_secs(1));
        }
        touch(&root.join("target/longrun.stamp"), began);
        let paths = sources.map(|path| root.join(path).display().to_string().replace(' ', "\\ "));
        let line = format!(
            "{}: {}\n",
            root.join("target/longrun").display(),
            paths.join(" ")
        );
        fs::write(root.join("target/longrun.d"), line).expect("a file");
        root
    }

    fn touch(path: &Path, time: SystemTime) {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .expect("a file");
        file.set_modified(time).expect("a time");
    }

    fn current(root: &Path) -> bool {
        let program = root.join("target/longrun");
        is_current(root, &program, &program.with_extension("stamp")).unwrap_or(false)
    }

    #[test]
    fn what_changed_since_the_build_began_is_built_again() {
        let began = SystemTime::now() - Duration::from_secs(60);
        for file in [
            "xtask/src/main.rs",
            "crates/a b/src/lib.rs",
            "crates/a b/Cargo.toml",
            "Cargo.lock",
            "rust-toolchain.toml",
        ] {
            let root = clone("changed", began);
            assert!(current(&root), "nothing has changed");
            // In the moment in which the build began.
            touch(&root.join(file), began);
            assert!(!current(&root), "{file} has changed");
            fs::remove_dir_all(root).expect("a folder");
        }
    }

    #[test]
    fn what_is_missing_or_of_another_clone_is_built() {
        let began = SystemTime::now() - Duration::from_secs(60);
        for file in [
            "target/longrun",
            "target/longrun.d",
            "target/longrun.stamp",
            "crates/a b/src/lib.rs",
        ] {
            let root = clone("missing", began);
            fs::remove_file(root.join(file)).expect("a file");
            assert!(!current(&root), "{file} is missing");
            fs::remove_dir_all(root).expect("a folder");
        }
        let (root, other) = (clone("one", began), clone("other", began));
        fs::copy(
            other.join("target/longrun.d"),
            root.join("target/longrun.d"),
        )
        .expect("a file");
        assert!(!current(&root));
        for root in [root, other] {
            fs::remove_dir_all(root).expect("a folder");
        }
    }
}
