//! Does what an approved plan says, step by step: look, ask the journal what comes next, do exactly that.
//! Every decision is the journal's; here are only the requests, and the patience with a silent API server.

use std::pin::pin;

use futures::FutureExt as _;
use longrun_core::{
    approval::Approved,
    journal::{Journal, Next},
    wait::Sight,
};

use crate::{
    client::Client,
    lease::{Lease, LeaseStanding},
    progress::Progress,
};

mod effect;
mod prepare;
mod run;
mod stopped;
#[cfg(test)]
mod tests;
mod wake;

pub use prepare::prepare;
use run::{INTERRUPTED, PAUSE, Run, Silent};
pub use stopped::Stopped;

/// Drives an approved plan to its end. When `interrupted` becomes ready, no further step is begun, and what
/// can be taken back is taken back.
///
/// # Errors
/// When the plan cannot be done to its end: why, how far it came, and what the reader needs to know.
pub async fn drive(
    client: &Client,
    approved: Approved,
    lease: &Lease,
    progress: Progress<'_>,
    interrupted: impl Future<Output = ()>,
) -> Result<Journal, Box<Stopped>> {
    let mut run = Run::new(client, approved, progress);
    let mut interrupted = pin!(interrupted.fuse());
    let mut seen = Sight::default();
    loop {
        if interrupted.as_mut().now_or_never().is_some() {
            run.journal.interrupt(INTERRUPTED.to_owned());
        }
        run.watch(&lease.standing());
        // What stopped the plan is in the last sight, and may be the very silence.
        if run.journal.needs_sight() {
            match run.look().await {
                Ok(sight) => seen = sight,
                Err(failure) => {
                    let silence = run.silence(&failure);
                    match (silence, run.journal.stopped().cloned()) {
                        (None, _) => run.pause(PAUSE, lease, interrupted.as_mut()).await,
                        (Some(cause), None) => run.journal.interrupt(cause),
                        // Nothing is taken back of which nobody knows what it is.
                        (Some(_), Some(reason)) => return Err(run.stopped(reason)),
                    }
                    continue;
                }
            }
        }
        // As late as can be before a write, since a look takes its time.
        match lease.standing() {
            _ if run.journal.is_over() => {}
            LeaseStanding::Held => {}
            // Whoever holds it now may be at work on the same objects: nothing is touched any more.
            LeaseStanding::Lost(cause) => return Err(run.abandon(cause)),
            LeaseStanding::Overdue => {
                if let Some(cause) = run.overdue() {
                    return Err(run.abandon(cause));
                }
                run.pause(PAUSE, lease, interrupted.as_mut()).await;
                continue;
            }
        }
        match run.journal.next(&seen, client.now()) {
            Next::Do(effect) => {
                if let Some(Silent) = run.act(&effect, &seen).await {
                    run.pause(PAUSE, lease, interrupted.as_mut()).await;
                }
            }
            Next::Look => run.ended(),
            Next::Wait { cause, since } => {
                run.say_waiting(&cause, since, &seen);
                run.wait(lease, interrupted.as_mut()).await;
            }
            Next::TurnBack(_) => run.gather(&seen).await,
            Next::Undo(effect) => run.undo(&effect, &seen).await,
            Next::Done => return Ok(run.journal),
            Next::Stop(reason) => {
                run.gather(&seen).await;
                return Err(run.stopped(reason));
            }
        }
    }
}
