//! A cluster of one object that answers as a test says.

use super::*;

/// How a request goes wrong, by its name and the second in which it is sent.
pub(super) type Rule = Box<dyn FnMut(&str, u64) -> Option<RequestError>>;

pub(super) struct Fake {
    pub(super) rule: Rule,
    pub(super) lease: fn(u64) -> LeaseStatus,
    /// When somebody asks for an end.
    pub(super) end_at: u64,
    pub(super) second: u64,
    /// What the namespace holds of the journal.
    pub(super) journal: Option<Value>,
    pub(super) told: Vec<String>,
}

impl Fake {
    pub(super) fn new(rule: impl FnMut(&str, u64) -> Option<RequestError> + 'static) -> Self {
        Self {
            rule: Box::new(rule),
            lease: |_| LeaseStatus::Held,
            end_at: u64::MAX,
            second: 0,
            journal: None,
            told: Vec::new(),
        }
    }

    pub(super) fn ask<T>(&mut self, asked: &str, answer: T) -> Result<T, RequestError> {
        let failed = (self.rule)(asked, self.second);
        self.tell(match &failed {
            None => asked.to_string(),
            Some(error) => format!("{asked}: {error:?}"),
        });
        failed.map_or(Ok(answer), Err)
    }

    /// What is told over and over is told once.
    pub(super) fn tell(&mut self, line: String) {
        if self.told.last() != Some(&line) {
            self.told.push(line);
        }
    }
}

impl Cluster for Fake {
    fn time(&self) -> Time {
        Time {
            now: Timestamp::from_second(self.second as i64).unwrap(),
            elapsed: Duration::from_secs(self.second),
        }
    }

    fn lease(&self) -> LeaseStatus {
        (self.lease)(self.second)
    }

    fn interrupted(&mut self) -> bool {
        self.second >= self.end_at
    }

    async fn observe(&mut self, step: &Step) -> Result<Observation, RequestError> {
        let name = step.act.object().unwrap().name;
        let metadata =
            json!({"name": name, "uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z"});
        let spec = json!({"suspend": false, "template": {"spec": {"containers": []}}});
        let seen = Observation {
            object: Some(json!({"metadata": metadata, "spec": spec})),
            ..Observation::default()
        };
        self.ask("look", seen)
    }

    async fn apply(&mut self, step: &Step, _: &Observation) -> Result<Option<Uid>, RequestError> {
        self.ask(&step.act.to_string(), Some(Uid("1".into())))
    }

    async fn read_journal(&mut self, _: &str) -> Result<Option<Value>, RequestError> {
        let journal = self.journal.clone();
        self.ask("read", journal)
    }

    async fn write_journal(
        &mut self,
        stored: &Stored,
        _: Option<&Value>,
    ) -> Result<(), RequestError> {
        let written = self.ask("write", ());
        if written.is_ok() {
            self.journal = Some(stored.manifest());
        }
        written
    }

    async fn wait(&mut self, _: &Step) {
        self.second += 10;
    }

    async fn pause(&mut self) {
        self.second += 1;
        // A loop that never ends is no test.
        if self.second > 10_000 {
            pending::<()>().await;
        }
    }

    async fn diagnose(&mut self, failed: Option<&Step>, _: &Observation, _: Timestamp) {
        let failed = failed.map_or("what was seen".to_string(), |step| step.act.to_string());
        self.tell(format!("diagnose {failed}"));
    }

    fn report(&mut self, progress: &Progress<'_>) {
        if let Progress::Ended { step, .. } = progress {
            self.tell(format!("ended: {}", step.act));
        }
    }
}
