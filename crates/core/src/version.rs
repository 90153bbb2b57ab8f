//! Versions in semver's order, and which one is in an image, as far as its tag says.

use alloc::string::{String, ToString};
use core::{cmp::Ordering, convert::Infallible, fmt, str::FromStr};

use serde_json::Value;

use crate::names::OPENED_BY_ANNOTATION;

/// A version. `1.8.0-rc.1` is before `1.8.0`, and how it was built (`+…`) makes no difference.
#[derive(Clone, Debug)]
pub struct Version(semver::Version);

/// It is not major, minor and patch, with or without a pre-release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version: it is major, minor and patch, for example 1.7.12 or 1.8.0-rc.1")]
pub struct NotAVersion;

/// What is in an image. Two of them can be compared if both tags are versions, or are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageVersion {
    /// This version.
    Known(Version),
    /// Nobody can say: the tag (`main-82a934cde840`), or the digest where there is no tag.
    Unknown(String),
}

/// What is noted on a claim or a snapshot of the node that has opened what it holds.
pub(crate) fn noted(object: &Value) -> Option<ImageVersion> {
    let annotations = object.pointer("/metadata/annotations")?;
    annotations
        .get(OPENED_BY_ANNOTATION)?
        .as_str()?
        .parse()
        .ok()
}

/// The versions from one on and before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    from: [u64; 3],
    before: [u64; 3],
}

/// The versions of Restate that this project is made for. Its tests run both ends: the oldest, and the newest that
/// there is. A release candidate of the version that comes next is before that, so it can be verified.
pub const SUPPORTED: Range = Range {
    from: [1, 6, 1],
    before: [1, 8, 0],
};

/// How many characters of its content's key an image's tag ends with, behind a dash.
const KEY: usize = 12;

impl Version {
    /// The first number: another one breaks what there is.
    #[must_use]
    pub fn major(&self) -> u64 {
        self.0.major
    }

    /// The second number.
    #[must_use]
    pub fn minor(&self) -> u64 {
        self.0.minor
    }

    /// Whether it comes before a release, and promises nothing.
    #[must_use]
    pub fn is_pre_release(&self) -> bool {
        !self.0.pre.is_empty()
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        semver::Version::parse(text)
            .map(Self)
            .map_err(|_| NotAVersion)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl ImageVersion {
    /// What a reference says: `1.7.12` of `registry.example:5000/longrun/restate:1.7.12-82a934cde840`.
    ///
    /// The key of its content, which the images built here have, is no part of the version. It cannot be told from a
    /// pre-release that is nothing but twelve hexadecimal digits: the environment's file must not ask for such a one.
    #[must_use]
    pub fn of(reference: &str) -> Self {
        // `registry:5000/restate` has a port and no tag.
        let (_, name) = reference.rsplit_once('/').unwrap_or(("", reference));
        let (tagged, digest) = match name.split_once('@') {
            Some((tagged, digest)) => (tagged, Some(digest)),
            None => (name, None),
        };
        let tag = tagged.split_once(':').map(|(_, tag)| tag);
        let version = tag.and_then(|tag| {
            let parsed = |text: &str| text.strip_prefix('v').unwrap_or(text).parse().ok();
            parsed(split_key(tag).0).or_else(|| parsed(tag))
        });
        match (version, tag, digest) {
            (Some(version), _, _) => Self::Known(version),
            (None, Some(_), _) => {
                let said = name.split_once(':').map_or(name, |(_, said)| said);
                Self::Unknown(said.to_string())
            }
            (None, None, digest) => Self::Unknown(digest.unwrap_or(name).to_string()),
        }
    }

    /// Whether it is known to be the same or a newer one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self >= other
    }

    /// The version, if it is known.
    #[must_use]
    pub fn known(&self) -> Option<&Version> {
        match self {
            Self::Known(version) => Some(version),
            Self::Unknown(_) => None,
        }
    }
}

/// Reads what was written down with `to_string`.
impl FromStr for ImageVersion {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.parse() {
            Ok(version) => Self::Known(version),
            Err(NotAVersion) => Self::Unknown(text.to_string()),
        })
    }
}

impl fmt::Display for ImageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(version) => version.fmt(f),
            Self::Unknown(said) => f.write_str(said),
        }
    }
}

impl PartialOrd for ImageVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => Some(one.cmp(other)),
            (Self::Unknown(one), Self::Unknown(other)) if one == other => Some(Ordering::Equal),
            _ => None,
        }
    }
}

impl Range {
    /// Whether a version is one of them.
    #[must_use]
    pub fn contains(self, version: &Version) -> bool {
        (release(self.from)..release(self.before)).contains(version)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, before) = (release(self.from), release(self.before));
        write!(f, ">={from}, <{before}")
    }
}

fn release([major, minor, patch]: [u64; 3]) -> Version {
    Version(semver::Version::new(major, minor, patch))
}

/// A tag without the key of its image's content, and that key if there is one.
pub(crate) fn split_key(tag: &str) -> (&str, Option<&str>) {
    let is_key = |text: &str| {
        text.len() == KEY && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    match tag.rsplit_once('-') {
        Some((version, key)) if is_key(key) => (version, Some(key)),
        _ => (tag, None),
    }
}

#[cfg(test)]
mod tests;
