//! Where runs keep their data and logs: a directory a command, below it one a run. What nobody wants to look
//! at is removed again, however the command ends.

use std::{
    fs, io,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use longrun_program::Seed;
use longrun_restate::process::{self, Ports};

use crate::failure::Failure;

/// A node's fresh database takes 220 MB; this is for that with all that a program writes.
const NEEDS: u64 = 512 << 20;
/// With less than this left, a failure is the disk's.
const FULL: u64 = 32 << 20;

/// The directory of one command. Dropping it removes it, unless a run in it is kept.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    kept: AtomicBool,
}

impl Place {
    /// Makes it below `parent`, with room for so many nodes at a time.
    pub(crate) fn make(parent: &Path, job: &Seed, nodes: usize) -> Result<Arc<Self>, Failure> {
        let refused = |error: io::Error| {
            Failure::refused(format!(
                "{} cannot be used for data and logs: {error}",
                parent.display()
            ))
            .hint("name another directory: --dir DIR")
        };
        fs::create_dir_all(parent).map_err(refused)?;
        let free = free(parent).map_err(refused)?;
        let needed = NEEDS * u64::try_from(nodes).unwrap_or(1);
        if free < needed {
            return Err(Failure::refused(format!(
                "the disk of {} is full: {} MiB are free, and {nodes} nodes at a time need {} MiB; nothing \
                 was started",
                parent.display(),
                free >> 20,
                needed >> 20
            ))
            .hint("free some space, or name a directory on another disk: --dir DIR"));
        }
        let now = jiff::Timestamp::try_from(SystemTime::now()).unwrap_or_default();
        let time = now.strftime("%Y%m%d-%H%M%S");
        let path = parent.join(format!("{job}-{time}-{}", std::process::id()));
        fs::create_dir(&path).map_err(refused)?;
        Ok(Arc::new(Self {
            path,
            kept: AtomicBool::new(false),
        }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A directory for one run.
    pub(crate) fn directory(self: &Arc<Self>, name: &str) -> Result<Directory, Failure> {
        let path = self.path.join(name);
        fs::create_dir(&path).map_err(|error| self.failed(&error))?;
        Ok(Directory {
            path,
            keep: false,
            place: Arc::clone(self),
        })
    }

    /// The full disk as the reason, where it may be.
    pub(crate) fn check_disk(&self) -> Result<(), Failure> {
        match free(&self.path) {
            Ok(free) if free < FULL => Err(Failure::half_way(format!(
                "the disk of {} is full: what failed on it says nothing, and its runs were ended",
                self.path.display()
            ))
            .hint("free some space, or name a directory on another disk: --dir DIR")),
            _ => Ok(()),
        }
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::half_way(format!("{}: {error}", self.path.display()))
            .hint("name another directory: --dir DIR")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Relaxed) {
            remove(&self.path);
        }
    }
}

/// The directory of a run. Dropping it removes it, unless it is kept.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    keep: bool,
    place: Arc<Place>,
}

impl Directory {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it to be looked at.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.keep = true;
        self.place.kept.store(true, Ordering::Relaxed);
        self.path.clone()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.keep {
            remove(&self.path);
        }
    }
}

/// Removes a directory in which processes that were just killed may still write.
fn remove(path: &Path) {
    for _ in 0..40 {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                std::thread::sleep(Duration::from_millis(50));
            }
            _ => return,
        }
    }
}

/// Bytes that are free for us.
fn free(path: &Path) -> io::Result<u64> {
    let disk = nix::sys::statvfs::statvfs(path)?;
    Ok(disk.blocks_available() * disk.fragment_size())
}

/// Where a node and its service listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listening {
    pub(crate) node: Ports,
    pub(crate) service: u16,
    pub(crate) health: u16,
}

impl Listening {
    /// How many ports one node with its service has.
    const EACH: u16 = 5;

    /// Any that are free.
    pub(crate) fn anywhere() -> Result<Self, Failure> {
        let [ingress, admin, node, service, health] =
            process::free_ports().map_err(|error| no_port(&error))?;
        Ok(Self {
            node: Ports {
                ingress,
                admin,
                node,
            },
            service,
            health,
        })
    }

    /// Those from a port on: ingress, admin, node, service, its health. The next lane has the next ones.
    pub(crate) fn from(first: u16, lane: usize) -> Result<Self, Failure> {
        let beyond = || {
            Failure::refused(format!("there are no ports from {first} on for all nodes"))
                .hint("a port is at most 65535; take a smaller one, or none")
        };
        let lane = u16::try_from(lane).map_err(|_| beyond())?;
        let first = lane
            .checked_mul(Self::EACH)
            .and_then(|offset| first.checked_add(offset));
        let first = first.ok_or_else(beyond)?;
        first.checked_add(Self::EACH - 1).ok_or_else(beyond)?;
        for port in first..=first + (Self::EACH - 1) {
            TcpListener::bind(("127.0.0.1", port)).map_err(|error| {
                Failure::refused(format!("port {port} cannot be had: {error}; nothing was started"))
                    .hint("end what listens there (ss -ltnp), or leave --port out: any free ports are taken")
            })?;
        }
        Ok(Self {
            node: Ports {
                ingress: first,
                admin: first + 1,
                node: first + 2,
            },
            service: first + 3,
            health: first + 4,
        })
    }
}

fn no_port(error: &io::Error) -> Failure {
    Failure::refused(format!("this machine has no free port: {error}"))
}
