//! What these sources were last built into, so that cargo need not be asked when nothing has changed: it
//! takes longer to say so than a deployment with nothing to do, and first waits for every other build.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    key::hexadecimal,
    program::{Binary, Program, digest_of},
};

/// Everything in the project that may decide on what a program is. More than does: asking cargo once too
/// often costs less than a second.
const DECIDES: [&str; 5] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "crates",
    "rust-toolchain.toml",
];

/// Settings of the caller that change what cargo makes.
const SETTINGS: [&str; 4] = [
    "CARGO_BUILD_",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_PROFILE_",
    "RUSTFLAGS",
];

/// One line of memory: the sources with this digest make this file with that digest.
#[derive(Debug, Serialize, Deserialize)]
struct Built {
    sources: String,
    path: PathBuf,
    digest: String,
}

/// The digest of all that decides on a build; nothing when it cannot be read, of which cargo says more.
pub(super) fn sources(root: &Path) -> Option<String> {
    let mut files = BTreeMap::new();
    for start in DECIDES {
        read(&root.join(start), &mut files).ok()?;
    }
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(bytes);
    };
    for (path, content) in &files {
        let path = path.strip_prefix(root).unwrap_or(path);
        field(path.as_os_str().as_encoded_bytes());
        field(content);
    }
    let settings: BTreeMap<_, _> = std::env::vars_os()
        .filter(|(name, _)| {
            let name = name.to_string_lossy();
            SETTINGS.iter().any(|start| name.starts_with(start))
        })
        .collect();
    for (name, value) in &settings {
        field(name.as_encoded_bytes());
        field(value.as_encoded_bytes());
    }
    Some(hexadecimal(&hash.finalize()))
}

/// The program that these sources made, if it is still where cargo put it and as it was.
pub(super) fn recall(binary: Binary, folder: &Path, sources: &str) -> Option<Program> {
    let text = std::fs::read(memory(binary, folder)).ok()?;
    let Built {
        sources: known,
        path,
        digest,
    } = serde_json::from_slice(&text).ok()?;
    let is_same = known == sources && digest_of(&path).ok()? == digest;
    is_same.then_some(Program::Built {
        binary,
        path,
        digest,
    })
}

/// Remembers what these sources made. What cannot be written down is found out again.
pub(super) fn remember(folder: &Path, sources: &str, program: &Program) {
    let Program::Built {
        binary,
        path,
        digest,
    } = program
    else {
        return;
    };
    let built = Built {
        sources: sources.to_owned(),
        path: path.clone(),
        digest: digest.clone(),
    };
    if let Ok(text) = serde_json::to_vec(&built) {
        let _ = std::fs::create_dir_all(folder);
        let _ = std::fs::write(memory(*binary, folder), text);
    }
}

fn memory(binary: Binary, folder: &Path) -> PathBuf {
    folder.join(format!("{}.built", binary.name))
}

fn read(path: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> io::Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            read(&entry?.path(), files)?;
        }
    } else {
        files.insert(path.to_path_buf(), std::fs::read(path)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::program::VERIFICATION;

    /// A project, and the program that it was built into.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let root =
                std::env::temp_dir().join(format!("longrun-built-{}-{name}", std::process::id()));
            for start in [".cargo", "crates/program"] {
                std::fs::create_dir_all(root.join(start)).expect("a directory");
            }
            let scratch = Self(root);
            for name in ["Cargo.lock", "Cargo.toml", "rust-toolchain.toml", "program"] {
                scratch.write(name, name);
            }
            scratch.write("crates/program/lib.rs", "one");
            scratch
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.0.join(name), text).expect("a file");
        }

        fn sources(&self) -> String {
            sources(&self.0).expect("everything can be read")
        }

        fn build(&self) -> Program {
            let path = self.0.join("program");
            let digest = digest_of(&path).expect("the program");
            let program = Program::Built {
                binary: VERIFICATION,
                path,
                digest,
            };
            remember(&self.0, &self.sources(), &program);
            program
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_unchanged_is_recalled() {
        let scratch = Scratch::new("unchanged");
        assert_eq!(
            recall(VERIFICATION, &scratch.0, &scratch.sources()),
            None,
            "not built yet"
        );
        let built = scratch.build();
        assert_eq!(
            recall(VERIFICATION, &scratch.0, &scratch.sources()),
            Some(built)
        );
    }

    #[test]
    fn any_change_is_seen() {
        let scratch = Scratch::new("changed");
        let changes = [
            ("crates/program/lib.rs", "two"),
            ("crates/program/new.rs", ""),
            ("Cargo.toml", "other"),
            ("Cargo.lock", "other"),
            ("rust-toolchain.toml", "other"),
            (".cargo/config.toml", "flags"),
            ("program", "another clone built into the same place"),
        ];
        for (file, text) in changes {
            scratch.build();
            scratch.write(file, text);
            assert_eq!(
                recall(VERIFICATION, &scratch.0, &scratch.sources()),
                None,
                "{file}"
            );
        }
    }

    #[test]
    fn what_has_moved_without_changing_length_is_seen() {
        let scratch = Scratch::new("moved");
        scratch.build();
        std::fs::rename(
            scratch.0.join("crates/program/lib.rs"),
            scratch.0.join("crates/program/bil.rs"),
        )
        .expect("a file");
        assert_eq!(recall(VERIFICATION, &scratch.0, &scratch.sources()), None);
    }
}
