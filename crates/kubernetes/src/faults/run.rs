//! One injection, from the lease to the record of how it ended: alone in the environment, with the ledger written
//! before anything is done, and healed whatever happens. What a killed runner leaves is taken back first.

use std::time::Duration;

use futures::FutureExt as _;
use longrun_core::{
    approval::{Approved, Ask, Refused},
    faults::{
        self, Facts, Fault, Settings,
        ledger::{Entry, Ledger, Outcome},
    },
    object::ObjectRef,
    plan::Plan,
};
use serde::Serialize;
use tokio::sync::mpsc::unbounded_channel;

use super::{
    event::{Reason, tell},
    observe,
    progress::{Ended, ended_at, healed_at, keep, line, stage},
    record::record,
};
use crate::{
    client::Client,
    drive::drive,
    failure::Failure,
    lease::{Holder, Lease, LeaseError},
    progress::Progress,
};

/// The key of the environment's file that consents to faults.
const POLICY: &str = "chaos";

/// What to inject.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which fault.
    pub fault: &'static Fault,
    /// Where, and how.
    pub settings: Settings,
    /// `schedule`, or who asked for it.
    pub by: String,
    /// The pod that does it.
    pub pod: String,
    /// How long to wait first.
    pub jitter: Duration,
}

/// How a run ended, as one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ran {
    /// Which fault.
    pub fault: &'static str,
    /// Where.
    pub environment: String,
    /// How it ended; nothing when it was not begun.
    pub outcome: Option<Outcome>,
    /// Why it was not begun.
    pub skipped: Option<String>,
    /// Faults of killed runners that were taken back.
    pub healed_earlier: Vec<String>,
    /// From the injection to when it was taken back, in seconds.
    pub held_seconds: Option<i64>,
    /// From the injection to when its target was healthy again, in seconds.
    pub recovery_seconds: Option<i64>,
    /// What else there is to know.
    pub note: Option<String>,
}

/// Why a run did not come to an end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The API server did not say, or did not let it.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The policy of the environment does not cover it.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl Ran {
    fn of(order: &Order) -> Self {
        Self {
            fault: order.fault.name,
            environment: order.settings.target.environment.clone(),
            outcome: None,
            skipped: None,
            healed_earlier: Vec::new(),
            held_seconds: None,
            recovery_seconds: None,
            note: None,
        }
    }

    /// Whether somebody should look at it.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.skipped.is_none() && self.outcome != Some(Outcome::Recovered)
    }
}

/// Injects a fault. When `interrupted` becomes ready, what is done is taken back.
///
/// # Errors
/// When the API server does not answer or refuses what the Role should allow. The ledger says how far it came.
pub async fn run(
    client: &Client,
    order: &Order,
    say: &(dyn Fn(&str) + Send + Sync),
    interrupted: impl Future<Output = ()>,
) -> Result<Ran, RunError> {
    let mut interrupted = std::pin::pin!(interrupted.fuse());
    let environment = &order.settings.target.environment;
    let mut ran = Ran::of(order);
    tokio::select! {
        () = tokio::time::sleep(order.jitter) => {}
        () = &mut interrupted => {
            ran.skipped = Some("stopped before it began".to_owned());
            return Ok(ran);
        }
    }
    let holder = Holder {
        who: order.pod.clone(),
        operation: order.fault.at_work(),
        run: order.pod.clone(),
    };
    let show = |progress: &Progress<'_>| say(&line(progress));
    let lease = match Lease::acquire(client, environment, &holder, &show).await {
        Ok(lease) => lease,
        Err(LeaseError::Failure(failure)) => return Err(failure.into()),
        Err(held @ LeaseError::Held { .. }) => {
            skip(client, order, &mut ran, held.to_string()).await;
            return Ok(ran);
        }
    };
    let done = inject(client, order, &lease, say, interrupted, &mut ran).await;
    if let Err(failure) = lease.release().await {
        say(&format!(
            "the lease was not released and expires by itself: {failure}"
        ));
    }
    done.map(|()| ran)
}

async fn skip(client: &Client, order: &Order, ran: &mut Ran, why: String) {
    let environment = &order.settings.target.environment;
    let cron_job = order.fault.cron_job();
    let about = ObjectRef::namespaced("batch/v1", "CronJob", environment, &cron_job);
    tell(client, &about, Reason::Skipped, &why).await;
    ran.skipped = Some(why);
}

async fn inject(
    client: &Client,
    order: &Order,
    lease: &Lease,
    say: &(dyn Fn(&str) + Send + Sync),
    interrupted: impl Future<Output = ()>,
    ran: &mut Ran,
) -> Result<(), RunError> {
    let environment = &order.settings.target.environment;
    let facts = observe(client, environment).await?;
    let mut interrupted = std::pin::pin!(interrupted);
    let ledger = Ledger::read(facts.ledger.as_ref());
    let open: Vec<(String, Entry)> = ledger
        .open()
        .map(|(name, entry)| (name.to_owned(), entry.clone()))
        .collect();
    for (name, entry) in open {
        heal(client, order, lease, &name, &entry, say, &mut interrupted).await?;
        ran.healed_earlier.push(name);
    }
    if !ran.healed_earlier.is_empty() {
        let why = format!("it took back {} instead", ran.healed_earlier.join(", "));
        skip(client, order, ran, why).await;
        return Ok(());
    }
    let plan = match faults::decide(order.fault, &order.settings, &facts, client.now()) {
        Ok(plan) => plan,
        Err(reason) => {
            skip(client, order, ran, reason.to_string()).await;
            return Ok(());
        }
    };
    carry_out(client, order, lease, &facts, plan, say, interrupted, ran).await
}

