//! What is kept on the disk: lines of results by day, one file of evidence a Job, the faults. The records in memory
//! are read from it once; every change is on the disk before it is in them.
//!
//! When the disk is full, evidence goes until there is room, in the order in which the budget lets it go. Results
//! are small, and never go for evidence.

use std::{collections::BTreeMap, io};

use jiff::Timestamp;
use longrun_core::{
    object::Uid,
    records::{Entry, Kept, copied, file, is_over, leaving, line, merge, read},
    triage::{self, Evidence, JobState, signature},
};
use serde_json::Value;
use tokio::sync::watch;

use crate::records::{Records, is_worth_keeping};

mod disk;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use disk::{Disk, Folder};

const RESULTS: &str = "results";
const EVIDENCE: &str = "evidence";
const FAULTS: &str = "faults.json";
const ENDING: &str = ".json";
/// What is being written and is not there yet.
const PARTIAL: &str = ".partial";

/// What a file system needs besides a file's own bytes.
const SPARE: u64 = 1 << 20;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Results and faults, in days.
    pub(crate) days: u32,
    /// Evidence, in bytes.
    pub(crate) evidence_bytes: u64,
}

/// The files, and the records that are in them.
pub(crate) struct Store<D> {
    disk: D,
    limits: Limits,
    /// How many bytes of each file of results are whole lines.
    lengths: BTreeMap<String, u64>,
    /// Changed by nobody else. Others read it while the disk is written to.
    records: watch::Sender<Records>,
}

/// The Jobs whose evidence was let go for something.
type Gone = Vec<String>;

impl<D: Disk> Store<D> {
    /// Reads what is there, and says what is odd about it.
    ///
    /// # Errors
    /// When the disk cannot be read. What is on it is never a reason.
    pub(crate) fn open(disk: D, limits: Limits, now: Timestamp) -> io::Result<(Self, Vec<String>)> {
        let mut store = Self {
            disk,
            limits,
            lengths: BTreeMap::new(),
            records: watch::Sender::new(Records::default()),
        };
        let mut notes = Vec::new();
        store.read_results(&mut notes)?;
        store.read_evidence(&mut notes)?;
        store.read_faults(&mut notes)?;
        if let Err(error) = store.tidy(now) {
            notes.push(format!("what is old cannot be let go: {error}"));
        }
        Ok((store, notes))
    }

    fn read_results(&mut self, notes: &mut Vec<String>) -> io::Result<()> {
        for name in self.disk.list(RESULTS)? {
            let path = format!("{RESULTS}/{name}");
            let bytes = self.disk.read(&path)?;
            let lines = read(&bytes);
            if lines.whole < bytes.len() {
                let torn = bytes.len() - lines.whole;
                notes.push(format!(
                    "{path}: the last line is torn, and its {torn} bytes are dropped: its writer was killed; its Job is written down again if it is still there"
                ));
            }
            for number in lines.strange {
                notes.push(format!(
                    "{path}:{number}: this is no result, and is left as it is"
                ));
            }
            self.lengths.insert(name, lines.whole as u64);
            self.change(|records| records.entries.extend(lines.entries));
        }
        Ok(())
    }

    fn read_evidence(&mut self, notes: &mut Vec<String>) -> io::Result<()> {
        for name in self.disk.list(EVIDENCE)? {
            let path = format!("{EVIDENCE}/{name}");
            let Some(job) = name.strip_suffix(ENDING) else {
                // Half a file of a killed writer.
                self.disk.remove(&path)?;
                continue;
            };
            let bytes = self.disk.read(&path)?;
            let text = String::from_utf8_lossy(&bytes);
            let kept = match triage::read(&text) {
                Ok(evidence) => {
                    if self.records.borrow().came_right(&evidence.case.job.uid) {
                        self.disk.remove(&path)?;
                        continue;
                    }
                    kept(&evidence, bytes.len() as u64)
                }
                Err(error) => {
                    notes.push(format!(
                        "{path} cannot be read, and goes first when there is no room: {error}"
                    ));
                    Kept {
                        job: job.to_owned(),
                        uid: None,
                        failed: false,
                        signature: String::new(),
                        created: Timestamp::MIN,
                        bytes: bytes.len() as u64,
                    }
                }
            };
            self.insert(kept);
        }
        Ok(())
    }

