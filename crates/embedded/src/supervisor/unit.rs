//! The life of one component: when it is started, when it counts as running,
//! and how long it has to wait after it ended.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Event;
use crate::Error;
use crate::api::{Api, is_healthy, is_listening};
use crate::command::command;
use crate::components::{Check, Component};
use crate::inside::PROGRAMS;
use crate::record::{Kind, State};

/// Between two tries of a check.
const CHECK_EVERY: Duration = Duration::from_millis(100);
/// Between two looks at a condition that may come true in days or never.
const CONDITION_EVERY: Duration = Duration::from_secs(1);
/// After the first exit, doubled at each further one.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(10);
/// A component that ran for so long has not failed at the start.
const LONG_ENOUGH: Duration = Duration::from_secs(30);
/// Exits in a row after which it is said to be failing.
const TOO_MANY: u32 = 5;

pub(super) struct Unit {
    pub(super) row: Component,
    pub(super) state: State,
    pub(super) pid: Option<Pid>,
    /// When it is to be started again.
    pub(super) retry_at: Option<Instant>,
    pub(super) restarts: u32,
    /// Exits in a row.
    pub(super) exits: u32,
    pub(super) last_exit: Option<String>,
    pub(super) waits_for: Option<String>,
    /// Since when its check passes.
    running_since: Option<Instant>,
    /// It was told to end, so its end is no failure.
    told_to_end: bool,
    /// Counts its starts; a check of an earlier life gives up.
    life: Arc<AtomicU64>,
}

impl Unit {
    pub(super) fn new(row: Component) -> Self {
        Self {
            row,
            state: State::Waiting,
            pid: None,
            retry_at: None,
            restarts: 0,
            exits: 0,
            last_exit: None,
            waits_for: None,
            running_since: None,
            told_to_end: false,
            life: Arc::default(),
        }
    }

    pub(super) fn wants_start(&self) -> bool {
        match self.state {
            State::Waiting => true,
            State::Restarting | State::Failing => {
                self.pid.is_none() && self.retry_at.is_none_or(|at| at <= Instant::now())
            }
            State::Starting | State::Running | State::Done => false,
        }
    }

    /// Starts its process, if it has one. One that cannot even be started has
    /// ended at once.
    pub(super) fn start(&mut self, log: &Path) -> Result<(), Error> {
        self.life.fetch_add(1, Ordering::Relaxed);
        self.retry_at = None;
        self.told_to_end = false;
        self.running_since = None;
        if self.state != State::Failing {
            self.state = State::Starting;
        }
        if self.row.kind == Kind::Condition {
            return Ok(());
        }
        let failed = |error| Error::file("open", log)(error);
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(failed)?;
        let errors = out.try_clone().map_err(failed)?;
        let mut start = command(Path::new(PROGRAMS).join(self.row.program));
        // Nothing of the user's environment: a proxy in it would come between
        // the components.
        let path = crate::command::search_path();
        start
            .args(&self.row.arguments)
            .env_clear()
            .env("PATH", path)
            .env("HOME", "/run/longrun")
            .stdout(out)
            .stderr(errors);
        match start.spawn() {
            // The child is awaited together with all others, by number.
            Ok(child) => self.pid = i32::try_from(child.id()).ok().map(Pid::from_raw),
            Err(error) => self.ended(&format!("no start: {error}")),
        }
        Ok(())
    }

    /// Sends [`Event::Passed`] when the check passes.
    pub(super) fn watch(&self, unit: usize, api: &Arc<Api>, sender: &Sender<Event>) {
        let check = self.row.check.clone();
        if check == Check::Ended {
            return;
        }
        let every = if self.row.kind == Kind::Condition {
            CONDITION_EVERY
        } else {
            CHECK_EVERY
        };
        let (api, sender, lives) = (Arc::clone(api), sender.clone(), Arc::clone(&self.life));
        let life = lives.load(Ordering::Relaxed);
        let mut is_first = self.row.kind == Kind::Condition;
        std::thread::spawn(move || {
            while lives.load(Ordering::Relaxed) == life {
                // The receiver is gone only when everything ends.
                if passes(&check, &api) {
                    let _ = sender.send(Event::Passed { unit, life });
                    return;
                }
                if std::mem::take(&mut is_first) {
                    let _ = sender.send(Event::NotMet { unit });
                }
                std::thread::sleep(every);
            }
        });
    }

    /// From now on `up` does not wait for it.
    pub(super) fn not_met(&mut self) {
        self.waits_for = Some("its installation".into());
    }

    pub(super) fn passed(&mut self, life: u64) {
        let is_alive = self.pid.is_some() || self.row.kind == Kind::Condition;
        if is_alive && self.life.load(Ordering::Relaxed) == life {
            self.running_since = Some(Instant::now());
            self.waits_for = None;
            self.state = if self.row.kind == Kind::Condition {
                State::Done
            } else {
                State::Running
            };
        }
    }

    /// Its process ended, with this outcome.
    pub(super) fn ended(&mut self, outcome: &str) {
        self.pid = None;
        self.life.fetch_add(1, Ordering::Relaxed);
        if self.row.kind == Kind::Task && outcome == super::processes::SUCCESS {
            self.state = State::Done;
            return;
        }
        if self
            .running_since
            .take()
            .is_some_and(|since| since.elapsed() > LONG_ENOUGH)
        {
            self.exits = 0;
        }
        self.restarts += 1;
        if self.told_to_end {
            self.state = State::Waiting;
            return;
        }
        let delay = FIRST_RETRY
            .saturating_mul(1 << self.exits.min(10))
            .min(LAST_RETRY);
        self.exits += 1;
        self.last_exit = Some(outcome.into());
        self.retry_at = Some(Instant::now() + delay);
        self.state = if self.exits >= TOO_MANY {
            State::Failing
        } else {
            State::Restarting
        };
    }

    /// Its leader ended, and it can only go on with the next one.
    pub(super) fn end_with_leader(&mut self) {
        self.told_to_end = self.pid.is_some();
        self.signal(Signal::SIGTERM);
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // Its number is not another's as long as it has not been awaited.
            let _ = kill(pid, signal);
        }
    }
}

fn passes(check: &Check, api: &Api) -> bool {
    match check {
        Check::Api(path) => api.get(path).is_ok_and(|answer| answer.status == 200),
        Check::Http(port, path) => is_healthy(*port, path),
        Check::Port(port) => is_listening(*port),
        Check::Socket(path) => std::os::unix::net::UnixStream::connect(path).is_ok(),
        Check::Ended => true,
    }
}
