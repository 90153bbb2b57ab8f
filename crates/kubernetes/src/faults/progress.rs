//! How far an injection is, read from its journal and from what its driver says.

use jiff::Timestamp;
use longrun_core::{
    faults::{
        Fault,
        ledger::{Entry, Outcome},
    },
    journal::Journal,
    object::ObjectRef,
    plan::Effect,
};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    event::{Reason, tell},
    record::record,
};
use crate::{client::Client, drive::Stopped, progress::Progress};

/// When the first step, which takes a fault back, was done. A fault that needs no taking back is healed by then.
pub(super) fn healed_at(fault: &Fault, journal: &Journal, now: Timestamp) -> Option<Timestamp> {
    if fault.holds() {
        journal.entries().first()?.acted
    } else {
        Some(now)
    }
}

pub(super) fn ended_at(journal: &Journal) -> Option<Timestamp> {
    journal.entries().last()?.ended
}

/// A step of a fault that is worth a word in the ledger while it goes on.
#[derive(Clone, Copy)]
pub(super) enum Stage {
    Injected,
    Healed,
}

pub(super) fn stage(progress: &Progress<'_>) -> Option<Stage> {
    match progress {
        Progress::Ended { index: 0, .. } => Some(Stage::Injected),
        Progress::Ended { step, .. } if matches!(step.act, Effect::Inject { .. }) => {
            Some(Stage::Healed)
        }
        _ => None,
    }
}

/// Writes each stage into the ledger as it comes. What cannot be written now is written in the end.
pub(super) async fn keep(
    client: Client,
    environment: String,
    name: String,
    fault: &'static Fault,
    struck: Option<ObjectRef>,
    mut heard: UnboundedReceiver<(Stage, Timestamp)>,
) {
    while let Some((stage, at)) = heard.recv().await {
        let _ = record(&client, &environment, |ledger| {
            let Some(entry) = ledger.entry(&name) else {
                return;
            };
            match stage {
                Stage::Injected => {
                    entry.injected = Some(at);
                    entry.healed = (!fault.holds()).then_some(at);
                }
                Stage::Healed => entry.healed = Some(at),
            }
        })
        .await;
        if let (Stage::Injected, Some(object)) = (stage, &struck) {
            let message = format!("{}: {}", fault.name, fault.does);
            tell(&client, object, Reason::Injected, &message).await;
        }
    }
}

/// How an injection ended, by its journal.
pub(super) struct Ended {
    injected: Option<Timestamp>,
    healed: Option<Timestamp>,
    recovered: Option<Timestamp>,
    outcome: Option<Outcome>,
    note: Option<String>,
}

impl Ended {
    pub(super) fn of(fault: &Fault, driven: Result<&Journal, &Stopped>, now: Timestamp) -> Self {
        let journal = match driven {
            Ok(journal) => journal,
            Err(stopped) => &stopped.journal,
        };
        let first = journal.entries().first();
        let injected = first.and_then(|entry| entry.acted);
        let undone = first.is_some_and(|entry| entry.undone && entry.note.is_none());
        let healed = match (fault.holds(), undone) {
            (false, _) => injected,
            (true, true) => Some(now),
            // Strike, hold, heal.
            (true, false) => journal.entries().get(2).and_then(|entry| entry.acted),
        };
        let note = driven.err().map(|stopped| stopped.reason.to_string());
        let outcome = match (driven, first, healed) {
            (Ok(_), ..) => Some(Outcome::Recovered),
            (Err(_), None, _) => Some(Outcome::NotInjected),
            // Whether it was done is not known; it may still be at work. The next run takes it back.
            (Err(_), Some(_), None) if fault.holds() => None,
            (Err(_), Some(_), _) => Some(Outcome::NotRecovered),
        };
        Self {
            injected,
            healed,
            recovered: driven.ok().and_then(ended_at),
            outcome,
            note,
        }
    }

    pub(super) fn write(&self, entry: &mut Entry) {
        entry.injected = self.injected;
        entry.healed = self.healed;
        entry.recovered = self.recovered;
        entry.outcome = self.outcome;
        entry.note.clone_from(&self.note);
    }
}

pub(super) fn line(progress: &Progress<'_>) -> String {
    match progress {
        Progress::Step { index, of, step } => format!("{}/{of} {}", index + 1, step.act),
        Progress::Waiting {
            index, of, cause, ..
        } => format!("{}/{of} {cause}", index + 1),
        Progress::Ended { index, of, step } => format!("{}/{of} {}: done", index + 1, step.act),
        Progress::Undoing { effect } => format!("taking back: {effect}"),
        Progress::Note(note) => (*note).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use longrun_core::{
        approval::Ask,
        faults,
        object::Uid,
        plan::{FaultAction, Guard, Plan, PodTarget, Step, Target},
        wait::Wait,
    };

    use super::*;
    use crate::{
        drive::drive,
        server::{Fate, Server},
    };

    /// How a fault ends whose pods cannot be deleted, the first one apart.
    async fn outcome(pods: &[&str], fate: impl Fn(usize) -> Fate + Send + 'static) -> Ended {
        let server = Server::new();
        let asked = std::sync::atomic::AtomicUsize::new(0);
        server.goes_wrong(move |_, path, _| match path.ends_with("pods/last") {
            true => fate(asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
            false => Fate::Served,
        });
        let marked = |name: &&str| PodTarget {
            name: (*name).to_owned(),
            uid: Uid("1".to_owned()),
        };
        let act = Effect::Inject {
            object: ObjectRef::namespaced("apps/v1", "Deployment", "restate", "verification"),
            action: FaultAction::End {
                pods: pods.iter().map(marked).collect(),
                grace: None,
            },
        };
        let plan = Plan {
            operation: "fault".to_owned(),
            target: Target {
                cluster: "dev".to_owned(),
                kube_system: Uid("k".to_owned()),
                environment: "restate".to_owned(),
            },
            steps: vec![Step::new(act, Guard::None, Wait::None)],
            loses: Vec::new(),
            notes: Vec::new(),
            generated: Vec::new(),
        };
        let approved = Ask::new(plan).piped(true, None).unwrap();
        let client = server.client();
        let driven = drive(&client, approved, None, &|_| {}, std::future::pending()).await;
        let fault = faults::find("kill-services").unwrap();
        Ended::of(
            fault,
            driven.as_ref().map_err(|stopped| &**stopped),
            client.now(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_kill_is_not_injected_only_if_it_is_certain_that_nothing_was_done() {
        let forbidden = |_| Fate::Refused(403);
        let ended = outcome(&["last"], forbidden).await;
        assert_eq!(ended.outcome, Some(Outcome::NotInjected));

        let one_may_be_gone = outcome(&["first", "last"], forbidden).await;
        let answer_was_lost = |asked| match asked {
            0 => Fate::Silence,
            _ => Fate::Refused(403),
        };
        let lost = outcome(&["last"], answer_was_lost).await;
        for ended in [one_may_be_gone, lost] {
            assert_eq!(ended.outcome, Some(Outcome::NotRecovered));
            assert_eq!(ended.injected, None);
            let note = ended.note.unwrap();
            assert!(note.contains("403"), "{note}");
        }
    }
}
