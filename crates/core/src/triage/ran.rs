//! What the node and the service ran, as far as their pods say.

use alloc::{
    collections::BTreeSet,
    string::{String, ToString},
};

use super::evidence::{Container, Evidence, Pod};
use crate::{names::NODE, version::ImageVersion};

/// The containers that pods are named after are what they are for.
fn workloads(evidence: &Evidence) -> impl Iterator<Item = (&Pod, &Container)> {
    let pods = evidence.pods.known().into_iter().flatten();
    pods.flat_map(|pod| {
        let of_pod = pod.containers.iter();
        let named = of_pod.filter(|container| pod.name.starts_with(&container.name));
        named.map(move |container| (pod, container))
    })
}

/// Names and images, several while they roll.
pub(super) fn images(evidence: &Evidence) -> BTreeSet<(String, String)> {
    workloads(evidence)
        .filter_map(|(_, container)| Some((container.name.clone(), container.image.clone()?)))
        .collect()
}

/// The version of Restate that a test ran on; nothing where its pods say none or several. A pod that was made when
/// the test was over says nothing of it.
#[must_use]
pub fn restate_of(evidence: &Evidence) -> Option<String> {
    let over = evidence.case.job.ended.unwrap_or(evidence.at);
    let nodes =
        workloads(evidence).filter(|(pod, container)| container.name == NODE && pod.created < over);
    let versions: Option<BTreeSet<String>> = nodes
        .map(|(_, container)| {
            let version = ImageVersion::of(container.image.as_deref()?);
            Some(version.known()?.to_string())
        })
        .collect();
    let mut versions = versions?.into_iter();
    let version = versions.next()?;
    versions.next().is_none().then_some(version)
}
