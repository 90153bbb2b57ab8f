//! The name of a content.

use sha2::{Digest, Sha256};

/// A file that goes into an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ingredient<'a> {
    /// What the Containerfile calls it.
    pub(super) name: &'a str,
    /// What tells it from every other content it could have.
    pub(super) identity: String,
}

/// Hexadecimal digits of a key: as many as are never mistaken for one another by chance, as few as a
/// person can compare.
const DIGITS: usize = 12;

/// The key of what goes into an image: its Containerfile, the name of its base and its files.
pub(super) fn content_key(containerfile: &[u8], base: &str, files: &[Ingredient<'_>]) -> String {
    let mut files = files.to_vec();
    files.sort_by(|one, other| one.name.cmp(other.name));
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        // With its length first, so that no two lists of fields run together into the same bytes.
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(bytes);
    };
    field(containerfile);
    field(base.as_bytes());
    for file in &files {
        field(file.name.as_bytes());
        field(file.identity.as_bytes());
    }
    let mut key = hexadecimal(&hash.finalize());
    key.truncate(DIGITS);
    key
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
