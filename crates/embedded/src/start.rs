//! The way from nothing to a supervisor that is told to go.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::command::{command, find, not_started};
use crate::network::{self, Subnet};
use crate::places::Directories;
use crate::processes::Process;
use crate::record::{self, Record, Settings};
use crate::status::LOG_END;
use crate::supervisor::{GO, READY, SUBCOMMAND};
use crate::{Error, certificates, cgroups, configuration, files, storage};

/// Prepares all files and starts the supervisor in its own namespaces. Until
/// its last line, ending this process ends all of it.
pub(crate) fn start(
    name: &str,
    directories: &Directories,
    supervisor: Option<&Path>,
    programs: PathBuf,
) -> Result<(), Error> {
    files::make_directory(&directories.logs())?;
    files::remove(&directories.components())?;
    storage::prepare(&directories.volumes())?;
    copy_supervisor(supervisor, &directories.supervisor())?;
    cgroups::create(name)?;

    let choosing = network::choosing()?;
    let before = record::last(&directories.record()).map(|record| record.subnet);
    let subnet: Subnet = network::choose(before)?;
    certificates::issue(&directories.keys(), name, subnet)?;
    let settings = Settings {
        name: name.into(),
        subnet,
        programs,
        runc: find("runc").ok_or(Error::MissingPackages(vec!["runc"]))?,
    };
    configuration::write(directories, &settings)?;

    let log = directories.log("supervisor");
    let mut child = spawn(directories, &log)?;
    let record = await_supervisor(&mut child, subnet, settings.programs).ok_or_else(|| {
        Error::SupervisorEnded {
            tail: files::tail(&log, LOG_END),
            log: log.clone(),
        }
    })?;
    record::save(&directories.record(), &record)?;
    network::connect(subnet, &directories.state, record.supervisor)?;
    drop(choosing);
    let told = child.stdin.take().map(|mut input| writeln!(input, "{GO}"));
    // This process may go on for long after the cluster is down, and is the
    // one that has to wait for its child.
    std::thread::spawn(move || child.wait());
    match told {
        Some(Ok(())) => Ok(()),
        _ => Err(Error::SupervisorEnded {
            tail: files::tail(&log, LOG_END),
            log,
        }),
    }
}

/// The running program may be built again while the cluster runs, so a copy of
/// it is what runs.
fn copy_supervisor(supervisor: Option<&Path>, to: &Path) -> Result<(), Error> {
    let own = Path::new("/proc/self/exe");
    let from = supervisor.unwrap_or(own);
    let partial = files::beside(to, ".partial");
    if let Some(directory) = to.parent() {
        files::make_directory(directory)?;
    }
    fs::copy(from, &partial).map_err(Error::file("copy", from))?;
    fs::rename(&partial, to).map_err(Error::file("rename", &partial))
}

fn spawn(directories: &Directories, log: &Path) -> Result<Child, Error> {
    let errors = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .map_err(Error::file("open", log))?;
    // Away from the terminal, whose end would end it, and then into namespaces
    // of its own; the first process that is killed takes all others along.
    let mut command = command("setsid");
    command
        .args([
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ])
        .args(["--propagation", "slave"])
        .arg(directories.supervisor())
        .arg(SUBCOMMAND)
        .arg(&directories.state)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(errors);
    command
        .spawn()
        .map_err(|error| not_started(&command, &error))
}

/// Waits until the supervisor has said that it is there. Nothing when it ended
/// instead.
fn await_supervisor(child: &mut Child, subnet: Subnet, programs: PathBuf) -> Option<Record> {
    let mut line = String::new();
    BufReader::new(child.stdout.take()?)
        .read_line(&mut line)
        .ok()?;
    if line.trim() != READY {
        return None;
    }
    let outer = Process::now(i32::try_from(child.id()).ok()?)?;
    Some(Record {
        outer,
        supervisor: outer.child()?,
        subnet,
        programs,
    })
}
