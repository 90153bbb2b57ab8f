//! From what is asked for to the manifests that a reviewer reads and a cluster gets: a pure function, the
//! same bytes on every machine, whatever the order of the templates.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::Serialize;
use serde_json::Value;

use crate::{
    inputs::{Cluster, Environment, Images},
    object::ObjectRef,
};

mod check;
mod condition;
mod error;
mod labels;
mod quote;
mod strict;
mod templates;
mod values;
mod yaml;

pub use check::{Difference, check, strays};
pub use error::{Place, RenderError};
pub use templates::Templates;
pub use values::POD_USER;

use labels::Scope;
use values::{EnvironmentValues, PORTS, SharedValues};

/// The folder of the templates: `templates/<component>/<objects>.yaml.hbs`, and `_<name>.hbs` for what
/// several of them include.
pub const TEMPLATES: &str = "templates";

/// The folder of what is rendered: `manifests/<cluster>/<environment>/<component>/<objects>.yaml`.
pub const MANIFESTS: &str = "manifests";

/// In both: what belongs to a cluster and to none of its environments.
pub const SHARED: &str = "_shared";

/// A rendered file.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rendered {
    /// Relative to the folder of the environment, for example `restate/statefulset.yaml`.
    pub path: String,
    /// As it is committed.
    pub text: String,
    /// What is in it, in the same order.
    pub objects: Vec<Value>,
}

/// A manifest that is not rendered but applied along with what is, for example a CRD that a component
/// brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// Relative to the folder of what is shared, for example `crds/volumesnapshots.yaml`.
    pub path: String,
    /// YAML, with any number of documents.
    pub text: String,
}

/// The folder of an environment's manifests, relative to the project's root.
#[must_use]
pub fn folder(cluster: &Cluster, environment: &Environment) -> String {
    format!("{MANIFESTS}/{}/{}", cluster.name, environment.name)
}

/// The folder of a cluster's shared manifests, relative to the project's root.
#[must_use]
pub fn shared_folder(cluster: &Cluster) -> String {
    format!("{MANIFESTS}/{}/{SHARED}", cluster.name)
}

/// Renders an environment, in the order of the paths.
///
/// # Errors
/// The first template that cannot be rendered, or whose output is not what Kubernetes knows.
pub fn render(
    templates: &Templates,
    environment: &Environment,
    cluster: &Cluster,
    images: &Images,
) -> Result<Vec<Rendered>, RenderError> {
    let values = EnvironmentValues::new(environment, cluster, images);
    in_order(templates.render(&Scope::Environment(environment.name.as_str()), &values)?)
}

/// Renders what belongs to a cluster and to none of its environments, in the order of the paths.
///
/// # Errors
/// The first template that cannot be rendered, or whose output is not what Kubernetes knows.
pub fn render_shared(
    templates: &Templates,
    cluster: &Cluster,
    extras: &[Extra],
) -> Result<Vec<Rendered>, RenderError> {
    let values = SharedValues {
        cluster,
        embedded: cluster.access.is_embedded(),
        port: PORTS,
    };
    let mut rendered = templates.render(&Scope::Shared, &values)?;
    for extra in extras {
        let component = extra.path.split('/').next().unwrap_or_default();
        let mut objects = yaml::parse(&extra.path, &extra.text)?;
        for object in &mut objects {
            strict::check(&extra.path, object)?;
            labels::add_shared(object, component);
            labels::check(&extra.path, object, &Scope::Shared)?;
        }
        let (path, text) = (extra.path.clone(), extra.text.clone());
        rendered.push(Rendered {
            path,
            text,
            objects,
        });
    }
    in_order(rendered)
}

/// By path; and no object is in two files, where the later would win.
fn in_order(mut rendered: Vec<Rendered>) -> Result<Vec<Rendered>, RenderError> {
    rendered.sort_by(|a, b| a.path.cmp(&b.path));
    let mut seen: BTreeMap<ObjectRef, String> = BTreeMap::new();
    for file in &rendered {
        for object in &file.objects {
            if let Some(reference) = ObjectRef::of(object)
                && let Some(first) = seen.insert(reference, file.path.clone())
            {
                return Err(RenderError::object(
                    &file.path,
                    object,
                    "",
                    format!("it is in {first} already"),
                ));
            }
        }
    }
    Ok(rendered)
}

/// How an object is called in messages.
fn title(object: &Value) -> String {
    ObjectRef::of(object).map_or_else(
        || "an object without a name".to_string(),
        |object| object.to_string(),
    )
}
