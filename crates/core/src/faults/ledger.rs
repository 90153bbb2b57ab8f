//! What was done to an environment and when: written before it is done, so that a failure can be laid beside it
//! and that whoever comes after a killed runner knows what to take back.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::names::{ENVIRONMENT_LABEL, LEDGER};

/// How long an entry is kept. A recorder has copied it by then.
const KEPT: SignedDuration = SignedDuration::from_hours(48);

/// How many entries are kept: a ConfigMap holds a mebibyte.
const MOST: usize = 500;

/// A fault that has not ended: its runner is at work, or was killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFault {
    entry: String,
    fault: String,
    environment: String,
}

impl fmt::Display for OpenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            entry,
            fault,
            environment,
        } = self;
        write!(
            f,
            "the fault {entry} has not ended: wait for its runner, or, when that was killed, let another one take it back: kubectl -n {environment} create job take-back --from cronjob/fault-{fault}"
        )
    }
}

/// One injection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Which fault.
    pub fault: String,
    /// `schedule`, or whoever asked for it.
    pub by: String,
    /// What it is done to: `Pod restate-0 (UID)`.
    pub targets: Vec<String>,
    /// When this was written: before it was done.
    pub began: Timestamp,
    /// When it was done.
    pub injected: Option<Timestamp>,
    /// When it was taken back, or needed no taking back.
    pub healed: Option<Timestamp>,
    /// When its target was healthy again, by the observer.
    pub recovered: Option<Timestamp>,
    /// How it ended; nothing while it has not.
    pub outcome: Option<Outcome>,
    /// What else there is to know, in a sentence.
    pub note: Option<String>,
}

/// How an injection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The target is healthy again.
    Recovered,
    /// It was not done.
    NotInjected,
    /// It was done, or may have been, and taken back if it stays; the target was not seen to be healthy again.
    NotRecovered,
    /// Its runner ended in between, and a later one took it back.
    HealedLater,
}

impl Outcome {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::NotInjected => "notInjected",
            Self::NotRecovered => "notRecovered",
            Self::HealedLater => "healedLater",
        }
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::NotInjected => "not injected",
            Self::NotRecovered => "NOT RECOVERED",
            Self::HealedLater => "healed later",
        }
    }
}

impl Entry {
    /// An injection that is about to be done.
    #[must_use]
    pub fn begin(fault: &str, by: &str, targets: Vec<String>, now: Timestamp) -> Self {
        Self {
            fault: fault.to_string(),
            by: by.to_string(),
            targets,
            began: now,
            injected: None,
            healed: None,
            recovered: None,
            outcome: None,
            note: None,
        }
    }

    /// From the injection until the target was healthy again, hold included.
    #[must_use]
    pub fn recovery(&self) -> Option<SignedDuration> {
        Some(self.recovered?.duration_since(self.injected?))
    }
}

/// The entries, oldest first, by name: `20260105T100500Z-kill-restate`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    entries: BTreeMap<String, Entry>,
    /// What another version wrote there. It is kept as it is.
    foreign: BTreeMap<String, Value>,
}

impl Ledger {
    /// The ledger that a ConfigMap holds. What cannot be read in it is left alone.
    #[must_use]
    pub fn read(live: Option<&Value>) -> Self {
        let mut ledger = Self::default();
        let data = live.and_then(|live| live.get("data")?.as_object());
        for (name, value) in data.into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            match serde_json::from_str(text) {
                Ok(entry) => drop(ledger.entries.insert(name.clone(), entry)),
                Err(_) => drop(ledger.foreign.insert(name.clone(), value.clone())),
            }
        }
        ledger
    }

    /// The ConfigMap that holds it, to be created or to replace the one that was read.
    #[must_use]
    pub fn manifest(&self, environment: &str) -> Value {
        let mut data: BTreeMap<&String, Value> = self
            .foreign
            .iter()
            .map(|(name, value)| (name, value.clone()))
            .collect();
        for (name, entry) in &self.entries {
            // Texts, times and a word always have a form in JSON.
            let text = serde_json::to_string(entry).unwrap_or_default();
            data.insert(name, text.into());
        }
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": LEDGER,
                "namespace": environment,
                "labels": {ENVIRONMENT_LABEL: environment},
            },
            "data": data,
        })
    }

    /// Adds an injection that is about to be done, and lets go what is old. Answers its name.
    pub fn begin(&mut self, entry: Entry) -> String {
        let stamp = entry.began.strftime("%Y%m%dT%H%M%SZ");
        let name = format!("{stamp}-{}", entry.fault);
        self.trim(entry.began);
        self.entries.insert(name.clone(), entry);
        name
    }

    /// Lets go what is older than two days, and the oldest beyond [`MOST`]; never what has not ended: it may
    /// still have to be taken back.
    fn trim(&mut self, now: Timestamp) {
        self.entries
            .retain(|_, entry| entry.outcome.is_none() || now.duration_since(entry.began) < KEPT);
        while self.entries.len() >= MOST {
            let ended = self
                .entries
                .iter()
                .find(|(_, entry)| entry.outcome.is_some());
            let Some(name) = ended.map(|(name, _)| name.clone()) else {
                return;
            };
            self.entries.remove(&name);
        }
    }

    /// An entry to write further.
    pub fn entry(&mut self, name: &str) -> Option<&mut Entry> {
        self.entries.get_mut(name)
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .map(|(name, entry)| (name.as_str(), entry))
    }

    /// Those that have not ended: their runner is at work, or was killed.
    pub fn open(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries().filter(|(_, entry)| entry.outcome.is_none())
    }

    /// The first of them, for whoever has to wait for it.
    #[must_use]
    pub fn in_the_way(&self, environment: &str) -> Option<OpenFault> {
        let (entry, about) = self.open().next()?;
        Some(OpenFault {
            entry: entry.to_string(),
            fault: about.fault.clone(),
            environment: environment.to_string(),
        })
    }

    /// The last one of a fault.
    #[must_use]
    pub fn last(&self, fault: &str) -> Option<&Entry> {
        self.entries()
            .map(|(_, entry)| entry)
            .rfind(|entry| entry.fault == fault)
    }
}
