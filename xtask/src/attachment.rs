//! A copy of a snapshot in a pod, for as long as a command keeps it alive, and not longer.

use longrun_core::{
    approval::Ask,
    operations::attach::{self, Wish},
    plan::Plan,
};
use longrun_kubernetes::{Heartbeat, Over, Progress, drive};

use crate::{
    database::Database,
    deployment::holder,
    failure::Failure,
    interrupt::Interrupts,
    operation::{Locking, Operation},
    show,
    terminal::Terminal,
};

/// What is attached, kept alive.
pub(crate) struct Attachment<'a> {
    database: &'a Database,
    snapshot: &'a str,
    heartbeat: Heartbeat,
}

/// Who attaches, for others who find it: there may be several of one person.
pub(crate) fn who() -> String {
    let holder = holder("attach");
    format!("{} (process {})", holder.who, holder.run)
}

impl<'a> Attachment<'a> {
    /// Makes what is planned. Nobody is asked: it loses nothing, and goes with the command. What cannot be made
    /// to its end is taken away again.
    pub(crate) async fn make(
        database: &'a Database,
        operation: &Operation<'_>,
        plan: Plan,
        wish: &'a Wish,
        terminal: &Terminal,
    ) -> Result<Self, Failure> {
        let (target, options) = (database.target(), database.options());
        let approved = Ask::new(plan).piped(true, None)?;
        let guardian = attach::guardian(target, &wish.snapshot);
        // The storage may take minutes until the pod is ready: its guardian must not end before.
        let heartbeat = Heartbeat::start(database.client(), guardian, &wish.who, wish.longest);
        let attachment = Self {
            database,
            snapshot: &wish.snapshot,
            heartbeat,
        };
        let decide = |facts: &_| attach::plan(target, facts, options, wish);
        let again = database.plan(decide);
        let made = operation.carry_out(approved, 0, Locking::None, again);
        match made.await {
            Ok(_) => Ok(attachment),
            Err(failure) => {
                let ended = attachment.end(&operation.interrupts, terminal).await;
                Err(match ended {
                    Ok(()) => failure,
                    Err(other) => failure.after(&other.message),
                })
            }
        }
    }

    /// Ends when it is over, whatever the command does.
    pub(crate) async fn over(&self) -> Over {
        self.heartbeat.over().await
    }

    /// Takes everything away and waits until it is gone; for one more interruption at most.
    pub(crate) async fn end(
        self,
        interrupts: &Interrupts,
        terminal: &Terminal,
    ) -> Result<(), Failure> {
        let Some(uid) = self.heartbeat.guardian() else {
            return Ok(());
        };
        let target = self.database.target();
        let work = terminal.work(&format!("detach {target}"));
        let progress = |progress: &Progress<'_>| work.report(&show::progress(progress));
        let plan = attach::end(target, self.snapshot, uid);
        let approved = Ask::new(plan).piped(true, None)?;
        let gone = drive(
            self.database.client(),
            approved,
            None,
            &progress,
            interrupts.second(),
        );
        let guardian = attach::guardian(target, self.snapshot);
        gone.await.map_err(|stopped| {
            Failure::half_way(format!(
                "{stopped}\nthe claim and the pod {} may be there for a minute: they go with {guardian}, which ends when nothing is heard of this command",
                self.snapshot
            ))
            .hint(format!(
                "see whether they are gone: kubectl -n {} get job,pod,pvc -l longrun/attach={}",
                target.environment, self.snapshot
            ))
        })?;
        work.done("the pod and its claim are gone; the snapshot stays");
        Ok(())
    }
}
