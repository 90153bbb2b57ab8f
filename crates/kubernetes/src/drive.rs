//! Does what an approved plan says, step by step: look, ask the journal what comes next, do exactly that.
//! Every decision is the journal's; here are only the requests, and the patience with a silent API server.

use std::pin::pin;

use futures::FutureExt as _;
use longrun_core::{
    journal::{Journal, Next},
    plan::Effect,
    wait::Observation,
};

use crate::{
    client::Client,
    lease::{Lease, LeaseStatus},
    progress::OnProgress,
};

mod change_watcher;
mod effect;
mod inject;
mod journal_store;
mod prepare;
mod run;
mod stopped;
#[cfg(test)]
mod tests;

pub use journal_store::JournalStore;
pub use prepare::prepare;
use run::{INTERRUPTED, PAUSE, Run, Silent};
pub use stopped::Stopped;

/// Drives an approved plan to its end. When `interrupted` becomes ready, no further step is begun, and what
/// can be taken back is taken back. Without a lease, other operations may be at work: that is for plans whose
/// steps none of them minds.
///
/// A journal that is kept in the namespace is written before each effect; then the driver looks and asks
/// again, and only if the answer is the same it acts: between the last look and a deletion there is no other
/// request.
///
/// # Errors
/// When the plan cannot be done to its end: why, how far it came, and what the reader needs to know.
pub async fn drive(
    client: &Client,
    journal: impl Into<JournalStore>,
    lease: Option<&Lease>,
    progress: OnProgress<'_>,
    interrupted: impl Future<Output = ()>,
) -> Result<Journal, Box<Stopped>> {
    let mut run = Run::new(client, journal.into(), lease, progress);
    let mut interrupted = pin!(interrupted.fuse());
    let mut seen = Observation::default();
    // The effect that is written down and not done yet.
    let mut ahead: Option<Effect> = None;
    loop {
        if interrupted.as_mut().now_or_never().is_some() {
            run.journal.interrupt(INTERRUPTED.to_owned());
        }
        run.watch();
        // What stopped the plan is in the last observation, and may be the very silence.
        if run.journal.needs_observation() {
            match run.look().await {
                Ok(observation) => seen = observation,
                Err(failure) => {
                    let silence = run.silence(&failure);
                    match (silence, run.journal.stopped().cloned()) {
                        (None, _) => run.pause(PAUSE, interrupted.as_mut()).await,
                        (Some(cause), None) => run.journal.interrupt(cause),
                        // Nothing is taken back of which nobody knows what it is.
                        (Some(_), Some(reason)) => return Err(run.stopped(reason)),
                    }
                    continue;
                }
            }
        }
        // As late as can be before a write, since a look takes its time.
        match run.standing() {
            _ if run.journal.is_over() => {}
            LeaseStatus::Held => {}
            // Whoever holds it now may be at work on the same objects: nothing is touched any more.
            LeaseStatus::Lost(cause) => return Err(run.abandon(cause)),
            LeaseStatus::Overdue => {
                if let Some(cause) = run.overdue() {
                    return Err(run.abandon(cause));
                }
                run.pause(PAUSE, interrupted.as_mut()).await;
                continue;
            }
        }
        let next = run.journal.next(&seen, client.now());
        let written = ahead.take();
        if let Next::Do(effect) | Next::Undo(effect) = &next
            && run.journal.is_kept()
            && written.as_ref() != Some(effect)
        {
            let is_written = run.write(interrupted.as_mut()).await?;
            ahead = is_written.then(|| effect.clone());
            continue;
        }
        match next {
            Next::Do(effect) => {
                if let Some(Silent) = run.act(&effect, &seen).await {
                    run.pause(PAUSE, interrupted.as_mut()).await;
                }
                run.note().await;
            }
            Next::Look => {
                run.ended();
                run.note().await;
            }
            Next::Wait { cause, since } => {
                run.say_waiting(&cause, since, &seen);
                run.wait(interrupted.as_mut()).await;
            }
            Next::TurnBack(_) => run.gather(&seen).await,
            Next::Undo(effect) => run.undo(&effect, &seen).await,
            Next::Done => {
                run.close().await;
                return Ok(run.journal.into_journal());
            }
            Next::Stop(reason) => {
                run.close().await;
                run.gather(&seen).await;
                run.find_kept().await;
                return Err(run.stopped(reason));
            }
        }
    }
}
