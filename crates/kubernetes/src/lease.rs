//! One operation at a time in an environment: a `coordination.k8s.io/v1` Lease that its holder renews, and
//! that another takes over only after it has watched it stand still for its whole duration.

use std::time::Duration;

use jiff::SignedDuration;
use longrun_core::{
    execution::LeaseStatus, faults::is_fault, journal::AtWork, names::LEASE, object::ObjectRef,
};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    client::Client,
    clock::{Moment, now},
    failure::Failure,
    progress::{OnProgress, Progress},
};

mod record;

use record::{Record, Verdict};

/// What the Lease is written with.
const MANAGER: &str = "longrun-lease";

/// How long a lease that is not renewed is still believed.
const DURATION: Duration = Duration::from_secs(15);

/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(4);

/// A holder that could not renew for this long touches nothing until it has renewed again. It is less than
/// the duration, so that it stands still before another may begin: a write takes its time too.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long one renewal may take.
const ATTEMPT: Duration = Duration::from_secs(4);

/// How often a lease of another holder is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Who does what: shown to whoever finds the lease held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `ana@laptop`
    pub who: String,
    /// The verb of the command.
    pub operation: String,
    /// Tells two runs of the same person apart: a process id, a Job's name.
    pub run: String,
}

impl Holder {
    fn identity(&self) -> String {
        format!("{} {} {} {}", self.who, self.operation, self.run, now())
    }
}

/// Why the lease is not held.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another operation is at work.
    #[error(
        "{who} is running {operation} in {namespace} since {since}; nothing was changed. Wait until it has ended, or ask {who} to end it"
    )]
    Held {
        /// The environment's namespace.
        namespace: String,
        /// Who.
        who: String,
        /// What they do.
        operation: String,
        /// Since when.
        since: String,
    },
    /// The API server did not say.
    #[error("it is unknown whether another operation is running; nothing was changed: {0}")]
    Failure(#[from] Failure),
}

/// The right to change an environment, while it lasts. End it with [`Lease::release`]; dropped without, it
/// expires, and whoever comes next waits for that.
#[derive(Debug)]
pub struct Lease {
    state: watch::Receiver<State>,
    renewal: JoinHandle<()>,
    held: Held,
}

/// What the renewal knows.
#[derive(Clone, Debug)]
struct State {
    /// When the last successful renewal was begun.
    renewed: Moment,
    /// Why the lease is lost, if it is.
    lost: Option<String>,
}

/// What is needed to renew or release it.
#[derive(Clone)]
struct Held {
    client: Client,
    object: ObjectRef,
    identity: String,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.identity)
    }
}

impl Lease {
    /// Takes the lease of a namespace. A lease whose holder is silent is watched for its duration before it
    /// is taken over, which `progress` says.
    ///
    /// # Errors
    /// When another operation holds it and is alive, or the API server does not say.
    pub async fn acquire(
        client: &Client,
        namespace: &str,
        holder: &Holder,
        progress: OnProgress<'_>,
    ) -> Result<Self, LeaseError> {
        let held = Held {
            client: client.clone(),
            object: reference(namespace),
            identity: holder.identity(),
        };
        let mut watched: Option<(Record, Moment)> = None;
        loop {
            let before = Moment::now();
            let taken = match Record::read(client, &held.object).await? {
                None => held.create(holder).await?,
                Some(found) => {
                    let (first, since) = watched.get_or_insert_with(|| (found.clone(), before));
                    match record::judge(first, &found, since.at_least_ago()) {
                        Verdict::Free => held.take(&found, holder).await?,
                        Verdict::Alive => {
                            return Err(LeaseError::Held {
                                namespace: namespace.to_owned(),
                                who: found.who,
                                operation: found.operation,
                                since: found.acquired,
                            });
                        }
                        Verdict::Silent { remaining } => {
                            progress(&Progress::Note(&format!(
                                "{} ({}) holds the lease since {}: it is taken over after no sign of them for {} s",
                                found.who,
                                found.operation,
                                found.acquired,
                                found.duration.as_secs()
                            )));
                            tokio::time::sleep(LOOK.min(remaining)).await;
                            false
                        }
                    }
                }
            };
            if taken {
                return Ok(Self::renewing(held, before));
            }
        }
    }

    fn renewing(held: Held, renewed: Moment) -> Self {
        let lost = None;
        let (say, state) = watch::channel(State { renewed, lost });
        let renewal = tokio::spawn(renew(held.clone(), say));
        Self {
            state,
            renewal,
            held,
        }
    }

    /// Whether it can be relied upon at this moment. Look before every write.
    #[must_use]
    pub fn standing(&self) -> LeaseStatus {
        let State { renewed, lost } = self.state.borrow().clone();
        match lost {
            Some(cause) => LeaseStatus::Lost(cause),
            None => overdue(renewed.at_most_ago()),
        }
    }

    /// Ends when the lease is lost for good, if ever.
    pub async fn until_lost(&self) {
        let mut state = self.state.clone();
        if state.wait_for(|state| state.lost.is_some()).await.is_err() {
            // The renewal only ends by losing the lease or by releasing it.
            std::future::pending::<()>().await;
        }
    }

