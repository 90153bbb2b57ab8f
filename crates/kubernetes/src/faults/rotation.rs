//! The rotation of an environment as it stands: for `chaos status`, and in short for `status`.

use jiff::Timestamp;
use longrun_core::{
    cluster::{CronJob, Namespace},
    faults::{
        Facts, Fault, Pause, RotationStatus, Settings, decide,
        ledger::{Entry, Ledger},
    },
    names::PAUSE,
    object::ObjectRef,
};
use serde::Serialize;

use super::{observe, pause_of};
use crate::{client::Client, failure::Failure, lease};

/// The rotation of an environment as it stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Chaos {
    /// Present by the API server's clock.
    pub now: Timestamp,
    /// A pause that lasts.
    pub pause: Option<Pause>,
    /// Who is at work, on what, since when.
    pub operation: Option<String>,
    /// Each fault of the environment's file, in the order of the hour.
    pub faults: Vec<Verdict>,
    /// Entries of the ledger that have not ended.
    pub open: Vec<String>,
    #[serde(skip)]
    facts: Facts,
}

/// One fault of the rotation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Which fault.
    pub fault: &'static str,
    /// The minute of the hour.
    pub minute: u32,
    /// Whether its CronJob is there; an operation may have suspended it.
    pub deployed: bool,
    /// Whether its CronJob is suspended.
    pub suspended: bool,
    /// When it begins next.
    pub next: Option<Timestamp>,
    /// Its last entry in the ledger.
    pub last: Option<Entry>,
    /// How long its target took to be healthy again then, in seconds.
    pub recovery_seconds: Option<i64>,
    /// Why it would not be injected now; nothing when it would.
    pub no_go: Option<String>,
}

/// Reads how the rotation stands.
///
/// # Errors
/// When the API server does not say.
pub async fn chaos(
    client: &Client,
    settings: &Settings,
    rotation: &[(&'static Fault, u32)],
) -> Result<Chaos, Failure> {
    let environment = &settings.target.environment;
    let (facts, cron_jobs, holder) = tokio::try_join!(
        observe(client, environment),
        client.views(environment, ""),
        lease::at_work(client, environment),
    )?;
    let now = client.now();
    let ledger = Ledger::read(facts.ledger.as_ref());
    let pause = pause_of(&facts).filter(|pause| pause.lasts(now));
    let faults = rotation
        .iter()
        .map(|(fault, minute)| {
            let suspended = fault.is_suspended(&cron_jobs);
            let last = ledger.last(fault.name).cloned();
            Verdict {
                fault: fault.name,
                minute: *minute,
                deployed: suspended.is_some(),
                suspended: suspended == Some(true),
                next: next(now, *minute).filter(|_| suspended == Some(false)),
                recovery_seconds: last
                    .as_ref()
                    .and_then(|entry| Some(entry.recovery()?.as_secs())),
                last,
                no_go: decide(fault, settings, &facts, now)
                    .err()
                    .map(|reason| reason.to_string()),
            }
        })
        .collect();
    let open = ledger.open().map(|(name, _)| name.to_owned()).collect();
    Ok(Chaos {
        now,
        pause,
        operation: holder
            .map(|held| format!("{} ({}) since {}", held.operation, held.who, held.since)),
        faults,
        open,
        facts,
    })
}

/// What of the faults of a namespace happens by itself, as its CronJobs say; `None` where nobody asks for any.
pub(crate) async fn rotation_status(
    client: &Client,
    environment: &str,
    namespace: &Namespace,
    cron_jobs: &[CronJob],
) -> Result<Option<RotationStatus>, Failure> {
    let pause = ObjectRef::namespaced("v1", "ConfigMap", environment, PAUSE);
    let pause = client.get(&pause).await?;
    let now = client.now();
    Ok(RotationStatus::read(
        environment,
        namespace,
        cron_jobs,
        pause.as_ref(),
        now,
    ))
}

impl Chaos {
    /// What this was read from.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// The next time that it is so many minutes past an hour, UTC.
fn next(now: Timestamp, minute: u32) -> Option<Timestamp> {
    let seconds = now.as_second();
    let this = seconds - seconds.rem_euclid(3600) + i64::from(minute) * 60;
    let next = if this > seconds { this } else { this + 3600 };
    Timestamp::from_second(next).ok()
}

/// The CronJob of a fault.
pub(super) fn cron_job(environment: &str, fault: &Fault) -> ObjectRef {
    ObjectRef::namespaced("batch/v1", "CronJob", environment, &fault.cron_job())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_is_always_ahead() {
        let next_of = |now: &str, minute| {
            let now: Timestamp = now.parse().unwrap();
            next(now, minute).unwrap().to_string()
        };
        for (now, minute, expected) in [
            ("2026-01-05T10:06:59Z", 7, "2026-01-05T10:07:00Z"),
            ("2026-01-05T10:07:00Z", 7, "2026-01-05T11:07:00Z"),
            ("2026-01-05T23:59:30Z", 0, "2026-01-06T00:00:00Z"),
        ] {
            assert_eq!(next_of(now, minute), expected, "{now}");
        }
    }
}
