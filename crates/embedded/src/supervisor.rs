//! The one process that all others of a cluster are below: it starts each
//! component when what it needs is there, and again when it ends.
//!
//! It is the first process of its own process namespace, so that its end is
//! the end of everything, and it gets the children of all that die.

mod processes;
mod unit;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};

use self::processes::{LONG_LOG, reap, stop_others};
use self::unit::Unit;
use crate::api::Api;
use crate::components::{API_PORT, table};
use crate::configuration::SETTINGS;
use crate::inside::STATE;
use crate::places::Directories;
use crate::record::{self, Entries, Entry, Kind, Settings, State, unix_now};
use crate::{Error, files, inside, programs};

/// The hidden first argument with which `up` starts the supervisor.
pub(crate) const SUBCOMMAND: &str = "supervise-embedded-cluster";
/// What the supervisor says when it can be given its network.
pub(crate) const READY: &str = "ready";
/// What it is told when it has it.
pub(crate) const GO: &str = "go";

/// Between two looks at the size of logs.
const TICK: Duration = Duration::from_secs(60);
/// How long a component may take to end when it is told to.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long containers may take: a database wants to end cleanly.
const CONTAINER_PATIENCE: Duration = Duration::from_secs(10);

/// Something the supervisor reacts to.
enum Event {
    /// A child ended.
    Child,
    /// The cluster is to go down.
    Stop,
    /// The check of a unit passed, in the life that it was started for.
    Passed { unit: usize, life: u64 },
    /// The first look at a condition found that it is not met.
    NotMet { unit: usize },
}

/// Must be called first in the `main` of a program that calls [`crate::Cluster::up`]
/// with itself as supervisor. Runs the supervisor, and returns its exit code,
/// if the program was started as one.
#[must_use]
pub fn supervise_main() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != SUBCOMMAND {
        return None;
    }
    let state = PathBuf::from(arguments.next()?);
    Some(match supervise(&state) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}{}", cause(&error));
            ExitCode::FAILURE
        }
    })
}

fn cause(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(String::new, |source| format!(": {source}"))
}

fn supervise(state: &Path) -> Result<(), Error> {
    // Before any thread starts, so that all of them leave these signals to the
    // one that waits for them.
    let signals: SigSet = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT]
        .into_iter()
        .collect();
    let blocked = signals.thread_block();
    let directories = Directories::of_state(state);
    // Held for a moment by whoever looks if a supervisor is there.
    let _lock = files::lock(&directories.supervisor_lock(), || {})?;
    if blocked.is_err() || !told_to_go() {
        // Whoever started this is gone, and without its network it is nothing.
        return Ok(());
    }
    let file = directories.configuration().join(SETTINGS);
    let Some(settings) = record::load::<Settings>(&file)? else {
        return Ok(());
    };
    let _in_use = programs::hold(&settings.programs)?;
    inside::mount_all(&directories, &settings)?;
    inside::configure_network(settings.subnet)?;
    let directories = Directories::of_state(Path::new(STATE));
    let api = Api::new(([127, 0, 0, 1], API_PORT).into(), &directories.keys())?;

    let (sender, events) = channel();
    let signalled = sender.clone();
    std::thread::spawn(move || {
        while let Ok(signal) = signals.wait() {
            let event = if signal == Signal::SIGCHLD {
                Event::Child
            } else {
                Event::Stop
            };
            if signalled.send(event).is_err() {
                return;
            }
        }
    });
    Supervisor {
        units: table(&settings).into_iter().map(Unit::new).collect(),
        directories,
        api: Arc::new(api),
        sender,
        since: unix_now(),
        published: None,
        look_at: Instant::now(),
    }
    .run(&events)
}

/// Says that it is there, and waits for the word of `up`.
fn told_to_go() -> bool {
    let mut out = std::io::stdout();
    let mut line = String::new();
    writeln!(out, "{READY}").is_ok()
        && out.flush().is_ok()
        && std::io::stdin().lock().read_line(&mut line).is_ok()
        && line.trim() == GO
}

struct Supervisor {
    units: Vec<Unit>,
    directories: Directories,
    api: Arc<Api>,
    sender: Sender<Event>,
    since: u64,
    published: Option<Entries>,
    /// When the size of logs is looked at next.
    look_at: Instant,
}

