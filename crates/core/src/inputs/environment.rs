//! What runs in one namespace.

use alloc::{collections::BTreeMap, format, string::String, vec, vec::Vec};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Chaos, Count, Cpu, ImageName, Name, Period, Recorder, Schedule, Setting, Size,
    text::Literal as _,
};
use crate::version::{ImageVersion, SUPPORTED, split_key};

/// An environment: a Restate node, the service it calls and the test that runs every minute, in a
/// namespace of their own. The file has the environment's name, and holds only what differs from the
/// defaults.
///
/// There are no processor limits: a limit throttles bursts on an idle machine too, and a node that is
/// throttled for a tenth of a second looks like a node that is broken. Requests share a full machine
/// fairly. Memory has limits: nothing gives memory back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Environment {
    /// The namespace. Also the name of this file.
    pub name: Name,
    /// The cluster it usually runs on; `--cluster` takes another.
    pub cluster: Name,
    /// What it is for, in a sentence: an annotation of the namespace.
    #[serde(default)]
    pub description: String,
    /// The node under test.
    #[serde(default)]
    pub restate: Restate,
    /// The sidecar that says how the node is.
    #[serde(default)]
    pub observer: Observer,
    /// The service that the node calls.
    #[serde(default)]
    pub verification: Verification,
    /// The recurring test, with the resources of the Job that registers the service.
    #[serde(default)]
    pub test: Test,
    /// What remembers results and failures.
    #[serde(default)]
    pub recorder: Recorder,
    /// The pod to look around in a copy of a snapshot.
    #[serde(default)]
    pub attach: Attach,
    /// The faults that are injected; none by default.
    #[serde(default)]
    pub chaos: Chaos,
}

/// The Restate node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Restate {
    /// The image; its tag is Restate's version, one of those that are supported. Another tag (`main`) is taken for
    /// what nobody can compare.
    pub image: ImageName,
    /// The size of the volume that holds the database. A cluster can hold it down.
    pub storage: Size,
    /// How many partitions a new database has.
    pub partitions: Count,
    /// What RocksDB may use, within the memory limit.
    pub rocksdb_memory: Size,
    /// What SQL queries may use, within the memory limit.
    pub query_memory: Size,
    /// How long it may take to stop. 6.6 s under load were measured.
    pub shutdown_timeout: Period,
    /// Reserved processor time.
    pub cpu: Cpu,
    /// Reserved memory.
    pub memory: Size,
    /// Memory beyond which it is killed.
    pub memory_limit: Size,
    /// Further settings of Restate, by environment variable.
    pub settings: BTreeMap<Setting, String>,
}

/// The sidecar of the node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Observer {
    /// Reserved processor time.
    pub cpu: Cpu,
    /// Reserved memory.
    pub memory: Size,
    /// Memory beyond which it is killed.
    pub memory_limit: Size,
}

/// The service that the node calls, and with it the image of every program of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Verification {
    /// The image: of the service, of the test and of the observer.
    pub image: ImageName,
    /// How many pods.
    pub replicas: Count,
    /// Reserved processor time, each.
    pub cpu: Cpu,
    /// Reserved memory, each.
    pub memory: Size,
    /// Memory beyond which a pod is killed.
    pub memory_limit: Size,
}

/// The recurring test. The Job that registers the service has the same resources.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Test {
    /// When one starts.
    pub schedule: Schedule,
    /// How many invocations a program makes, within a factor of two.
    pub size: Count,
    /// How long one attempt may take.
    pub deadline: Period,
    /// How many attempts may follow the first.
    pub retries: Count,
    /// How many failed Jobs are kept, with their pods and logs.
    pub failed_kept: Count,
    /// How many successful Jobs are kept.
    pub successful_kept: Count,
    /// Reserved processor time, each attempt.
    pub cpu: Cpu,
    /// Reserved memory, each attempt.
    pub memory: Size,
    /// Memory beyond which an attempt is killed.
    pub memory_limit: Size,
}

/// The pod to look around in a copy of a snapshot, while `attach` runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Attach {
    /// The image; its tag is BusyBox's version in Debian.
    pub image: ImageName,
}

impl Environment {
    /// The images that must exist before it can be deployed and looked after.
    #[must_use]
    pub fn images(&self) -> Vec<&ImageName> {
        let mut images = vec![
            &self.restate.image,
            &self.verification.image,
            &self.recorder.image,
            &self.attach.image,
        ];
        if self.chaos.is_on() {
            images.push(&self.chaos.image);
        }
        images
    }

    /// Reserved memory and its limit, by the key they stand under.
    pub(super) fn memories(&self) -> [(&'static str, Size, Size); 6] {
        [
            ("restate", self.restate.memory, self.restate.memory_limit),
            ("observer", self.observer.memory, self.observer.memory_limit),
            (
                "verification",
                self.verification.memory,
                self.verification.memory_limit,
            ),
            ("test", self.test.memory, self.test.memory_limit),
            ("chaos", self.chaos.memory, self.chaos.memory_limit),
            ("recorder", self.recorder.memory, self.recorder.memory_limit),
        ]
    }
}

impl Restate {
    /// What is wrong with its version and what would be right, if this project is not made for it.
    pub(super) fn check_version(&self) -> Result<(), (String, String)> {
        let tag = self.image.tag();
        if let (version, Some(key)) = split_key(tag) {
            return Err((
                format!("`{tag}` ends with what looks like the key of an image's content, {key}"),
                format!("the key is added when the image is built; ask for {version}"),
            ));
        }
        match ImageVersion::of(self.image.as_str()) {
            ImageVersion::Known(version) if !SUPPORTED.contains(&version) => Err((
                format!("Restate {version} is not supported"),
                format!(
                    "supported are {SUPPORTED}, whose metrics and upgrades are known and tested"
                ),
            )),
            ImageVersion::Known(_) | ImageVersion::Unknown(_) => Ok(()),
        }
    }
}

impl Default for Restate {
    fn default() -> Self {
        Self {
            image: ImageName::of("restate:1.7.12"),
            storage: Size::gibibytes(32),
            partitions: Count::of(4),
            rocksdb_memory: Size::mebibytes(256),
            query_memory: Size::mebibytes(128),
            shutdown_timeout: Period::minutes(1),
            cpu: Cpu::millis(100),
            memory: Size::mebibytes(512),
            memory_limit: Size::gibibytes(2),
            settings: BTreeMap::new(),
        }
    }
}

impl Default for Observer {
    fn default() -> Self {
        Self {
            cpu: Cpu::millis(10),
            memory: Size::mebibytes(16),
            memory_limit: Size::mebibytes(128),
        }
    }
}

impl Default for Verification {
    fn default() -> Self {
        Self {
            image: ImageName::of("verification:0.1.0"),
            replicas: Count::of(3),
            cpu: Cpu::millis(25),
            memory: Size::mebibytes(64),
            memory_limit: Size::mebibytes(256),
        }
    }
}

impl Default for Attach {
    fn default() -> Self {
        Self {
            image: ImageName::of("busybox:1.35.0"),
        }
    }
}

impl Default for Test {
    fn default() -> Self {
        Self {
            schedule: Schedule::of("* * * * *"),
            size: Count::of(300),
            deadline: Period::minutes(10),
            retries: Count::of(6),
            failed_kept: Count::of(10),
            successful_kept: Count::of(3),
            cpu: Cpu::millis(10),
            memory: Size::mebibytes(16),
            memory_limit: Size::mebibytes(128),
        }
    }
}
