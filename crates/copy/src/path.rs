//! A path below the directory that is copied, and the text that every name has, whatever its bytes are.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One or more names below a directory, with `/` between them: never absolute, never the way out.
///
/// Its text is one line: a backslash is `\\`, a control character and a byte that is not UTF-8 is `\x0a`.
/// Sorted by bytes, a directory comes before what is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelativePath(Vec<u8>);

/// Why a path is none below the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// No name at all.
    #[error("it is empty")]
    Empty,
    /// It begins at the root.
    #[error("it is absolute")]
    Absolute,
    /// A component is `..`.
    #[error("it leaves the directory through `..`")]
    Leaves,
    /// A component is empty or `.`, so that one file would have several paths.
    #[error("it has a component that is empty or `.`")]
    NotNormal,
    /// No file system takes it.
    #[error("it holds a zero byte")]
    Zero,
    /// The text is not what this module writes.
    #[error("its text is not escaped as it should be")]
    Escape,
}

impl RelativePath {
    /// Checks the bytes of a path.
    ///
    /// # Errors
    /// [`InvalidPath`], unless it is one or more plain names.
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidPath> {
        if bytes.is_empty() {
            return Err(InvalidPath::Empty);
        }
        if bytes.contains(&0) {
            return Err(InvalidPath::Zero);
        }
        let path = Path::new(OsStr::from_bytes(bytes));
        let mut normal = 0;
        for component in path.components() {
            match component {
                Component::RootDir | Component::Prefix(_) => return Err(InvalidPath::Absolute),
                Component::ParentDir => return Err(InvalidPath::Leaves),
                Component::CurDir => return Err(InvalidPath::NotNormal),
                Component::Normal(name) => normal += name.len() + 1,
            }
        }
        // `components` forgives `a//b`, `a/./b` and `a/`.
        if normal != bytes.len() + 1 {
            return Err(InvalidPath::NotNormal);
        }
        Ok(Self(bytes.to_vec()))
    }

    /// As a path relative to the directory.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// The path of the directory that it is in, unless that is the top.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let slash = self.0.iter().rposition(|byte| *byte == b'/')?;
        Some(Self(self.0[..slash].to_vec()))
    }

    /// The path of `name` in this directory; in the top where there is none.
    pub(crate) fn child(parent: Option<&Self>, name: &OsStr) -> Result<Self, InvalidPath> {
        let mut bytes = parent.map(|parent| parent.0.clone()).unwrap_or_default();
        if parent.is_some() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name.as_bytes());
        Self::new(&bytes)
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&escape(&self.0))
    }
}

impl Serialize for RelativePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escape(&self.0))
    }
}

impl<'de> Deserialize<'de> for RelativePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        unescape(&text)
            .ok_or(InvalidPath::Escape)
            .and_then(|bytes| Self::new(&bytes))
            .map_err(|error| D::Error::custom(format_args!("path `{text}`: {error}")))
    }
}

/// One line of text for any bytes.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                // U+2028 and U+2029 are line ends too, to some.
                control if control.is_control() || matches!(control, '\u{2028}' | '\u{2029}') => {
                    push_bytes(&mut text, control.encode_utf8(&mut [0; 4]).as_bytes());
                }
                plain => text.push(plain),
            }
        }
        push_bytes(&mut text, chunk.invalid());
    }
    text
}

fn push_bytes(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push_str(&format!("\\x{byte:02x}"));
    }
}

/// The bytes of a text that [`escape`] made.
pub(crate) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('\\') {
            bytes.push(b'\\');
            rest = after;
        } else {
            let digits = rest.strip_prefix('x')?.get(..2)?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[3..];
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_plain_names_are_taken() {
        for (bytes, expected) in [
            (&b""[..], InvalidPath::Empty),
            (b"/", InvalidPath::Absolute),
            (b"/etc/passwd", InvalidPath::Absolute),
            (b"..", InvalidPath::Leaves),
            (b"a/../../b", InvalidPath::Leaves),
            (b"a/..", InvalidPath::Leaves),
            (b".", InvalidPath::NotNormal),
            (b"./a", InvalidPath::NotNormal),
            (b"a/./b", InvalidPath::NotNormal),
            (b"a//b", InvalidPath::NotNormal),
            (b"a/", InvalidPath::NotNormal),
            (b"a\0b", InvalidPath::Zero),
        ] {
            assert_eq!(RelativePath::new(bytes), Err(expected), "{bytes:?}");
        }
        for bytes in [
            &b"a"[..],
            b"a/b",
            b"...",
            b".cluster-marker",
            b"\xff",
            b"a\nb",
        ] {
            assert!(RelativePath::new(bytes).is_ok(), "{bytes:?}");
        }
    }

    #[test]
    fn a_name_is_one_line() {
        let path = RelativePath::new(b"a\nonly in b\xff\\x/\xc3\xa9").unwrap();
        assert_eq!(path.to_string(), "a\\x0aonly in b\\xff\\\\x/é");
    }

    proptest! {
        #[test]
        fn text_and_bytes_are_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let text = escape(&bytes);
            prop_assert!(!text.contains(char::is_control));
            prop_assert_eq!(unescape(&text), Some(bytes));
        }

        #[test]
        fn any_text_is_a_path_or_refused(text in ".{0,40}") {
            if let Some(Ok(path)) = unescape(&text).map(|bytes| RelativePath::new(&bytes)) {
                prop_assert!(path.as_path().is_relative());
                let plain = |component| matches!(component, Component::Normal(_));
                prop_assert!(path.as_path().components().all(plain));
            }
        }
    }
}
