//! Runs of programs: to their end, in the background, and at a real terminal.

use std::{
    fs::File,
    io::{Read, Write as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::report::note;

/// No run takes longer than this, however slow the machine is.
const LONGEST: Duration = Duration::from_secs(400);

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    command: String,
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    /// At a terminal: what the terminal showed.
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ran {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "the exit code of {self}");
        self
    }

    /// Each part is on stderr, where people are talked to.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "stderr does not say {part:?}: {self}"
            );
        }
        self
    }

    /// Each part is on stdout, where results go.
    #[track_caller]
    pub(crate) fn prints(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stdout.contains(part), "stdout has no {part:?}: {self}");
        }
        self
    }

    #[track_caller]
    pub(crate) fn takes_at_most(self, seconds: u64) -> Self {
        assert!(
            self.took <= Duration::from_secs(seconds),
            "more than {seconds} s: {self}"
        );
        self
    }

    /// Stdout as the one document it is with `--output json`.
    #[track_caller]
    pub(crate) fn document(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(document) => document,
            Err(error) => panic!("stdout is not JSON ({error}): {self}"),
        }
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            command,
            code,
            stdout,
            stderr,
            took,
        } = self;
        writeln!(
            f,
            "`{command}` → {code:?} after {:.1} s",
            took.as_secs_f32()
        )?;
        write!(
            f,
            "--- stdout\n{}\n--- stderr\n{}\n---",
            stdout.trim_end(),
            stderr.trim_end()
        )
    }
}

/// A run that goes on.
pub(crate) struct Running {
    command: String,
    began: Instant,
    child: Child,
    stdout: Heard,
    stderr: Heard,
    /// The far end of its terminal, if it has one.
    terminal: Option<File>,
}

