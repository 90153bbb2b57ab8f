//! The name of a program: all that is needed to generate it again, in one word.

use crate::path::{Kept, canonical_number};
use crate::tree::Program;
use crate::{Target, generate};
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A version of the generator. A change that alters any program is a new variant; the old one
/// stays as long as a failure of its day may still be reproduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// The first.
    V1,
}

impl Version {
    /// The version that new tests use.
    pub const CURRENT: Self = Self::V1;

    const fn number(self) -> u16 {
        match self {
            Self::V1 => 1,
        }
    }
}

/// The seed: the name of the test's Job, such as `test-28112572`. A DNS subdomain as Kubernetes
/// demands of names: lower-case letters, digits, `-` and `.`, at most 253 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seed(String);

impl Seed {
    /// The Job's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Seed {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = text.as_bytes();
        let valid = (1..=253).contains(&bytes.len())
            && bytes
                .iter()
                .all(|&byte| alphanumeric(byte) || byte == b'-' || byte == b'.')
            && alphanumeric(bytes[0])
            && alphanumeric(bytes[bytes.len() - 1]);
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId::Seed(text.into()))
        }
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The asked number of invocations. The program has at least half and at most twice as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Size(u32);

impl Size {
    /// The largest size: a program of it takes some ten megabytes.
    pub const MAX: u32 = 100_000;
    /// What a test runs unless told otherwise.
    pub const DEFAULT: Self = Self(300);

    /// The asked number of invocations, 1 to [`Size::MAX`].
    ///
    /// # Errors
    /// [`InvalidId::Size`] outside that range.
    pub fn new(invocations: u32) -> Result<Self, InvalidId> {
        if (1..=Self::MAX).contains(&invocations) {
            Ok(Self(invocations))
        } else {
            Err(InvalidId::Size(invocations.to_string()))
        }
    }

    /// The asked number of invocations.
    #[must_use]
    pub fn invocations(self) -> u32 {
        self.0
    }
}

impl FromStr for Size {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        canonical_number(text)
            .and_then(|number| Self::new(number).ok())
            .ok_or_else(|| InvalidId::Size(text.into()))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// All that determines a program. Its text, `v1-s300-all-test-28112572`, is the key of the
/// verifier and the end of the key of each counter, so that any log line names the program.
/// The seed comes last because it may itself contain `-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProgramId {
    /// The generator that makes it.
    pub version: Version,
    /// The name of the test's Job.
    pub seed: Seed,
    /// The asked number of invocations.
    pub size: Size,
    /// The part of it that runs.
    pub kept: Kept,
}

impl ProgramId {
    /// The program that a Job's test runs today: current generator, nothing left out.
    #[must_use]
    pub fn new(seed: Seed, size: Size) -> Self {
        Self {
            version: Version::CURRENT,
            seed,
            size,
            kept: Kept::All,
        }
    }

    /// The program. The same for the same id, always.
    #[must_use]
    pub fn generate(&self) -> Program {
        let whole = match self.version {
            Version::V1 => generate::v1(&self.seed, self.size),
        };
        Program::new(self.clone(), whole)
    }

    /// The key of the virtual object that has this target's counter: `117-v1-s300-all-test-28112572`.
    #[must_use]
    pub fn key_of(&self, target: Target) -> String {
        format!("{target}-{self}")
    }

    /// The program and target of a key made by [`ProgramId::key_of`].
    ///
    /// # Errors
    /// What is wrong with the text, when it is no such key.
    pub fn parse_key(key: &str) -> Result<(Self, Target), InvalidId> {
        let (target, id) = key
            .split_once('-')
            .ok_or_else(|| InvalidId::Shape(key.into()))?;
        let target = canonical_number(target).ok_or_else(|| InvalidId::Shape(key.into()))?;
        Ok((id.parse()?, Target(target)))
    }
}

impl fmt::Display for ProgramId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            seed,
            size,
            kept,
        } = self;
        write!(f, "v{}-s{size}-{kept}-{seed}", version.number())
    }
}

/// Text that names no program this build can generate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Not of the form of an id at all.
    #[error("`{0}` is not a program id: write `v<version>-s<size>-<all or k<paths>>-<Job name>`")]
    Shape(String),
    /// A generator that this build does not have, perhaps because it is newer.
    #[error("generator version {0} is not in this build, which has version 1")]
    Version(u16),
    /// A size of nothing, or too large.
    #[error("`{0}` is not a program size: 1 to {max} invocations", max = Size::MAX)]
    Size(String),
    /// Not the name of a Job.
    #[error("`{0}` is not a Job name: lower-case letters, digits, `-` and `.`, at most 253")]
    Seed(String),
    /// Names a program, but not as its id is written: paths out of order, or one below another.
    #[error("`{0}` is not how the id of this program is written: write `{1}`")]
    Spelling(String, String),
    /// The kept paths are not paths.
    #[error(transparent)]
    Kept(#[from] crate::InvalidPath),
}

impl FromStr for ProgramId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let shape = || InvalidId::Shape(text.into());
        let mut parts = text.splitn(4, '-');
        let mut part = || parts.next().ok_or_else(shape);
        let number = part()?
            .strip_prefix('v')
            .and_then(canonical_number)
            .ok_or_else(shape)?;
        let version = match number {
            1 => Version::V1,
            unknown => return Err(InvalidId::Version(unknown)),
        };
        let size = part()?.strip_prefix('s').ok_or_else(shape)?.parse()?;
        let kept = part()?.parse()?;
        let seed = part()?.parse()?;
        let id = Self {
            version,
            seed,
            size,
            kept,
        };
        // Two texts for one program would be two service keys, and it could run twice.
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(InvalidId::Spelling(text.into(), id.to_string()))
        }
    }
}

impl Serialize for ProgramId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProgramId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}