/// The plan of a fault, with its entry in the ledger.
#[expect(
    clippy::too_many_arguments,
    reason = "one injection, and all that it is about"
)]
async fn carry_out(
    client: &Client,
    order: &Order,
    lease: &Lease,
    facts: &Facts,
    plan: Plan,
    say: &(dyn Fn(&str) + Send + Sync),
    interrupted: impl Future<Output = ()>,
    ran: &mut Ran,
) -> Result<(), RunError> {
    let environment = &order.settings.target.environment;
    let approved = Ask::new(plan).standing(POLICY)?;
    let entry = Entry::begin(
        order.fault.name,
        &order.by,
        facts.targets(approved.plan()),
        client.now(),
    );
    let name = std::sync::Mutex::new(String::new());
    record(client, environment, |ledger| {
        let begun = ledger.begin(entry.clone());
        if let Ok(mut name) = name.lock() {
            *name = begun;
        }
    })
    .await?;
    let name = name.into_inner().unwrap_or_default();
    let struck = approved
        .plan()
        .steps
        .first()
        .and_then(|step| step.act.object());
    let (news, heard) = unbounded_channel();
    let writer = tokio::spawn(keep(
        client.clone(),
        environment.clone(),
        name.clone(),
        order.fault,
        struck,
        heard,
    ));
    let show = |progress: &Progress<'_>| {
        say(&line(progress));
        if let Some(stage) = stage(progress) {
            // Nobody listens any more when the ledger cannot be written; the last word is written below.
            let _ = news.send((stage, client.now()));
        }
    };
    let driven = drive(client, approved, Some(lease), &show, interrupted).await;
    drop(news);
    let _ = writer.await;
    let ended = Ended::of(
        order.fault,
        driven.as_ref().map_err(|stopped| &**stopped),
        client.now(),
    );
    let mut entry = entry;
    ended.write(&mut entry);
    record(client, environment, |ledger| {
        if let Some(there) = ledger.entry(&name) {
            ended.write(there);
        }
    })
    .await?;
    ran.outcome = entry.outcome;
    ran.note.clone_from(&entry.note);
    ran.recovery_seconds = entry.recovery().map(|time| time.as_secs());
    ran.held_seconds = entry
        .healed
        .zip(entry.injected)
        .map(|(healed, injected)| healed.duration_since(injected).as_secs())
        .filter(|_| order.fault.holds());
    let (reason, message) = match (&entry.outcome, ran.recovery_seconds) {
        (Some(Outcome::Recovered), Some(seconds)) => (
            Reason::Recovered,
            format!("{}: healthy again after {seconds} s", order.fault.name),
        ),
        (outcome, _) => (
            match outcome {
                Some(Outcome::NotInjected) => Reason::Skipped,
                _ => Reason::NotRecovered,
            },
            format!(
                "{}: {}",
                order.fault.name,
                ran.note.as_deref().unwrap_or("not recovered")
            ),
        ),
    };
    let target = order.fault.target(&order.settings.target);
    tell(client, &target, reason, &message).await;
    Ok(())
}

/// Takes back what a killed runner left, and waits for its target.
async fn heal(
    client: &Client,
    order: &Order,
    lease: &Lease,
    name: &str,
    entry: &Entry,
    say: &(dyn Fn(&str) + Send + Sync),
    interrupted: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let environment = &order.settings.target.environment;
    say(&format!(
        "taking back {name}, whose runner ended in between"
    ));
    let driven = match faults::find(&entry.fault) {
        Err(_) => None,
        Ok(fault) => {
            let plan = faults::heal(fault, &order.settings, client.now());
            let approved: Approved = Ask::new(plan).standing(POLICY)?;
            let show = |progress: &Progress<'_>| say(&line(progress));
            let driven = drive(client, approved, Some(lease), &show, interrupted).await;
            Some((fault, driven))
        }
    };
    let now = client.now();
    let (healed, recovered, note) = match &driven {
        None => (
            None,
            None,
            Some("this version knows no such fault".to_owned()),
        ),
        Some((fault, Ok(journal))) => (healed_at(fault, journal, now), ended_at(journal), None),
        Some((fault, Err(stopped))) => (
            healed_at(fault, &stopped.journal, now),
            None,
            Some(stopped.reason.to_string()),
        ),
    };
    let about = driven
        .as_ref()
        .map(|(fault, _)| fault.target(&order.settings.target));
    // What could not be taken back stays open: the next run tries again.
    if let (None, Some(target)) = (healed, &about) {
        let why = note.unwrap_or_default();
        let message = format!("{name} could not be taken back: {why}");
        tell(client, target, Reason::NotRecovered, &message).await;
        record(client, environment, |ledger| {
            if let Some(there) = ledger.entry(name) {
                there.note = Some(why.clone());
            }
        })
        .await?;
        return Err(RunError::Failure(Failure::Unreadable {
            asked: format!("take back {name}"),
            cause: why,
        }));
    }
    record(client, environment, |ledger| {
        if let Some(there) = ledger.entry(name) {
            there.healed = healed;
            there.recovered = recovered;
            there.outcome = Some(Outcome::HealedLater);
            there.note.clone_from(&note);
        }
    })
    .await?;
    if let Some(target) = &about {
        let message = format!("{name} was taken back");
        tell(client, target, Reason::Healed, &message).await;
    }
    Ok(())
}
