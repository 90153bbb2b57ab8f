//! Which node may open which data: by Restate's rules on upgrades, and by what is known of who has opened them.

use alloc::{
    format,
    string::{String, ToString},
};

use serde_json::Value;

use crate::{
    journal::Journal,
    names::NODE,
    plan::{Effect, Loss},
    version::{ImageVersion, Version, noted},
};

/// Restate's rules on upgrades (docs.restate.dev, "Upgrading").
const ONE_MINOR: &str =
    "Restate supports upgrades to the next minor version only, one after the other";
const NO_DOWNGRADE: &str = "Restate supports the way back only to the minor version before, and only while no feature of the newer one was used, which cannot be told here";

/// What it means that a node opens data that another one has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Nothing: it is the same version.
    Same,
    /// Restate supports it. A snapshot from before is the way back.
    Supported,
    /// Restate does not support it, by this rule.
    Unsupported(&'static str),
    /// One of them is no version, or nobody has noted which one it was.
    Unknown,
}

impl Opening {
    /// Of data that a node of one version has opened, by a node of another one.
    pub(super) fn of(opened_by: Option<&ImageVersion>, node: &ImageVersion) -> Self {
        match (opened_by, node) {
            (Some(ImageVersion::Known(from)), ImageVersion::Known(to)) => by_rule(from, to),
            (Some(from), to) if from == to => Self::Same,
            (Some(ImageVersion::Unknown(_)), _) | (_, ImageVersion::Unknown(_)) | (None, _) => {
                Self::Unknown
            }
        }
    }
}

fn by_rule(from: &Version, to: &Version) -> Opening {
    let minor = |version: &Version| (version.major(), version.minor());
    if to == from {
        Opening::Same
    } else if to < from {
        // Within a minor version, releases open each other's data. Pre-releases promise nothing.
        let released = !from.is_pre_release() && !to.is_pre_release();
        if released && minor(from) == minor(to) {
            Opening::Supported
        } else {
            Opening::Unsupported(NO_DOWNGRADE)
        }
    } else if to.major() == from.major() && to.minor() <= from.minor() + 1 {
        Opening::Supported
    } else {
        Opening::Unsupported(ONE_MINOR)
    }
}

/// The image of the node in a StatefulSet.
pub(super) fn node_image(set: &Value) -> Option<&str> {
    let containers = set.pointer("/spec/template/spec/containers")?.as_array()?;
    let is_node = |container: &&Value| container.get("name").and_then(Value::as_str) == Some(NODE);
    containers.iter().find(is_node)?.get("image")?.as_str()
}

/// The newest node that has opened what a claim holds: by the note on it, and by the StatefulSet that runs on it. A
/// deployment that was stopped half-way has changed the one and not the other, and so has a person who changed the
/// image back.
pub(super) fn opened_by(claim: &Value, set: Option<&Value>) -> Option<ImageVersion> {
    let running = set.and_then(node_image).map(ImageVersion::of);
    match (noted(claim), running) {
        (Some(noted), Some(running)) => Some(if noted > running { noted } else { running }),
        (noted, running) => noted.or(running),
    }
}

/// The image of the node that an operation started on another volume, once it has come to that.
#[must_use]
pub fn node_started(journal: &Journal) -> Option<&str> {
    let mut entries = journal.entries().iter();
    entries.find_map(|entry| match &journal.plan().steps.get(entry.step)?.act {
        Effect::RecordNode { image, .. } => Some(image.as_str()),
        _ => None,
    })
}

/// The loss that asks for consent where nobody can say whether a node can open what there is.
pub(super) fn unknown(opened_by: Option<&ImageVersion>, node: &ImageVersion) -> Loss {
    Loss::Incomparable {
        opened_by: opened_by.map(ToString::to_string),
        node: node.to_string(),
    }
}

/// What is said of the node that a plan starts, and of the one that runs.
pub(super) fn told(what: &str, image: &str, running: Option<&str>) -> String {
    let version = ImageVersion::of(image);
    let changes = running.filter(|running| ImageVersion::of(running) != version);
    let now = changes.map_or_else(String::new, |running| {
        format!("; the node is {} at present", ImageVersion::of(running))
    });
    format!("{what} is opened by Restate {version}, as the environment's file says ({image}){now}")
}