impl Running {
    /// Starts a command without a terminal and without input.
    #[expect(clippy::needless_pass_by_value, reason = "it is made for this")]
    pub(crate) fn start(command: Command) -> Self {
        let began = Instant::now();
        let mut child = led_by(&HEARING, &command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        let stdout = Heard::listen(child.stdout.take().expect("stdout is piped"));
        let stderr = Heard::listen(child.stderr.take().expect("stderr is piped"));
        Self {
            command: words(&command),
            began,
            child,
            stdout,
            stderr,
            terminal: None,
        }
    }

    /// Starts a command whose input and stderr are a terminal, which is also the one that it takes its
    /// signals from. Only stdout is a pipe.
    pub(crate) fn start_at_terminal(command: &Command) -> Self {
        Self::in_session(command, false)
    }

    /// The same, with stdout at the terminal as well: what is shown there is `stderr` of what has ended.
    pub(crate) fn start_on_screen(command: &Command) -> Self {
        Self::in_session(command, true)
    }

    fn in_session(command: &Command, on_screen: bool) -> Self {
        let began = Instant::now();
        let size = nix::pty::Winsize {
            ws_row: 50,
            ws_col: 200,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = nix::pty::openpty(&size, None).expect("a pseudo-terminal");
        let session = [&["/usr/bin/setsid", "--ctty"], &HEARING[..]].concat();
        let mut of_session = led_by(&session, command);
        let own = || Stdio::from(pair.slave.try_clone().expect("a descriptor"));
        let (input, screen) = (own(), on_screen.then(own));
        let mut child = of_session
            .stdin(input)
            .stdout(screen.unwrap_or_else(Stdio::piped))
            .stderr(Stdio::from(pair.slave))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {of_session:?}: {error}"));
        // It holds the terminal's near end, whose last copy must be the child's: else reading never ends.
        drop(of_session);
        let terminal = File::from(pair.master);
        let stdout = match child.stdout.take() {
            Some(pipe) => Heard::listen(pipe),
            None => Heard::listen(std::io::empty()),
        };
        let stderr = Heard::listen(terminal.try_clone().expect("a descriptor"));
        Self {
            command: words(command),
            began,
            child,
            stdout,
            stderr,
            terminal: Some(terminal),
        }
    }

    /// Waits until stderr has this.
    #[track_caller]
    pub(crate) fn hears(&self, text: &str) {
        if let Err(heard) = self.stderr.wait_for(text, 1, LONGEST) {
            panic!("`{}` does not say {text:?}, but:\n{heard}", self.command);
        }
    }

    /// Waits until stdout has this so many times.
    #[track_caller]
    pub(crate) fn writes(&self, text: &str, times: usize) {
        if let Err(written) = self.stdout.wait_for(text, times, LONGEST) {
            let command = &self.command;
            panic!("`{command}` does not write {text:?} {times} times, but:\n{written}");
        }
    }

    /// Its terminal, to be looked at when it has ended.
    pub(crate) fn terminal(&self) -> File {
        let terminal = self.terminal.as_ref().expect("it runs at a terminal");
        terminal.try_clone().expect("a descriptor")
    }

    /// Types at the terminal: `"y\n"`, `"\x04"` for its end, `"\x03"` for Ctrl-C.
    pub(crate) fn types(&mut self, keys: &str) {
        let terminal = self.terminal.as_mut().expect("it runs at a terminal");
        terminal
            .write_all(keys.as_bytes())
            .expect("the terminal takes keys");
    }

    /// Whether it has come to an end that nobody has asked about yet.
    pub(crate) fn has_ended(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        status.is_ok_and(|status| status.contains(") Z "))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("it is still running");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ran {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            if self.began.elapsed() > LONGEST {
                let _ = self.child.kill();
                panic!(
                    "`{}` does not end, it said:\n{}",
                    self.command,
                    self.stderr.so_far()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let took = self.began.elapsed();
        let ran = Ran {
            command: std::mem::take(&mut self.command),
            code: status.code(),
            stdout: self.stdout.whole(),
            stderr: self.stderr.whole(),
            took,
        };
        note(&ran);
        ran
    }
}

/// Who runs the tests may ignore signals, and what they start would inherit that: a shell's background ignores Ctrl-C, and
/// `nohup` the end of the terminal. With this in front, a program hears what a test sends to it.
const HEARING: [&str; 2] = ["/usr/bin/env", "--default-signal=HUP,INT,QUIT"];

/// The same command with another program in front, which becomes it.
pub(crate) fn led_by(other: &[&str], command: &Command) -> Command {
    let mut whole = Command::new(other[0]);
    whole
        .args(&other[1..])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap_or_else(|| ".".as_ref()));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => whole.env(name, value),
            None => whole.env_remove(name),
        };
    }
    whole
}

/// The words of a command, for the reader.
fn words(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(program)
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

/// What a stream has said so far.
struct Heard {
    text: Arc<(Mutex<Vec<u8>>, Condvar)>,
    listener: Option<JoinHandle<()>>,
}

impl Heard {
    fn listen(mut stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let said = Arc::clone(&text);
        let listener = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A terminal whose near end is closed answers with an error.
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let mut text = said.0.lock().unwrap_or_else(PoisonError::into_inner);
                text.extend_from_slice(&buffer[..count]);
                said.1.notify_all();
            }
        });
        Self {
            text,
            listener: Some(listener),
        }
    }

    fn so_far(&self) -> String {
        let text = self.text.0.lock().unwrap_or_else(PoisonError::into_inner);
        readable(&text)
    }

    fn wait_for(&self, part: &str, times: usize, patience: Duration) -> Result<(), String> {
        let (text, more) = &*self.text;
        let text = text.lock().unwrap_or_else(PoisonError::into_inner);
        let lacks = |text: &mut Vec<u8>| readable(text).matches(part).count() < times;
        let (text, waited) = more
            .wait_timeout_while(text, patience, lacks)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            Err(readable(&text))
        } else {
            Ok(())
        }
    }

    fn whole(&mut self) -> String {
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        self.so_far()
    }
}

/// A terminal ends lines with a carriage return as well.
fn readable(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace("\r\n", "\n")
}

/// Stdout of a program that must succeed.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> String {
    match attempt(command) {
        Ok(stdout) => stdout,
        Err(said) => panic!("{command:?} failed: {said}"),
    }
}

/// Stdout of a program, or its stderr when it fails.
pub(crate) fn attempt(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}
