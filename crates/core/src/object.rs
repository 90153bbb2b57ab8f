//! Names and identities of Kubernetes objects, and what of an object a decision may depend on.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Identity of one incarnation of an object: a recreated object has another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uid(pub String);

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an object is found: everything but which incarnation it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `v1`, `apps/v1`, …
    pub api_version: String,
    /// `StatefulSet`, …
    pub kind: String,
    /// Absent for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `metadata.name`
    pub name: String,
}

impl ObjectRef {
    /// A reference to an object of the whole cluster.
    #[must_use]
    pub fn whole(api_version: &str, kind: &str, name: &str) -> Self {
        Self {
            api_version: api_version.to_string(),
            kind: kind.to_string(),
            namespace: None,
            name: name.to_string(),
        }
    }

    /// A reference to a namespaced object.
    #[must_use]
    pub fn namespaced(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        }
    }

    /// The reference of an object as it is written in a manifest; `None` when `apiVersion`, `kind` or
    /// `metadata.name` is missing.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        Some(Self {
            api_version: object.get("apiVersion")?.as_str()?.to_owned(),
            kind: object.get("kind")?.as_str()?.to_owned(),
            namespace: object
                .pointer("/metadata/namespace")
                .and_then(Value::as_str)
                .map(ToOwned::to_owned),
            name: object.pointer("/metadata/name")?.as_str()?.to_owned(),
        })
    }

    /// The API group, empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// The version within the group.
    #[must_use]
    pub fn version(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or(self.api_version.as_str(), |(_, version)| version)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// `metadata.uid` of a live object.
#[must_use]
pub fn uid(object: &Value) -> Option<Uid> {
    object
        .pointer("/metadata/uid")
        .and_then(Value::as_str)
        .map(|uid| Uid(uid.to_owned()))
}

/// A SHA-256 in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of a document, independent of the order of its keys.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        let mut hash = Sha256::new();
        feed(&mut hash, value);
        let mut hex = String::with_capacity(64);
        for byte in hash.finalize() {
            hex.push_str(&format!("{byte:02x}"));
        }
        Self(hex)
    }

    /// The digest of what a plan was decided on: the [`intent`], without the finalizers. Controllers add and
    /// remove those in their own time: a snapshot's last one comes after it is ready.
    #[must_use]
    pub fn of_intent(object: &Value) -> Self {
        let mut intent = intent(object);
        if let Some(metadata) = intent.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("finalizers");
        }
        Self::of(&intent)
    }

    /// The first 12 digits: what people read and type.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn feed(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_unstable_by_key(|(key, _)| *key);
            hash.update(b"{");
            for (key, value) in keys {
                feed_text(hash, key);
                feed(hash, value);
            }
            hash.update(b"}");
        }
        Value::Array(items) => {
            hash.update(b"[");
            for item in items {
                feed(hash, item);
            }
            hash.update(b"]");
        }
        Value::String(text) => feed_text(hash, text),
        scalar => feed_json(hash, &[&scalar.to_string()]),
    }
}

/// A string as JSON writes it.
fn feed_text(hash: &mut Sha256, text: &str) {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        feed_json(hash, &["\"", text, "\""]);
    } else {
        feed_json(hash, &[&Value::from(text).to_string()]);
    }
}

fn feed_json(hash: &mut Sha256, parts: &[&str]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    hash.update(length.to_le_bytes());
    for part in parts {
        hash.update(part.as_bytes());
    }
}

/// Metadata that the API server and the controllers write on every object.
const WRITTEN_BY_SERVER: [&str; 7] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Annotations in which controllers keep their own status.
const WRITTEN_BY_CONTROLLERS: [&str; 1] = ["deployment.kubernetes.io/revision"];

/// The part of a live object that somebody intends: without status and without what the API server
/// and controllers write. A plan is decided on this part only, so that a CronJob whose status
/// changes every minute does not invalidate an answer.
#[must_use]
pub fn intent(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in WRITTEN_BY_SERVER {
            metadata.shift_remove(field);
        }
        if let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
        {
            for annotation in WRITTEN_BY_CONTROLLERS {
                annotations.shift_remove(annotation);
            }
            if annotations.is_empty() {
                metadata.shift_remove("annotations");
            }
        }
    }
    object
}

