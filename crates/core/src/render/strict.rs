//! Whether Kubernetes would understand an object: it is read into its type and written again, and a
//! field that did not survive is one that the API server would drop or refuse.

use alloc::{
    format,
    string::{String, ToString},
};

use k8s_openapi::{
    Resource,
    api::{
        admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
        apps::v1::{Deployment, StatefulSet},
        batch::v1::{CronJob, Job},
        core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Service, ServiceAccount},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
        rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
        storage::v1::{CSIDriver, StorageClass},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::RenderError;
use crate::nearest;

/// external-snapshotter 8: `snapshot.storage.k8s.io/v1`, whose types no crate of ours has.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct VolumeSnapshotClass {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    driver: String,
    deletion_policy: DeletionPolicy,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    parameters: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
enum DeletionPolicy {
    Delete,
    Retain,
}

type Reread = fn(&Value) -> Result<Value, Misfit>;

/// A field that its type cannot hold.
struct Misfit {
    /// `.spec.replicas`, …; empty for the whole.
    field: String,
    why: String,
}

const fn known<T: Resource + DeserializeOwned + Serialize>() -> (&'static str, &'static str, Reread)
{
    (T::API_VERSION, T::KIND, reread::<T>)
}

const KNOWN: [(&str, &str, Reread); 21] = [
    known::<ClusterRole>(),
    known::<ClusterRoleBinding>(),
    known::<ConfigMap>(),
    known::<CronJob>(),
    known::<CSIDriver>(),
    known::<CustomResourceDefinition>(),
    known::<Deployment>(),
    known::<Job>(),
    known::<Namespace>(),
    known::<NetworkPolicy>(),
    known::<PersistentVolumeClaim>(),
    known::<PodDisruptionBudget>(),
    known::<Role>(),
    known::<RoleBinding>(),
    known::<Service>(),
    known::<ServiceAccount>(),
    known::<StatefulSet>(),
    known::<StorageClass>(),
    known::<ValidatingAdmissionPolicy>(),
    known::<ValidatingAdmissionPolicyBinding>(),
    (
        "snapshot.storage.k8s.io/v1",
        "VolumeSnapshotClass",
        reread::<VolumeSnapshotClass>,
    ),
];

fn reread<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, Misfit> {
    let typed: T = serde_path_to_error::deserialize(object).map_err(|error| {
        let path = error.path();
        let whole = path.iter().next().is_none();
        Misfit {
            field: if whole {
                String::new()
            } else {
                format!(".{path}")
            },
            why: error.inner().to_string(),
        }
    })?;
    serde_json::to_value(typed).map_err(|error| Misfit {
        field: String::new(),
        why: error.to_string(),
    })
}

pub(super) fn check(file: &str, object: &Value) -> Result<(), RenderError> {
    let refuse =
        |field: &str, message: String| Err(RenderError::object(file, object, field, message));
    let text = |field: &str| {
        object
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let Some((.., reread)) = KNOWN
        .iter()
        .find(|(version, name, _)| (*version, *name) == (api_version, kind))
    else {
        let known = KNOWN.map(|(version, name, _)| format!("{version} {name}"));
        let message = format!("apiVersion `{api_version}` with kind `{kind}` is not known here");
        let hint = nearest::among(
            &format!("{api_version} {kind}"),
            known.iter().map(String::as_str),
        );
        return Err(RenderError {
            hint: Some(hint),
            ..RenderError::object(file, object, "", message)
        });
    };
    match reread(object) {
        Err(Misfit { field, why }) => refuse(&field, why),
        Ok(read) => match lost(object, &read) {
            Some(field) => refuse(
                &field,
                format!("{kind} has no such field, or not with this value"),
            ),
            None => Ok(()),
        },
    }
}

/// The path of the first thing in `written` that is not in `read`.
fn lost(written: &Value, read: &Value) -> Option<String> {
    match (written, read) {
        // `field: null` is an absent field.
        (Value::Null, _) => None,
        (Value::Object(written), Value::Object(read)) => written.iter().find_map(|(key, value)| {
            let rest = match read.get(key) {
                Some(read) => lost(value, read)?,
                None if value.is_null() => return None,
                None => String::new(),
            };
            Some(format!(".{key}{rest}"))
        }),
        (Value::Array(written), Value::Array(read)) if written.len() == read.len() => written
            .iter()
            .zip(read)
            .enumerate()
            .find_map(|(index, (written, read))| {
                lost(written, read).map(|rest| format!("[{index}]{rest}"))
            }),
        (Value::Number(written), Value::Number(read)) if written.as_f64() == read.as_f64() => None,
        (written, read) if written == read => None,
        _ => Some(String::new()),
    }
}
