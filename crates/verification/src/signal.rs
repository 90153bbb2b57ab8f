//! A signal to a process of the pod, found by its name: how faults kill and freeze the node from its sidecar, which
//! shares its processes and its user.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::sys::signal::{Signal as Kernel, kill};
use nix::unistd::Pid;
use serde::Serialize;

use crate::Error;

/// What may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum Signal {
    /// It ends at once.
    Kill,
    /// It stands still.
    Stop,
    /// It goes on.
    Cont,
}

/// What was hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// The process's number.
    pub pid: i32,
    /// What it runs.
    pub command: String,
}

/// Sends a signal to every process of this name but this one.
///
/// # Errors
/// When there is none, unless it is CONT: what does not run does not stand still either. When a process may not be
/// signalled.
pub fn signal(signal: Signal, name: &str) -> Result<Vec<Hit>, Error> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let hits = find(Path::new("/proc"), name, own).map_err(Error::Processes)?;
    if hits.is_empty() && signal != Signal::Cont {
        return Err(Error::NoProcess(name.to_owned()));
    }
    let kernel = match signal {
        Signal::Kill => Kernel::SIGKILL,
        Signal::Stop => Kernel::SIGSTOP,
        Signal::Cont => Kernel::SIGCONT,
    };
    for Hit { pid, command } in &hits {
        match kill(Pid::from_raw(*pid), kernel) {
            // It has ended by itself.
            Ok(()) | Err(nix::Error::ESRCH) => {}
            Err(source) => {
                return Err(Error::Signal {
                    signal: kernel,
                    command: command.clone(),
                    pid: *pid,
                    source,
                });
            }
        }
    }
    Ok(hits)
}

/// The processes whose program has this name, by the first word of their command.
fn find(proc: &Path, name: &str, own: i32) -> io::Result<Vec<Hit>> {
    let mut hits = Vec::new();
    for entry in fs::read_dir(proc)? {
        let entry = entry?;
        let number = entry.file_name();
        let Some(pid) = number.to_str().and_then(|text| text.parse::<i32>().ok()) else {
            continue;
        };
        // It may have ended since the list was read, and kernel threads have none.
        let Ok(command) = fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let program = command.split(|byte| *byte == 0).next().unwrap_or_default();
        let program = Path::new(OsStr::from_bytes(program));
        if pid != own && program.file_name() == Some(OsStr::new(name)) {
            let command = program.display().to_string();
            hits.push(Hit { pid, command });
        }
    }
    hits.sort_by_key(|hit| hit.pid);
    Ok(hits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_the_name_of_its_program_alone() {
        let proc = tempfile::tempdir().unwrap();
        for (pid, command) in [
            ("7", "/usr/local/bin/restate-server\0--flag\0"),
            (
                "8",
                "/usr/local/bin/verification\0signal\0KILL\0restate-server\0",
            ),
            ("9", "restate-server\0"),
            ("12", ""),
            ("self", "restate-server\0"),
        ] {
            fs::create_dir(proc.path().join(pid)).unwrap();
            fs::write(proc.path().join(pid).join("cmdline"), command).unwrap();
        }
        let pids = |own| {
            let hits = find(proc.path(), "restate-server", own).unwrap();
            hits.iter().map(|hit| hit.pid).collect::<Vec<_>>()
        };
        assert_eq!(pids(8), [7, 9]);
        assert_eq!(pids(9), [7], "never itself");
    }

    #[test]
    fn a_process_is_frozen_goes_on_and_is_killed() {
        let copy = tempfile::tempdir().unwrap();
        let program = copy.path().join("victim-of-a-signal");
        fs::copy("/bin/sleep", &program).unwrap();
        let mut victim = std::process::Command::new(&program)
            .arg("60")
            .spawn()
            .unwrap();
        let state = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", victim.id())).unwrap();
            stat.rsplit(") ").next().unwrap().chars().next().unwrap()
        };
        let becomes = |wanted: fn(char) -> bool| {
            while !wanted(state()) {
                std::thread::yield_now();
            }
        };
        becomes(|state| state == 'S');
        signal(Signal::Stop, "victim-of-a-signal").unwrap();
        becomes(|state| state == 'T');
        signal(Signal::Cont, "victim-of-a-signal").unwrap();
        becomes(|state| state != 'T');
        signal(Signal::Kill, "victim-of-a-signal").unwrap();
        assert!(!victim.wait().unwrap().success());
    }

    #[test]
    fn nothing_to_hit_is_an_error_unless_it_is_to_go_on() {
        let missing = "there-is-no-such-program";
        let said = signal(Signal::Kill, missing).unwrap_err();
        assert_eq!(
            said.to_string(),
            "no process here is named there-is-no-such-program"
        );
        assert_eq!(signal(Signal::Cont, missing).unwrap(), []);
    }
}