impl Supervisor {
    fn run(mut self, events: &Receiver<Event>) -> Result<(), Error> {
        loop {
            self.start_what_can()?;
            self.publish()?;
            // Not only when nothing else happens: containers end all the time.
            if self.look_at <= Instant::now() {
                self.shorten_logs();
                self.look_at = Instant::now() + TICK;
            }
            match events.recv_timeout(self.until_next_deadline()) {
                Ok(Event::Child) => self.reap(),
                Ok(Event::Passed { unit, life }) => self.units[unit].passed(life),
                Ok(Event::NotMet { unit }) => self.units[unit].not_met(),
                Ok(Event::Stop) => {
                    self.stop(events);
                    return Ok(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Never: this holds a sender itself.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn start_what_can(&mut self) -> Result<(), Error> {
        for index in 0..self.units.len() {
            if !self.units[index].wants_start() {
                continue;
            }
            let missing = self.missing(index);
            let unit = &mut self.units[index];
            unit.waits_for = missing;
            if unit.waits_for.is_some() {
                // Its own delay is over, or this would be looked at all the time.
                unit.retry_at = None;
                continue;
            }
            unit.start(&self.directories.log(unit.row.name))?;
            unit.watch(index, &self.api, &self.sender);
        }
        Ok(())
    }

    /// The first of the rows that it needs and that is not there.
    fn missing(&self, index: usize) -> Option<String> {
        let there = |name: &str| {
            self.units.iter().any(|unit| {
                unit.row.name == name && matches!(unit.state, State::Running | State::Done)
            })
        };
        let needs = self.units[index].row.after;
        needs
            .iter()
            .find(|name| !there(name))
            .map(ToString::to_string)
    }

    fn until_next_deadline(&self) -> Duration {
        self.units
            .iter()
            .filter_map(|unit| unit.retry_at)
            .min()
            .map_or(self.look_at, |start| start.min(self.look_at))
            .saturating_duration_since(Instant::now())
    }

    fn reap(&mut self) {
        for (pid, outcome) in reap() {
            let Some(index) = self.units.iter().position(|unit| unit.pid == Some(pid)) else {
                continue;
            };
            self.units[index].ended(&outcome);
            let name = self.units[index].row.name;
            if self.units[index].row.kind == Kind::Task && self.units[index].state == State::Done {
                continue;
            }
            eprintln!("{} {name} ended with {outcome}", unix_now());
            for follower in &mut self.units {
                if follower.row.follows == Some(name) {
                    follower.end_with_leader();
                }
            }
        }
    }

    fn publish(&mut self) -> Result<(), Error> {
        let entries = Entries {
            since: self.since,
            components: self.units.iter().map(Unit::entry).collect(),
        };
        if self.published.as_ref() != Some(&entries) {
            record::save(&self.directories.components(), &entries)?;
            self.published = Some(entries);
        }
        Ok(())
    }

    fn shorten_logs(&self) {
        for unit in &self.units {
            // What cannot be done now is tried again.
            let _ = files::put_aside(&self.directories.log(unit.row.name), LONG_LOG);
        }
    }

    /// The kubelet first, or it would start containers again; then containers,
    /// which may need the network and volumes to end well; then the rest.
    fn stop(&mut self, events: &Receiver<Event>) {
        self.stop_units(events, |unit| unit.row.name == "kubelet");
        let ours: Vec<i32> = self
            .units
            .iter()
            .filter_map(|unit| unit.pid)
            .map(nix::unistd::Pid::as_raw)
            .collect();
        stop_others(&ours, CONTAINER_PATIENCE);
        self.stop_units(events, |unit| unit.row.name != "etcd");
        self.stop_units(events, |_| true);
        // What does not listen ends with this process, by the kernel.
    }

    fn stop_units(&mut self, events: &Receiver<Event>, which: impl Fn(&Unit) -> bool) {
        let start = Instant::now();
        for unit in self.units.iter().rev().filter(|unit| which(unit)) {
            unit.signal(Signal::SIGTERM);
        }
        while self
            .units
            .iter()
            .any(|unit| which(unit) && unit.pid.is_some())
        {
            let Some(left) = PATIENCE.checked_sub(start.elapsed()) else {
                return;
            };
            let _ = events.recv_timeout(left);
            for (pid, _) in reap() {
                for unit in self.units.iter_mut().filter(|unit| unit.pid == Some(pid)) {
                    unit.pid = None;
                }
            }
        }
    }
}

impl Unit {
    fn entry(&self) -> Entry {
        Entry {
            name: self.row.name.into(),
            kind: self.row.kind,
            state: self.state,
            pid: self.pid.map(nix::unistd::Pid::as_raw),
            restarts: self.restarts,
            exits: self.exits,
            last_exit: self.last_exit.clone(),
            waits_for: self.waits_for.clone(),
        }
    }
}
