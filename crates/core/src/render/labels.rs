//! The labels that operations rely on, checked on every object: an environment's object without its
//! environment would belong to nobody, and a mark of what is rendered that reached a pod or a Job would
//! let prune delete evidence.

use alloc::{format, string::ToString};

use serde_json::{Map, Value, json};

use super::RenderError;
use crate::names::{
    COMPONENT_LABEL, ENVIRONMENT_LABEL, FIELD_MANAGER, MANAGED_BY_LABEL, NAME_LABEL, RENDERED_LABEL,
};

/// Whose the objects are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope<'a> {
    /// Those of the environment with this name.
    Environment(&'a str),
    /// The cluster's.
    Shared,
}

pub(super) fn check(file: &str, object: &Value, scope: &Scope<'_>) -> Result<(), RenderError> {
    let refuse = |field: &str, message| Err(RenderError::object(file, object, field, message));
    let label = |label: &str| object.get("metadata")?.get("labels")?.get(label)?.as_str();
    let wanted = |name: &str, value: &str| {
        (label(name) != Some(value))
            .then(|| format!("the label `{name}` must be there and be `{value}`"))
    };
    let namespace = object
        .pointer("/metadata/namespace")
        .and_then(Value::as_str);
    let is_namespace = object.get("kind").and_then(Value::as_str) == Some("Namespace");
    match scope {
        Scope::Environment(environment) => {
            let own = if is_namespace {
                object.pointer("/metadata/name").and_then(Value::as_str)
            } else {
                namespace
            };
            if own != Some(environment) {
                return refuse(".metadata.namespace", format!("it must be `{environment}`"));
            }
            if let Some(message) = wanted(ENVIRONMENT_LABEL, environment) {
                return refuse(".metadata.labels", message);
            }
        }
        Scope::Shared => {
            if namespace.is_some() || is_namespace {
                return refuse(
                    ".metadata.namespace",
                    "what is shared is in no namespace".to_string(),
                );
            }
            if label(ENVIRONMENT_LABEL).is_some() {
                return refuse(
                    ".metadata.labels",
                    "what is shared belongs to no environment".to_string(),
                );
            }
        }
    }
    for (name, value) in [(MANAGED_BY_LABEL, FIELD_MANAGER), (RENDERED_LABEL, "true")] {
        if let Some(message) = wanted(name, value) {
            return refuse(".metadata.labels", message);
        }
    }
    if let Some(name) = [NAME_LABEL, COMPONENT_LABEL]
        .into_iter()
        .find(|name| label(name).is_none())
    {
        return refuse(
            ".metadata.labels",
            format!("the label `{name}` must be there"),
        );
    }
    if object.get("spec").is_some_and(marked) {
        return refuse(
            ".spec",
            format!("`{RENDERED_LABEL}` must be on top-level metadata only"),
        );
    }
    Ok(())
}

/// Labels an object that came without ours, as part of a component.
pub(super) fn add_shared(object: &mut Value, component: &str) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    let labels = metadata
        .entry("labels")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Some(labels) = labels.as_object_mut() {
        for (name, value) in [
            (NAME_LABEL, component),
            (COMPONENT_LABEL, component),
            (MANAGED_BY_LABEL, FIELD_MANAGER),
            (RENDERED_LABEL, "true"),
        ] {
            labels.insert(name.to_string(), json!(value));
        }
    }
}

fn marked(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key(RENDERED_LABEL) || fields.values().any(marked),
        Value::Array(items) => items.iter().any(marked),
        _ => false,
    }
}
