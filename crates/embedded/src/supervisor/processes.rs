//! Children that ended, and processes that are nobody's component.

use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::processes::{all, name};
use crate::wait;

/// The outcome of a process that ended well.
pub(super) const SUCCESS: &str = "exit status 0";
/// Bytes after which a log is put aside.
pub(super) const LONG_LOG: u64 = 16 * 1024 * 1024;

/// All children that have ended, components or not, and how.
pub(super) fn reap() -> Vec<(Pid, String)> {
    let mut ended = Vec::new();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => ended.push((pid, format!("exit status {code}"))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => ended.push((pid, signal.to_string())),
            Err(Errno::EINTR) => {}
            _ => return ended,
        }
    }
}

/// Tells all processes except `components`, this one and the runtime's shims,
/// which are the parents of containers, to end, and waits until they have.
pub(super) fn stop_others(components: &[i32], patience: Duration) {
    let others = || -> Vec<i32> {
        all()
            .into_iter()
            .filter(|pid| *pid != Pid::this().as_raw() && !components.contains(pid))
            .filter(|pid| name(*pid).is_some_and(|name| !name.starts_with("containerd-shim")))
            .filter(|pid| !is_zombie(*pid))
            .collect()
    };
    for pid in others() {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    wait::until(patience, || others().is_empty());
}

/// A process that has ended and whose parent has not noticed.
fn is_zombie(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| rest.starts_with(" Z"))
    })
}
