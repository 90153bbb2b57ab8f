//! Which fields of an object change, named the way people name them.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One field that a step changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `spec.template.spec.containers[restate].image`
    pub path: String,
    /// Absent when the field appears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// Absent when the field disappears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What stands in for every value of a Secret. The digest of a plan still changes when the value
/// does, because the step carries the manifest.
const MASKED: &str = "(secret)";

/// The fields in which two versions of an object differ, in the order of the first one's fields.
/// Values of Secrets are masked.
#[must_use]
pub fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    if before.get("kind").and_then(Value::as_str) == Some("Secret") {
        for change in found.iter_mut().filter(|change| is_secret(&change.path)) {
            change.before = change.before.take().map(|_| MASKED.into());
            change.after = change.after.take().map(|_| MASKED.into());
        }
    }
    found
}

/// The changes of the fields that are asked for: without the server's dry run nothing is known of
/// defaults and of other managers' fields, and they would show up as removals.
#[must_use]
pub fn asked(live: &Value, desired: &Value) -> Vec<Change> {
    changes(live, desired)
        .into_iter()
        .filter(|change| change.after.is_some())
        .collect()
}

/// Whether a field of a Secret holds its values. Tools copy them into annotations as well.
fn is_secret(path: &str) -> bool {
    ["data", "stringData", "metadata.annotations"]
        .iter()
        .any(|secret| path.starts_with(secret))
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Change>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                match new.get(key) {
                    Some(other) => compare(&field(path, key), value, other, found),
                    None => found.push(gone(field(path, key), value)),
                }
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                found.push(appeared(field(path, key), value));
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            if let (Some(old_names), Some(new_names)) = (names(old), names(new)) {
                for (name, value) in old_names.iter().zip(old) {
                    let place = format!("{path}[{name}]");
                    match new_names.iter().position(|other| other == name) {
                        Some(index) => compare(&place, value, &new[index], found),
                        None => found.push(gone(place, value)),
                    }
                }
                for (name, value) in new_names.iter().zip(new) {
                    if !old_names.contains(name) {
                        found.push(appeared(format!("{path}[{name}]"), value));
                    }
                }
                // Entries that stay may be in another order, which matters for a container's environment.
                let stay = |ours: &[&str], theirs: &[&str]| -> Vec<String> {
                    let stays = ours.iter().filter(|name| theirs.contains(name));
                    stays.map(|name| (*name).to_owned()).collect()
                };
                if stay(&old_names, &new_names) != stay(&new_names, &old_names) {
                    found.push(Change {
                        path: path.to_owned(),
                        before: Some(old_names.into_iter().map(Value::from).collect()),
                        after: Some(new_names.into_iter().map(Value::from).collect()),
                    });
                }
            } else if old.len() == new.len() {
                for (index, (value, other)) in old.iter().zip(new).enumerate() {
                    compare(&format!("{path}[{index}]"), value, other, found);
                }
            } else {
                found.push(replaced(path, before, after));
            }
        }
        _ if before == after => {}
        _ => found.push(replaced(path, before, after)),
    }
}

/// The names of a list's entries when each has one of its own.
fn names(list: &[Value]) -> Option<Vec<&str>> {
    let names: Vec<&str> = list
        .iter()
        .map(|entry| entry.get("name").and_then(Value::as_str))
        .collect::<Option<_>>()?;
    let unique = names
        .iter()
        .enumerate()
        .all(|(index, name)| !names[..index].contains(name));
    (unique && !names.is_empty()).then_some(names)
}

fn field(path: &str, key: &str) -> String {
    if key.contains(['.', '/']) {
        format!("{path}[{key:?}]")
    } else if path.is_empty() {
        key.to_string()
    } else {
        format!("{path}.{key}")
    }
}

fn gone(path: String, before: &Value) -> Change {
    Change {
        path,
        before: Some(before.clone()),
        after: None,
    }
}

fn appeared(path: String, after: &Value) -> Change {
    Change {
        path,
        before: None,
        after: Some(after.clone()),
    }
}

fn replaced(path: &str, before: &Value, after: &Value) -> Change {
    Change {
        path: path.to_owned(),
        before: Some(before.clone()),
        after: Some(after.clone()),
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{}: {before} → {after}", self.path),
            (Some(before), None) => write!(f, "{}: {before} → (removed)", self.path),
            (None, Some(after)) => write!(f, "{}: (none) → {after}", self.path),
            (None, None) => f.write_str(&self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn check(before: &Value, after: &Value) -> String {
        changes(before, after)
            .iter()
            .map(|change| format!("{change}\n"))
            .collect()
    }

    #[test]
    fn entries_of_a_list_are_found_by_name() {
        let before =
            json!({"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b"}]}});
        let after = json!({"spec": {"containers": [{"name": "b"}, {"name": "a", "image": "x:2"}, {"name": "c"}]}});
        assert_snapshot!(check(&before, &after), @r#"
        spec.containers[a].image: "x:1" → "x:2"
        spec.containers[c]: (none) → {"name":"c"}
        spec.containers: ["a","b"] → ["b","a","c"]
        "#);
    }

    proptest::proptest! {
        #[test]
        fn only_equal_documents_have_no_changes(
            one in crate::object::tests::document(),
            other in crate::object::tests::document(),
        ) {
            proptest::prop_assert_eq!(changes(&one, &other).is_empty(), one == other);
            proptest::prop_assert!(changes(&one, &one).is_empty());
        }
    }

    #[test]
    fn defaults_and_fields_of_others_are_not_asked_for() {
        let live = json!({"spec": {"a": 1, "default": true}, "data": {"b": 1}});
        let desired = json!({"spec": {"a": 2}});
        let paths: Vec<String> = asked(&live, &desired)
            .into_iter()
            .map(|change| change.path)
            .collect();
        assert_eq!(paths, ["spec.a"]);
    }

    #[test]
    fn copies_of_a_secret_in_annotations_stay_secret() {
        let object = |value: &str| {
            json!({"kind": "Secret", "metadata": {"annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": value}}})
        };
        let text = check(&object("hunter2"), &object("hunter3"));
        assert!(!text.contains("hunter"), "{text}");
    }

    #[test]
    fn an_order_is_a_difference() {
        let before = json!({"env": [{"name": "a"}, {"name": "b"}]});
        let after = json!({"env": [{"name": "b"}, {"name": "a"}]});
        assert_snapshot!(check(&before, &after), @r#"env: ["a","b"] → ["b","a"]"#);
    }

    #[test]
    fn keys_with_dots_are_quoted() {
        let before = json!({"metadata": {"labels": {"app.kubernetes.io/name": "a"}}});
        let after = json!({"metadata": {"labels": {}}});
        assert_snapshot!(check(&before, &after), @r#"metadata.labels["app.kubernetes.io/name"]: "a" → (removed)"#);
    }

    #[test]
    fn values_of_secrets_stay_secret() {
        let before = json!({"kind": "Secret", "data": {"password": "aHVudGVyMg=="}});
        let after = json!({"kind": "Secret", "data": {"password": "b3RoZXI="}});
        assert_snapshot!(check(&before, &after), @r#"data.password: "(secret)" → "(secret)""#);
    }
}