    fn insert(&self, kept: Kept) {
        self.change(|records| records.evidence.insert(kept.job.clone(), kept));
    }

    fn read_faults(&mut self, notes: &mut Vec<String>) -> io::Result<()> {
        match self.disk.read(FAULTS) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(faults) => self.change(|records| records.faults = faults),
                Err(error) => notes.push(format!(
                    "{FAULTS} cannot be read, and is begun anew: {error}"
                )),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn change<T>(&self, how: impl FnOnce(&mut Records) -> T) {
        self.records.send_modify(|records| drop(how(records)));
    }

    /// What is kept, for others to read while it changes.
    pub(crate) fn records(&self) -> watch::Receiver<Records> {
        self.records.subscribe()
    }

    /// The evidence of a Job as it is kept.
    pub(crate) fn evidence_of(&self, job: &str) -> io::Result<Option<String>> {
        // Only what is known is opened: a name from outside is no path.
        if !self.records.borrow().evidence.contains_key(job) {
            return Ok(None);
        }
        let bytes = self.disk.read(&evidence_path(job))?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Writes a result down. What was gathered of a Job that came right after all is let go.
    pub(crate) fn record(&mut self, entry: Entry) -> io::Result<Gone> {
        let name = file(entry.created);
        let path = format!("{RESULTS}/{name}");
        let line = line(&entry);
        let whole = self.lengths.get(&name).copied().unwrap_or(0);
        let job = entry.job.clone();
        let gone = self.with_room(&job, line.len(), |disk| {
            // What a failed write left half of is cut off.
            disk.truncate(&path, whole)?;
            disk.append(&path, line.as_bytes())
        })?;
        self.lengths.insert(name, whole + line.len() as u64);
        let has_evidence = self.records.borrow().is_of(&job, &entry.uid);
        if !is_worth_keeping(entry.outcome) && has_evidence {
            self.forget(&job)?;
        }
        self.change(|records| records.entries.insert(entry.uid.clone(), entry));
        Ok(gone)
    }

    /// Keeps evidence, together with what was kept of the same Job before, and answers all of it.
    pub(crate) fn keep(&mut self, evidence: Evidence) -> io::Result<(Evidence, Gone)> {
        let job = evidence.case.job.name.clone();
        let before = self
            .evidence_of(&job)?
            .and_then(|text| triage::read(&text).ok());
        let is_over = |evidence: &Evidence| evidence.case.job.state != JobState::Running;
        let whole = match before {
            // Somebody runs the program of a failure again: until that fails too, the failure is what is kept.
            Some(before)
                if before.case.job.uid != evidence.case.job.uid
                    && is_over(&before)
                    && !is_over(&evidence) =>
            {
                return Ok((evidence, Gone::new()));
            }
            Some(before) => merge(before, evidence),
            None => evidence,
        };
        let text = triage::write(&whole).map_err(io::Error::other)?;
        let coming = kept(&whole, text.len() as u64);
        let mut gone = self.leaving(&job, Some(&coming), self.limits.evidence_bytes);
        for job in &gone {
            self.let_go(job)?;
        }
        let path = evidence_path(&job);
        gone.extend(self.with_room(&job, text.len(), |disk| {
            replace(disk, &path, text.as_bytes())
        })?);
        self.insert(coming);
        Ok((whole, gone))
    }

    /// Which evidence goes first, so that all of it, but that of one Job, fits into so many bytes.
    fn leaving(&self, but: &str, coming: Option<&Kept>, bytes: u64) -> Gone {
        let records = self.records.borrow();
        let others = records.evidence.values().filter(|other| other.job != but);
        let leaving = leaving(others, coming, bytes);
        leaving.into_iter().map(str::to_owned).collect()
    }

    /// Copies the ledger of faults.
    pub(crate) fn copy_faults(&mut self, ledger: &Value, now: Timestamp) -> io::Result<()> {
        let faults = copied(&self.records.borrow().faults, ledger, self.limits.days, now);
        if faults == self.records.borrow().faults {
            return Ok(());
        }
        let text = serde_json::to_string(&faults).map_err(io::Error::other)?;
        self.with_room("", text.len(), |disk| {
            replace(disk, FAULTS, text.as_bytes())
        })?;
        self.change(|records| records.faults = faults);
        Ok(())
    }

    /// The Jobs whose failure is written down, or was and is old enough to be let go since, while Kubernetes may
    /// still have them.
    pub(crate) fn known(&self, now: Timestamp) -> Vec<Uid> {
        let records = self.records.borrow();
        let days = self.limits.days;
        let is_old = |kept: &&Kept| kept.failed && is_over(&file(kept.created), days, now);
        let of_old = records.evidence.values().filter(is_old);
        let recorded = records.entries.keys().cloned();
        recorded
            .chain(of_old.filter_map(|kept| kept.uid.clone()))
            .collect()
    }

    /// Lets go of the results that are old enough, and sees how much room there is.
    pub(crate) fn tidy(&mut self, now: Timestamp) -> io::Result<()> {
        let free = self.disk.free();
        self.change(|records| records.free = free);
        let over: Vec<String> = self
            .lengths
            .keys()
            .filter(|name| is_over(name, self.limits.days, now))
            .cloned()
            .collect();
        for name in over {
            self.disk.remove(&format!("{RESULTS}/{name}"))?;
            self.lengths.remove(&name);
            self.change(|records| {
                records
                    .entries
                    .retain(|_, entry| file(entry.created) != name);
            });
        }
        Ok(())
    }

    fn forget(&self, job: &str) -> io::Result<()> {
        self.disk.remove(&evidence_path(job))?;
        self.change(|records| records.evidence.remove(job));
        Ok(())
    }

    fn let_go(&self, job: &str) -> io::Result<()> {
        self.forget(job)?;
        self.change(|records| records.let_go += 1);
        Ok(())
    }

    /// Writes so many bytes, and lets evidence go while the disk is full: of any Job but the one it is about, and
    /// not more than can be of use. A disk that others fill is not emptied for it.
    fn with_room(
        &mut self,
        about: &str,
        bytes: usize,
        write: impl Fn(&D) -> io::Result<()>,
    ) -> io::Result<Gone> {
        let useful = bytes as u64 + SPARE;
        let mut freed = 0;
        let mut gone = Vec::new();
        loop {
            let error = match write(&self.disk) {
                Ok(()) => return Ok(gone),
                Err(error) => error,
            };
            self.change(|records| records.failed_writes += 1);
            match self.leaving(about, None, 0).into_iter().next() {
                Some(job) if is_full(&error) && freed < useful => {
                    freed += self.records.borrow().bytes_of(&job);
                    self.let_go(&job)?;
                    gone.push(job);
                }
                _ => return Err(error),
            }
        }
    }
}

fn kept(evidence: &Evidence, bytes: u64) -> Kept {
    Kept {
        job: evidence.case.job.name.clone(),
        uid: Some(evidence.case.job.uid.clone()),
        failed: evidence.case.job.state != JobState::Running,
        signature: signature(&evidence.case),
        created: evidence.case.job.created,
        bytes,
    }
}

fn evidence_path(job: &str) -> String {
    format!("{EVIDENCE}/{job}{ENDING}")
}

/// A reader never meets half a file, whenever the writer is killed.
fn replace(disk: &impl Disk, path: &str, bytes: &[u8]) -> io::Result<()> {
    let partial = format!("{path}{PARTIAL}");
    let written = disk
        .write(&partial, bytes)
        .and_then(|()| disk.rename(&partial, path));
    if written.is_err() {
        // It would take the room that is missing.
        let _ = disk.remove(&partial);
    }
    written
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