/// A quantity of storage in bytes (Kubernetes: resource.Quantity, the binary and decimal suffixes).
pub(crate) fn bytes(quantity: &str) -> Option<u128> {
    let digits = quantity.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor: u128 = match &quantity[digits.len()..] {
        "" => 1,
        "k" => 1000,
        "M" => 1000_u128.pow(2),
        "G" => 1000_u128.pow(3),
        "T" => 1000_u128.pow(4),
        "P" => 1000_u128.pow(5),
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        _ => return None,
    };
    digits.parse::<u128>().ok()?.checked_mul(factor)
}

#[cfg(test)]
pub(crate) mod tests {
    use alloc::{string::String, vec::Vec};

    use proptest::{collection::vec, prelude::*};
    use serde_json::{Map, json};

    use super::*;

    /// Small documents that meet each other often.
    pub(crate) fn document() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3_i64).prop_map(Value::from),
            "[a-c]{0,2}".prop_map(Value::from),
        ];
        scalar.prop_recursive(3, 24, 4, |inner| {
            let field = ("name|spec|status|[a-c]", inner.clone());
            prop_oneof![
                vec(inner, 0..4).prop_map(Value::from),
                vec(field, 0..4).prop_map(|fields: Vec<(String, Value)>| {
                    Value::Object(fields.into_iter().collect())
                }),
            ]
        })
    }

    fn reversed(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let fields = map.iter().rev();
                let fields = fields.map(|(key, value)| (key.clone(), reversed(value)));
                Value::Object(fields.collect::<Map<_, _>>())
            }
            Value::Array(items) => items.iter().map(reversed).collect(),
            scalar => scalar.clone(),
        }
    }

    proptest! {
        #[test]
        fn a_digest_does_not_depend_on_the_order_of_keys(value in document()) {
            prop_assert_eq!(Digest::of(&value), Digest::of(&reversed(&value)));
        }

        #[test]
        fn a_digest_tells_documents_apart(one in document(), other in document()) {
            prop_assert_eq!(Digest::of(&one) == Digest::of(&other), one == other);
        }

        #[test]
        fn a_status_is_no_intent(spec in document(), status in document(), version in 0..9_u8) {
            let object = |status, version| json!({
                "metadata": {"name": "a", "resourceVersion": version, "generation": version},
                "spec": spec, "status": status});
            prop_assert_eq!(intent(&object(status, version)), intent(&object(Value::Null, 0)));
        }
    }

    #[test]
    fn what_the_server_writes_is_no_intent_and_what_people_write_is() {
        let live = json!({"metadata": {"name": "a", "uid": "1", "managedFields": [],
            "deletionTimestamp": "now", "labels": {"a": "b"},
            "annotations": {"deployment.kubernetes.io/revision": "3"}}, "spec": {"suspend": true}});
        let expected = json!({"metadata": {"name": "a", "deletionTimestamp": "now",
            "labels": {"a": "b"}}, "spec": {"suspend": true}});
        assert_eq!(intent(&live), expected);
    }

    #[test]
    fn a_finalizer_that_comes_later_is_no_change_and_a_label_is() {
        let live = |more: Value| {
            let mut live = json!({"metadata": {"name": "a", "labels": {"keep": "no"}}, "spec": {}});
            let metadata = live["metadata"].as_object_mut().unwrap();
            metadata.extend(more.as_object().unwrap().clone());
            Digest::of_intent(&live)
        };
        let seen = live(json!({}));
        assert_eq!(live(json!({"finalizers": ["bound-protection"]})), seen);
        assert_ne!(live(json!({"labels": {"keep": "yes"}})), seen);
    }

    /// Journals in clusters hold digests that older versions made.
    #[test]
    fn digests_stay_what_they_are() {
        let value = json!({"b": ["\u{1}\"\\ü", 1, true, null], "a\"": {}});
        assert_eq!(
            Digest::of(&value).to_string(),
            "6a0b4481dd1c4a082024abd78a8dcfb6219ca7e1d12a3125cc7b8961868e4ae1"
        );
    }

    #[test]
    fn a_digest_that_was_shortened_by_hand_is_still_shown() {
        let digest: Digest = serde_json::from_value(json!("abc")).unwrap();
        assert_eq!(digest.short(), "abc");
    }

    #[test]
    fn quantities_are_compared_as_bytes() {
        assert_eq!(bytes("10Gi"), Some(10 << 30));
        assert_eq!(bytes("10240Mi"), bytes("10Gi"));
        assert_eq!(bytes("10G"), Some(10_000_000_000));
        assert_eq!(bytes("1024"), bytes("1Ki"));
        assert_eq!(bytes("1.5Gi"), None);
        assert_eq!(bytes("10Foo"), None);
        assert_eq!(bytes(""), None);
    }
}
