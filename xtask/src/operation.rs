//! The one way from a plan to its end: shown, answered, alone in the environment, made anew and still the same, carried
//! out, interruptible, and shown while it goes on.

use longrun_core::{
    approval::{Approved, Ask},
    execution::JournalStore,
    journal::{Journal, Stored},
    plan::{Plan, Target},
};
use longrun_kubernetes::{Client, Lease, Progress, Stopped, drive};

use crate::{
    database::last,
    deployment::holder,
    failure::Failure,
    interrupt::Interrupts,
    show,
    terminal::{Answers, Terminal, Work},
};

/// How to go on after an interruption.
const AGAIN: &str = "run the same command again: it goes on from there";

/// How a command that changes something is answered.
#[derive(Debug, clap::Args)]
pub(crate) struct Consent {
    #[command(flatten)]
    pub(crate) answers: Answers,
    /// Print the plan with the reason for each step and its digest, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What keeps others from the environment meanwhile, and where the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locking {
    /// Nothing: the plan minds nobody, or looks by itself whether an operation is at work or not finished.
    None,
    /// The lease. What is not finished is planned anew.
    Lease,
    /// The lease, with a journal in the namespace: what is not finished is gone on with.
    Journal,
}

/// Shows a plan, and gets the answer to it. Nothing when it was only to be shown.
pub(crate) fn ask(
    plan: Plan,
    consent: &Consent,
    terminal: &Terminal,
) -> Result<Option<Approved>, Failure> {
    if consent.dry_run {
        show::dry_run(&plan, &show::to_approve(&plan), terminal)?;
        return Ok(None);
    }
    terminal.say(show::plan(&plan).trim_end());
    let approved = match Ask::new(plan).unneeded() {
        Ok(approved) => approved,
        Err(ask) => terminal.answer(ask, &consent.answers)?,
    };
    Ok(Some(approved))
}

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

    /// Does what was approved, of which the first `done` steps are done, if it is still what would be planned.
    pub(crate) async fn carry_out(
        &self,
        approved: Approved,
        done: usize,
        locking: Locking,
        plan: impl Future<Output = Result<Plan, Failure>>,
    ) -> Result<Journal, Failure> {
        if locking == Locking::None {
            let approved = self.renew(approved, done, plan).await?;
            return self.finish(approved, None).await;
        }
        self.alone(async |lease| {
            let approved = self.renew(approved, done, plan).await?;
            let store: JournalStore = match locking {
                Locking::None | Locking::Lease => approved.into(),
                Locking::Journal => {
                    let last = last(self.client, &self.target.environment).await?;
                    let journal = Journal::open(approved);
                    Stored::begin(journal, last.as_ref(), self.client.now()).into()
                }
            };
            self.finish(store, Some(lease)).await
        })
        .await
    }

    /// Drives a plan to its end: anything else is a failure.
    pub(crate) async fn finish(
        &self,
        journal: impl Into<JournalStore>,
        lease: Option<&Lease>,
    ) -> Result<Journal, Failure> {
        let store = journal.into();
        let way_on = match store.is_kept() {
            true => format!(
                "see its state and how to go on: cargo xtask operation status {}",
                self.target.flags()
            ),
            false => AGAIN.to_owned(),
        };
        self.drive(store, lease)
            .await
            .map_err(|failure| failure.hint(way_on))?
            .map_err(Failure::half_way)
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
                "the lease was not released and expires within seconds: {error}"
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
                .hint("run the same command again, and answer its new question")
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
                "interrupted again and ended at once: nothing more was taken back, tests may be suspended",
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
    Failure::refused("interrupted before it began; nothing was changed").hint(AGAIN)
}
