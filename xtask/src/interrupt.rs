//! Ctrl-C, SIGTERM and the end of the terminal while a cluster is being changed. The first one asks for an
//! end that leaves things tidy, the second one for any end.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::failure::Failure;

/// The signals that have come since [`Interrupts::listen`]. From then on none of them ends the process.
pub(crate) struct Interrupts {
    heard: watch::Receiver<usize>,
}

impl Interrupts {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let (say, heard) = watch::channel(0);
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        if !outlives_its_terminal() {
            kinds.push(SignalKind::hangup());
        }
        for kind in kinds {
            let mut signals = signal(kind).map_err(|error| {
                Failure::refused(format!(
                    "signals cannot be heard, and nothing was changed: {error}"
                ))
            })?;
            let say = say.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    say.send_modify(|count| *count += 1);
                }
            });
        }
        Ok(Self { heard })
    }

    /// Ends when one has come.
    pub(crate) async fn first(&self) {
        self.count(1).await;
    }

    /// Ends when another one has come.
    pub(crate) async fn second(&self) {
        self.count(2).await;
    }

    async fn count(&self, least: usize) {
        let mut heard = self.heard.clone();
        if heard.wait_for(|count| *count >= least).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether this was started to go on when its terminal closes, as `nohup` does: SIGHUP is ignored then (Linux:
/// `SigIgn` in proc_pid_status(5), the lowest bit).
fn outlives_its_terminal() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}
