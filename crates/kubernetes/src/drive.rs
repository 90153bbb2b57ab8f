//! Does what an approved plan says, step by step: look, ask the journal what comes next, do exactly that.
//! Every decision is the journal's; here are only the requests, and the patience with a silent API server.

use std::pin::pin;

use futures::FutureExt as _;
use longrun_core::{
    approval::Approved,
    journal::{Journal, Next},
};

use crate::{
    client::Client,
    clock::now,
    lease::{Lease, LeaseStanding},
    progress::Progress,
};

mod effect;
mod prepare;
mod run;
mod stopped;
mod wake;

pub use prepare::prepare;
use run::{PAUSE, Run, Silent};
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
    loop {
        if interrupted.as_mut().now_or_never().is_some() {
            run.journal.interrupt("it was interrupted".to_owned());
        }
        match lease.standing() {
            LeaseStanding::Held => run.overdue_since = None,
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
        let seen = match run.look().await {
            Ok(seen) => seen,
            Err(failure) => {
                if let Some(cause) = run.silence(&failure) {
                    run.journal.interrupt(cause);
                }
                run.pause(PAUSE, lease, interrupted.as_mut()).await;
                continue;
            }
        };
        match run.journal.next(&seen, now()) {
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
