//! Keeps an attachment alive while its command lives: moves the deadline of its guardian, and notices when it is over
//! all the same.

use std::time::Duration;

use jiff::SignedDuration;
use longrun_core::{
    cluster::Job,
    names::{HOLDER_ANNOTATION, OPERATIONS_MANAGER},
    object::{ObjectRef, Uid},
    operations::attach::{HEARTBEAT, deadline},
};
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    client::{Apply, Client},
    failure::Failure,
};

/// How soon the guardian is looked for again that is not there yet, or could not be reached.
const SOON: Duration = Duration::from_secs(1);

/// An attachment that is kept alive until this is dropped.
#[derive(Debug)]
pub struct Heartbeat {
    state: watch::Receiver<State>,
    task: JoinHandle<()>,
}

/// Why an attachment is over while its command lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// It has lived as long as it may.
    Time,
    /// For another reason.
    Lost(String),
}

#[derive(Clone, Debug, Default)]
struct State {
    guardian: Option<Uid>,
    over: Option<Over>,
}

impl Heartbeat {
    /// Begins, before the guardian is made: what it guards may take minutes until it is ready. Only the guardian that
    /// `who` made is kept alive.
    #[must_use]
    pub fn start(client: &Client, guardian: ObjectRef, who: &str, longest: SignedDuration) -> Self {
        let (say, state) = watch::channel(State::default());
        let beat = Beat {
            client: client.clone(),
            guardian,
            who: who.to_owned(),
            longest,
        };
        let task = tokio::spawn(beat.until_over(say));
        Self { state, task }
    }

    /// The guardian, once it was seen.
    #[must_use]
    pub fn guardian(&self) -> Option<Uid> {
        self.state.borrow().guardian.clone()
    }

    /// Ends when the attachment is over, whatever its command does: why.
    pub async fn over(&self) -> Over {
        let mut state = self.state.clone();
        let over = state.wait_for(|state| state.over.is_some()).await;
        match over.ok().and_then(|state| state.over.clone()) {
            Some(over) => over,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Beat {
    client: Client,
    guardian: ObjectRef,
    who: String,
    longest: SignedDuration,
}

impl Beat {
    async fn until_over(self, say: watch::Sender<State>) {
        // When it has lived as long as it may. Its guardian ends at that time by itself.
        let mut end = None;
        loop {
            let known = say.borrow().guardian.clone();
            let pause = match self.beat(known.as_ref()).await {
                Ok(Pulse::Absent) | Err(_) => SOON,
                Ok(Pulse::Alive(uid, left)) => {
                    say.send_modify(|state| state.guardian = Some(uid));
                    end = self.client.now().checked_add(left).ok();
                    HEARTBEAT.min(left).unsigned_abs()
                }
                Ok(Pulse::Over(cause)) => {
                    let over = if end.is_some_and(|end| self.client.now() >= end) {
                        Over::Time
                    } else {
                        cause
                    };
                    say.send_modify(|state| state.over = Some(over));
                    return;
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn beat(&self, known: Option<&Uid>) -> Result<Pulse, Failure> {
        let found = self.client.view::<Job>(&self.guardian).await?;
        let Some(job) = found.filter(|job| self.is_ours(job, known)) else {
            return Ok(match known {
                None => Pulse::Absent,
                Some(_) => Pulse::Over(Over::Lost(format!(
                    "{} was deleted, by another client or because this command was silent for a minute",
                    self.guardian
                ))),
            });
        };
        if let Some(cause) = ended(&job) {
            return Ok(Pulse::Over(Over::Lost(cause)));
        }
        // Its deadline counts from its start (Kubernetes 1.36: `activeDeadlineSeconds`).
        let Some(started) = job.started() else {
            return Ok(Pulse::Absent);
        };
        let uid = job.metadata.uid;
        let elapsed = self.client.now().duration_since(started);
        if elapsed >= self.longest {
            return Ok(Pulse::Over(Over::Time));
        }
        let object = json!({
            "apiVersion": self.guardian.api_version,
            "kind": self.guardian.kind,
            "metadata": {
                "name": self.guardian.name,
                "namespace": self.guardian.namespace,
                // Without it, an apply onto one that was deleted meanwhile would make another.
                "uid": uid,
            },
            "spec": {"activeDeadlineSeconds": deadline(elapsed, self.longest)},
        });
        let how = Apply {
            manager: OPERATIONS_MANAGER,
            force: true,
            dry_run: false,
        };
        self.client.apply(&object, how).await?;
        Ok(Pulse::Alive(uid, self.longest - elapsed))
    }

    /// One that is not known yet is ours when it says so.
    fn is_ours(&self, job: &Job, known: Option<&Uid>) -> bool {
        match known {
            Some(known) => job.metadata.uid == *known,
            None => job.metadata.annotations.get(HOLDER_ANNOTATION) == Some(&self.who),
        }
    }
}

enum Pulse {
    /// It is not there yet, or has not begun.
    Absent,
    /// For this long at most.
    Alive(Uid, SignedDuration),
    Over(Over),
}

/// Why a guardian has ended, or is about to go.
fn ended(job: &Job) -> Option<String> {
    if let Some(why) = job.failing() {
        return Some(format!(
            "nothing was heard of this command for a minute ({})",
            why.message
        ));
    }
    let is_going = job.metadata.is_going();
    is_going.then(|| "somebody deletes it".to_owned())
}
