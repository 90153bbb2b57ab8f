//! What of an environment's faults happens by itself: for whoever sees none, and wonders why.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{FAULTS, Fault, NoGo, Pause, decision::wanted};
use crate::cluster::{CronJob, Namespace};

/// The faults of an environment, as they stand in its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RotationStatus {
    /// Those that have a CronJob: the turn of each comes once an hour.
    pub faults: Vec<&'static str>,
    /// Those of them whose CronJob is suspended.
    pub suspended: Vec<&'static str>,
    /// A pause that lasts.
    pub pause: Option<Pause>,
    /// Why none is injected, whosever turn it is.
    pub no_go: Option<String>,
}

impl RotationStatus {
    /// How they stand; `None` where neither the namespace nor a CronJob asks for any.
    #[must_use]
    pub fn read(
        environment: &str,
        namespace: &Namespace,
        cron_jobs: &[CronJob],
        pause: Option<&Value>,
        now: Timestamp,
    ) -> Option<Self> {
        let turns = || {
            let turn = |fault: &Fault| Some((fault.name, fault.is_suspended(cron_jobs)?));
            FAULTS.iter().filter_map(turn)
        };
        let no_go = wanted(environment, Some(namespace), pause, now).err();
        let asked = !matches!(no_go, Some(NoGo::NotOptedIn { .. }));
        (asked || turns().next().is_some()).then(|| Self {
            faults: turns().map(|(fault, _)| fault).collect(),
            suspended: turns()
                .filter_map(|(fault, off)| off.then_some(fault))
                .collect(),
            no_go: no_go.as_ref().map(ToString::to_string),
            pause: match no_go {
                Some(NoGo::Paused(pause)) => Some(pause),
                _ => None,
            },
        })
    }
}

impl Fault {
    /// Whether its CronJob is suspended; `None` when it is not among these.
    #[must_use]
    pub fn is_suspended(&self, cron_jobs: &[CronJob]) -> Option<bool> {
        let own = self.cron_job();
        let live = cron_jobs.iter().find(|live| live.metadata.name == own)?;
        Some(live.spec.suspend)
    }
}
