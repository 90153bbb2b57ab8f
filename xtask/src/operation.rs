//! From an approved plan to its end: alone in the environment, interruptible, and shown while it goes on.

use longrun_core::{
    approval::Approved,
    execution::JournalStore,
    journal::Journal,
    plan::{Plan, Target},
};
use longrun_kubernetes::{Client, Lease, Progress, Stopped, drive};

use crate::{
    deployment::holder,
    failure::Failure,
    interrupt::Interrupts,
    show,
    terminal::{Terminal, Work},
};

/// How to go on after an interruption.
pub(crate) const AGAIN: &str = "run the same command again: it goes on from there";

/// One operation that is being carried out.
pub(crate) struct Operation<'a> {
    client: &'a Client,
    target: &'a Target,
    verb: &'a str,
    terminal: &'a Terminal,
    work: Work,
    pub(crate) interrupts: Interrupts,
}

impl<'a> Operation<'a> {
    /// Begins to listen for interruptions, and to show what goes on.
    pub(crate) fn begin(
        verb: &'a str,
        client: &'a Client,
        target: &'a Target,
        terminal: &'a Terminal,
    ) -> Result<Self, Failure> {
        let interrupts = Interrupts::listen()?;
        Ok(Self {
            client,
            target,
            verb,
            terminal,
            work: terminal.work(&format!("{verb} {target}")),
            interrupts,
        })
    }

    pub(crate) fn show(&self, progress: &Progress<'_>) {
        self.work.report(&show::progress(progress));
    }

    /// Does something while nobody else is at work in the environment.
    pub(crate) async fn alone<T>(
        &self,
        work: impl AsyncFnOnce(&Lease) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (holder, progress) = (holder(self.verb), |progress: &Progress<'_>| {
            self.show(progress);
        });
        let environment = &self.target.environment;
        let lease = tokio::select! {
            lease = Lease::acquire(self.client, environment, &holder, &progress) => {
                lease.map_err(|error| Failure::refused(Failure::chain(&error)))?
            }
            () = self.interrupts.first() => return Err(interrupted()),
        };
        let outcome = work(&lease).await;
        if let Err(error) = lease.release().await {
            self.terminal.say(&format!(
                "the lease was not given up and expires by itself in seconds: {error}"
            ));
        }
        outcome
    }

    /// The same plan made anew, of which the first `done` steps are done, with the consent that was given.
    pub(crate) async fn renew(
        &self,
        approved: Approved,
        done: usize,
        plan: impl Future<Output = Result<Plan, Failure>>,
    ) -> Result<Approved, Failure> {
        let fresh = tokio::select! {
            fresh = plan => fresh?,
            () = self.interrupts.first() => return Err(interrupted()),
        };
        let shown = show::plan(&fresh);
        approved.renew(fresh, done).map_err(|moved| {
            Failure::refused(format!("{moved}\nwhat would be done now:\n{shown}"))
                .hint("run the same command again, and answer for what it shows then")
        })
    }

    /// Drives a plan. The first interruption ends it in order, the second one at once.
    pub(crate) async fn drive(
        &self,
        journal: impl Into<JournalStore>,
        lease: Option<&Lease>,
    ) -> Result<Result<Journal, Box<Stopped>>, Failure> {
        let progress = |progress: &Progress<'_>| self.show(progress);
        let driven = drive(
            self.client,
            journal,
            lease,
            &progress,
            self.interrupts.first(),
        );
        tokio::select! {
            driven = driven => Ok(driven),
            () = self.interrupts.second() => Err(Failure::half_way(
                "it was interrupted again and ended at once: nothing more was taken back, tests may be suspended",
            )),
        }
    }

    pub(crate) fn say(&self, text: &str) {
        self.work.say(text);
    }

    /// How many bytes of how many there are.
    pub(crate) fn bytes(&self, done: u64, total: u64) {
        self.work.bytes(done, total);
    }

    /// It has come to an end that is told elsewhere.
    pub(crate) fn end(self) -> Interrupts {
        self.interrupts
    }

    /// It has come to its end; says so in a line that stays. Interruptions are heard until the answer is
    /// dropped.
    pub(crate) fn done(self, result: &str) -> Interrupts {
        self.work.done(result);
        self.interrupts
    }
}

fn interrupted() -> Failure {
    Failure::refused("it was interrupted before it began, and nothing was changed").hint(AGAIN)
}