    /// Gives the lease up, so that the next operation need not wait.
    ///
    /// # Errors
    /// When the API server does not take it: then it expires by itself.
    pub async fn release(self) -> Result<(), Failure> {
        self.renewal.abort();
        match self.held.release().await {
            // The last renewal was under way.
            Err(failure) if failure.code() == 409 => self.held.release().await,
            outcome => outcome,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// Who holds the lease of a namespace at present, for the reader; `None` when nobody does.
pub(crate) async fn holder(client: &Client, namespace: &str) -> Result<Option<Record>, Failure> {
    let record = Record::read(client, &reference(namespace)).await?;
    Ok(record.filter(|record| !record.identity.is_empty()))
}

/// What is at work: the holder, unless nothing was heard of it for so long that no clock explains it.
pub(crate) async fn at_work(client: &Client, namespace: &str) -> Result<Option<AtWork>, Failure> {
    let now = client.now();
    let is_heard = |record: &Record| {
        let silent = record.renewed.map(|renewed| now.duration_since(renewed));
        silent.is_none_or(|silent| silent < DEAD)
    };
    let heard = holder(client, namespace).await?.filter(is_heard);
    Ok(heard.map(|record| AtWork {
        is_fault: is_fault(&record.operation),
        who: record.who,
        operation: record.operation,
        since: record.acquired,
    }))
}

/// A lease is renewed every few seconds, and clocks of people's machines differ by less.
const DEAD: SignedDuration = SignedDuration::from_mins(5);

fn reference(namespace: &str) -> ObjectRef {
    ObjectRef::namespaced("coordination.k8s.io/v1", "Lease", namespace, LEASE)
}

/// Whether a lease that was renewed this long ago can still be relied upon.
fn overdue(renewed_ago: Duration) -> LeaseStatus {
    if renewed_ago < DEADLINE {
        LeaseStatus::Held
    } else {
        LeaseStatus::Overdue
    }
}

/// Renews until the lease is lost or the task is aborted.
async fn renew(held: Held, say: watch::Sender<State>) {
    let mut pause = RENEWAL;
    loop {
        tokio::time::sleep(pause).await;
        let before = Moment::now();
        match tokio::time::timeout(ATTEMPT, held.renew()).await {
            Ok(Ok(())) => {
                say.send_modify(|state| state.renewed = before);
                pause = RENEWAL;
            }
            Ok(Err(Lost::Taken(cause))) => {
                say.send_modify(|state| state.lost = Some(cause));
                return;
            }
            // Nobody can take it over as long as the API server is silent, and then only after having
            // watched it: a later renewal proves that nobody has.
            Ok(Err(Lost::Unknown)) | Err(_) => pause = LOOK,
        }
    }
}

/// Why a renewal did not succeed.
enum Lost {
    /// It is somebody else's, or gone.
    Taken(String),
    /// The API server did not say.
    Unknown,
}

impl Lost {
    fn by(what: &str, failure: &Failure) -> Self {
        if failure.is_passing() {
            return Self::Unknown;
        }
        let cause = failure.words();
        Self::Taken(format!("the lease cannot be {what}: {cause}"))
    }
}

impl Held {
    fn object(&self, spec: &Value, version: Option<&str>, annotations: &Value) -> Value {
        let mut object = json!({
            "apiVersion": self.object.api_version,
            "kind": self.object.kind,
            "metadata": {
                "name": self.object.name,
                "namespace": self.object.namespace,
                "labels": {"app.kubernetes.io/managed-by": "longrun"},
                "annotations": annotations,
            },
            "spec": spec,
        });
        if let Some(version) = version {
            object["metadata"]["resourceVersion"] = version.into();
        }
        object
    }

    fn spec(&self, transitions: u64) -> Value {
        let now = record::micro_time(now());
        json!({
            "holderIdentity": self.identity,
            "leaseDurationSeconds": DURATION.as_secs(),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        })
    }

    /// Whether the lease, of which there was none, is ours now.
    async fn create(&self, holder: &Holder) -> Result<bool, Failure> {
        let object = self.object(&self.spec(0), None, &record::annotations(holder));
        won(self.client.create(&object, MANAGER).await)
    }

    /// Whether the lease, which was free, is ours now.
    async fn take(&self, found: &Record, holder: &Holder) -> Result<bool, Failure> {
        let spec = self.spec(found.transitions + 1);
        let annotations = record::annotations(holder);
        let object = self.object(&spec, Some(&found.version), &annotations);
        won(self.client.replace(&object, MANAGER).await)
    }

    async fn renew(&self) -> Result<(), Lost> {
        let mut object = self.read_ours().await?;
        object["spec"]["renewTime"] = record::micro_time(now()).into();
        match self.client.replace(&object, MANAGER).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.code() == 409 => Err(Lost::Unknown),
            Err(failure) => Err(Lost::by("renewed", &failure)),
        }
    }

    async fn release(&self) -> Result<(), Failure> {
        let Some(mut object) = self.client.get(&self.object).await? else {
            return Ok(());
        };
        if Record::of(&object).identity != self.identity {
            return Ok(());
        }
        object["spec"]["holderIdentity"] = "".into();
        self.client.replace(&object, MANAGER).await.map(|_| ())
    }

    async fn read_ours(&self) -> Result<Value, Lost> {
        match self.client.get(&self.object).await {
            Err(failure) => Err(Lost::by("read", &failure)),
            Ok(None) => Err(Lost::Taken("the lease was deleted".to_owned())),
            Ok(Some(object)) => {
                let found = Record::of(&object);
                if found.identity == self.identity {
                    Ok(object)
                } else {
                    Err(Lost::Taken(format!(
                        "{} ({}) has taken the lease over",
                        found.who, found.operation
                    )))
                }
            }
        }
    }
}

/// Of two that write at the same time, the API server lets one through.
fn won(answer: Result<Value, Failure>) -> Result<bool, Failure> {
    match answer {
        Ok(_) => Ok(true),
        Err(failure) if failure.code() == 409 => Ok(false),
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_stops_before_another_may_begin() {
        assert_eq!(overdue(RENEWAL * 2), LeaseStatus::Held);
        assert_eq!(overdue(DEADLINE), LeaseStatus::Overdue);
        assert!(DEADLINE + RENEWAL < DURATION, "a write must fit in between");
    }
}
