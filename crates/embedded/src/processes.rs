//! Processes of this machine, read from /proc.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// One process, told from a later one of the same number by its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// Clock ticks since the machine started (proc(5), stat, field 22).
    start: u64,
}

/// What /proc/PID/stat says.
struct Stat {
    name: String,
    parent: i32,
    start: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may itself contain some.
    let (head, rest) = text.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Stat {
        name,
        parent: fields.get(1)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
    })
}

/// The numbers of all processes that this one can see.
pub(crate) fn all() -> Vec<i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// A process's name, cut to 15 characters by the kernel.
pub(crate) fn name(pid: i32) -> Option<String> {
    stat(pid).map(|stat| stat.name)
}

impl Process {
    /// The process that has this number now.
    pub(crate) fn now(pid: i32) -> Option<Self> {
        stat(pid).map(|stat| Self {
            pid,
            start: stat.start,
        })
    }

    /// Its only child.
    pub(crate) fn child(self) -> Option<Self> {
        all().into_iter().find_map(|pid| {
            let found = stat(pid)?;
            (found.parent == self.pid).then_some(Self {
                pid,
                start: found.start,
            })
        })
    }

    pub(crate) fn is_alive(self) -> bool {
        Self::now(self.pid) == Some(self)
    }

    /// Does nothing when the process is gone.
    pub(crate) fn signal(self, signal: Signal) {
        if self.is_alive() {
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }

    fn namespace(self) -> Option<PathBuf> {
        namespace(self.pid)
    }

    /// All processes in its process namespace and those nested in it, as pairs
    /// of the number in that namespace and the number here.
    pub(crate) fn namespace_members(self) -> Vec<(i32, i32)> {
        let Some(mine) = self.namespace() else {
            return Vec::new();
        };
        let depth = namespace_numbers(self.pid).len();
        all()
            .into_iter()
            .filter_map(|pid| {
                let numbers = namespace_numbers(pid);
                if numbers.len() < depth {
                    return None;
                }
                // Containers have process namespaces of their own, one deeper,
                // and another cluster's are just as deep: follow the parents.
                let inside = namespace(pid) == Some(mine.clone())
                    || (numbers.len() > depth && descends(pid, self.pid));
                inside.then(|| (numbers[depth - 1], pid))
            })
            .collect()
    }
}

fn descends(mut pid: i32, ancestor: i32) -> bool {
    while pid > 1 {
        let Some(found) = stat(pid) else { return false };
        if found.parent == ancestor {
            return true;
        }
        pid = found.parent;
    }
    false
}

fn namespace(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// Its numbers from the namespace of /proc inwards (proc(5), status, NSpid).
fn namespace_numbers(pid: i32) -> Vec<i32> {
    field(pid, "status", "NSpid:")
        .map(|value| {
            value
                .split_whitespace()
                .filter_map(|number| number.parse().ok())
                .collect()
        })
        .unwrap_or_default()
}

fn field(pid: i32, file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().to_owned())
}

/// Bytes of memory that the process uses, pages that it shares counted in
/// proportion (proc(5), `smaps_rollup`, Pss).
pub(crate) fn memory(pid: i32) -> u64 {
    field(pid, "smaps_rollup", "Pss:")
        .and_then(|value| value.strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map_or(0, |kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this() -> i32 {
        Pid::this().as_raw()
    }

    #[test]
    fn a_process_is_alive_until_its_number_means_another() {
        let now = Process::now(this()).unwrap();
        assert!(now.is_alive());
        assert!(
            !Process {
                start: now.start + 1,
                ..now
            }
            .is_alive()
        );
    }

    #[test]
    fn a_process_is_in_its_own_namespace_and_uses_memory() {
        let me = Process::now(this()).unwrap();
        assert!(me.namespace_members().iter().any(|(_, pid)| *pid == this()));
        assert!(memory(this()) > 64 * 1024, "in bytes");
    }

    #[test]
    fn a_name_may_have_parentheses() {
        let program = std::env::temp_dir().join(format!("a) b (c {}", this()));
        fs::copy("/bin/sleep", &program).unwrap();
        let mut child = std::process::Command::new(&program)
            .arg("60")
            .spawn()
            .unwrap();
        let found = stat(i32::try_from(child.id()).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_file(program).unwrap();
        assert_eq!(found.map(|stat| stat.parent), Some(this()));
    }
}
