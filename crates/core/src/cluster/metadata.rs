//! What every live object has.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Unreadable, View, read};
use crate::object::{ObjectRef, Uid};

/// `metadata` of a live object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its namespace; absent for cluster-scoped objects.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Its incarnation.
    pub uid: Uid,
    /// When it was made.
    #[serde(rename = "creationTimestamp")]
    pub created: Timestamp,
    /// Since when it is being deleted.
    #[serde(rename = "deletionTimestamp", default)]
    pub deleted: Option<Timestamp>,
    /// Which version of its spec this is, for kinds that count them.
    #[serde(default)]
    pub generation: Option<u64>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// What goes before it.
    #[serde(rename = "ownerReferences", default)]
    pub owners: Vec<Owner>,
}

/// An owner of an object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Owner {
    /// Its incarnation.
    pub uid: Uid,
}

/// A live object of any kind.
#[derive(Deserialize)]
struct Live {
    metadata: Metadata,
}

impl Metadata {
    /// That of a live object of any kind.
    ///
    /// # Errors
    /// Which field is not as it should be.
    pub fn of(object: &Value) -> Result<Self, Unreadable> {
        read::<Live>("object", object).map(|live| live.metadata)
    }

    /// Where an object of this kind is found.
    #[must_use]
    pub fn reference<T: View>(&self) -> ObjectRef {
        ObjectRef {
            api_version: T::API_VERSION.into(),
            kind: T::KIND.into(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    /// Whether the object is being deleted.
    #[must_use]
    pub fn is_going(&self) -> bool {
        self.deleted.is_some()
    }

    /// The value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }

    /// Whether this incarnation owns the object.
    #[must_use]
    pub fn is_owned_by(&self, owner: &Uid) -> bool {
        self.owners.iter().any(|reference| reference.uid == *owner)
    }
}
