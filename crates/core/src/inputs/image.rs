//! Container images: what an environment asks for by name and tag, and what that is in a registry.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
};

use serde::{Deserialize, Serialize};

use super::text::text_type;

text_type! {
    /// An image of this project: its name and its tag, without a registry, which is the cluster's.
    ImageName, check: image_name, pattern: "^[a-z0-9][a-z0-9._/-]*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$",
    example: "restate:1.7.12"
}

text_type! {
    /// An image where a node pulls it from: registry, name, tag and, if it was recorded, digest.
    ImageReference, check: image_reference,
    pattern: "^[a-z0-9][a-z0-9._:/-]*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?$",
    example: "registry.example.com/longrun/restate:1.7.12"
}

text_type! {
    /// Where images are pulled from: the registry's host, and a path within it if there is one.
    Registry, check: registry, pattern: "^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)*$",
    example: "registry.example.com/longrun"
}

/// What stands in a registry for the names in the environments. Written by `images --push` for a shared
/// cluster and committed, made up at deploy for the embedded one.
///
/// A name that is not in it is `<registry of the cluster>/<name>`: the tag of the inputs, so that an
/// environment can be reviewed before its images are built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Images(BTreeMap<ImageName, ImageReference>);

impl Images {
    /// What stands for a name.
    #[must_use]
    pub fn get(&self, name: &ImageName) -> Option<&ImageReference> {
        self.0.get(name)
    }

    /// What a node pulls for a name on a cluster with this registry.
    #[must_use]
    pub fn reference(&self, name: &ImageName, registry: &Registry) -> String {
        self.get(name)
            .map_or_else(|| format!("{registry}/{name}"), ToString::to_string)
    }

    /// Records what stands for a name.
    pub fn insert(&mut self, name: ImageName, reference: ImageReference) {
        self.0.insert(name, reference);
    }

    /// The text of the file beside the cluster's. Neither names nor references can hold what YAML would
    /// read otherwise within quotes.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let lines = self
            .0
            .iter()
            .map(|(name, reference)| format!("\"{name}\": \"{reference}\"\n"));
        core::iter::once("# Written by `cargo xtask images --push`.\n".into())
            .chain(lines)
            .collect()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ImageName, &ImageReference)> {
        self.0.iter()
    }
}

impl FromIterator<(ImageName, ImageReference)> for Images {
    fn from_iter<T: IntoIterator<Item = (ImageName, ImageReference)>>(images: T) -> Self {
        Self(images.into_iter().collect())
    }
}

impl ImageName {
    /// Without the tag: the folder of its Containerfile.
    #[must_use]
    pub fn name(&self) -> &str {
        self.as_str()
            .split_once(':')
            .map_or(self.as_str(), |(name, _)| name)
    }

    /// The tag: of `restate`, its version.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.as_str().split_once(':').map_or("", |(_, tag)| tag)
    }
}

const NAME_HINT: &str =
    "its name and its tag, for example restate:1.7.12; the registry is in the cluster's file";
const REFERENCE_HINT: &str = "registry, name and tag, for example registry.example.com/longrun/restate:1.7.12, and a digest if there is one";

fn image_name(text: &str) -> Result<(), String> {
    let refused = |why: &str| Err(format!("`{text}` is not an image: {why}\n{NAME_HINT}"));
    if text.contains('@') {
        return refused("digests are recorded by `cargo xtask images --push`, not asked for");
    }
    let Some((name, tag)) = text.split_once(':') else {
        return refused("it has no tag");
    };
    if tag.contains('/') {
        return refused("it names a registry");
    }
    match repository(name).and_then(|()| named_tag(tag)) {
        Ok(()) => Ok(()),
        Err(why) => refused(why),
    }
}

fn image_reference(text: &str) -> Result<(), String> {
    let refused = |why: &str| Err(format!("`{text}` is not an image: {why}\n{REFERENCE_HINT}"));
    let (tagged, digest) = match text.split_once('@') {
        Some((tagged, digest)) => (tagged, Some(digest)),
        None => (text, None),
    };
    let hexadecimal = |hash: &str| {
        hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    if digest.is_some_and(|digest| !digest.strip_prefix("sha256:").is_some_and(hexadecimal)) {
        return refused("its digest is not sha256 and 64 hexadecimal digits");
    }
    let Some((place, tag)) = tagged
        .rsplit_once(':')
        .filter(|(_, tag)| !tag.contains('/'))
    else {
        return refused("it has no tag");
    };
    let checked = place
        .rsplit_once('/')
        .ok_or("it has no registry")
        .and_then(|(at, name)| {
            registry(at)
                .map_err(|_| "its registry is not one")
                .and(repository(name))
        })
        .and_then(|()| named_tag(tag));
    match checked {
        Ok(()) => Ok(()),
        Err(why) => refused(why),
    }
}

fn registry(text: &str) -> Result<(), String> {
    let (host, path) = match text.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (text, None),
    };
    let (host, port) = match host.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (host, None),
    };
    let host_is_one = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    let port_is_one = port.is_none_or(|port| port.parse::<u16>().is_ok());
    if host_is_one && port_is_one && path.is_none_or(|path| repository(path).is_ok()) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not a registry\na host and a path, for example registry.example.com/longrun"
    ))
}

fn repository(text: &str) -> Result<(), &'static str> {
    let allowed =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let part = |part: &str| {
        let bytes = part.as_bytes();
        bytes.iter().copied().all(allowed) && edge(bytes.first()) && edge(bytes.last())
    };
    if text.split('/').all(part) {
        Ok(())
    } else {
        Err("its name has other than lower-case letters, digits, `.`, `_` and `-`")
    }
}

fn named_tag(tag: &str) -> Result<(), &'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    match tag {
        "" => Err("its tag is empty"),
        "latest" => Err("`latest` is whatever was pushed last"),
        _ if tag.len() > 128 || !tag.bytes().all(allowed) || tag.starts_with(['.', '-']) => {
            Err("its tag has other than letters, digits, `_`, `.` and `-`")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_name_registry_and_tag() {
        let digest = "0".repeat(64);
        for good in [
            "localhost/longrun/restate:1.7.12-0123abcd",
            "registry.example.com:5000/restate:1",
            "a.example/b/c:v1",
            &format!("a.example/b:1@sha256:{digest}"),
        ] {
            assert_eq!(image_reference(good), Ok(()), "{good}");
        }
        for bad in [
            "restate:1",
            "a.example/restate",
            "a.example:5000/restate",
            "a.example/restate:",
            "a.example/restate:latest",
            "a.example/Restate:1",
            "a.example/b:1@sha256:00",
            "a.example/b:1@md5:00",
            "/b:1",
            "a.example//b:1",
        ] {
            assert!(image_reference(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_have_a_tag_and_no_registry() {
        for good in ["restate:1.7.12", "longrun/restate:1"] {
            assert_eq!(image_name(good), Ok(()), "{good}");
        }
        for bad in [
            "restate",
            "restate:",
            "restate:latest",
            "a.example:5000/restate:1",
            "restate:1@sha256:00",
            "Restate:1",
            ":1",
            "restate:-1",
        ] {
            assert!(image_name(bad).is_err(), "{bad}");
        }
    }
}
