//! What goes on, while it goes on.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};

use super::tell;

/// A long piece of work, shown while it goes on: on a terminal a line that is redrawn; in a pipe a line when something
/// changes, and at most one a minute when nothing does.
pub(crate) struct Work {
    began: Instant,
    /// When bytes began to come, and how many there were.
    transfer: OnceLock<(Instant, u64)>,
    shown: Shown,
}

enum Shown {
    Redrawn(ProgressBar),
    Lines {
        news: Arc<Mutex<News>>,
        ended: Sender<()>,
        printer: Option<JoinHandle<()>>,
    },
}

/// What is said last, and of which step. What a step says meanwhile is no change: a compiler says something every second.
#[derive(Default)]
struct News {
    step: String,
    text: String,
}

/// In a pipe, news come no faster than this; what is done sooner needs none.
const PACE: Duration = Duration::from_secs(2);
/// In a pipe, a step that goes on says so this often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// Which news are printed in a pipe.
#[derive(Default)]
struct Pace {
    step: String,
    last: Duration,
}

impl Pace {
    /// Whether this is printed, so long after the work began.
    fn prints(&mut self, news: &News, at: Duration) -> bool {
        let due = news.step != self.step || at.saturating_sub(self.last) >= SIGN_OF_LIFE;
        if due {
            self.step.clone_from(&news.step);
            self.last = at;
        }
        due
    }
}

/// How bytes that come are shown.
const BYTES: &str = "{spinner} {prefix} {wide_bar} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";

impl Work {
    pub(super) fn begin(what: &str, redraw: bool) -> Self {
        let began = Instant::now();
        let shown = if redraw {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {prefix} {elapsed:.dim} {wide_msg:.dim}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            Shown::Redrawn(bar)
        } else {
            let news = Arc::new(Mutex::new(News::default()));
            let (ended, end) = std::sync::mpsc::channel();
            let (what, latest) = (what.to_owned(), Arc::clone(&news));
            let printer = std::thread::spawn(move || print_news(&what, began, &latest, &end));
            Shown::Lines {
                news,
                ended,
                printer: Some(printer),
            }
        };
        Self {
            began,
            transfer: OnceLock::new(),
            shown,
        }
    }

    /// What is waited for, or what just happened: each is a change.
    pub(crate) fn report(&self, news: &str) {
        self.show(news, news);
    }

    /// What a program says that does a step: `step: …`.
    pub(crate) fn output(&self, news: &str) {
        let step = news.split_once(": ").map_or(news, |(step, _)| step);
        self.show(step, news);
    }

    /// How far a step is that is no news by itself.
    pub(crate) fn count(&self, news: &str) {
        self.show("how far", news);
    }

    fn show(&self, step: &str, text: &str) {
        match &self.shown {
            Shown::Redrawn(bar) => bar.set_message(text.to_owned()),
            Shown::Lines { news, .. } => {
                *news.lock().unwrap_or_else(PoisonError::into_inner) = News {
                    step: step.to_owned(),
                    text: text.to_owned(),
                };
            }
        }
    }

    pub(crate) fn say(&self, text: &str) {
        match &self.shown {
            Shown::Redrawn(bar) => bar.suspend(|| tell(&format!("{text}\n"))),
            Shown::Lines { .. } => tell(&format!("{text}\n")),
        }
    }

    /// How many bytes of how many there are. Those of the first call cost nothing.
    pub(crate) fn bytes(&self, done: u64, total: u64) {
        let (since, before) = *self.transfer.get_or_init(|| {
            if let Shown::Redrawn(bar) = &self.shown
                && let Ok(style) = ProgressStyle::with_template(BYTES)
            {
                bar.set_style(style);
                bar.set_position(done);
                bar.reset_eta();
            }
            (Instant::now(), done)
        });
        match &self.shown {
            Shown::Redrawn(bar) => {
                bar.set_length(total);
                bar.set_position(done);
            }
            Shown::Lines { .. } => {
                let seconds = since.elapsed().as_secs().max(1);
                self.count(&format!(
                    "{} of {}, {}/s",
                    BinaryBytes(done),
                    BinaryBytes(total),
                    BinaryBytes(done.saturating_sub(before) / seconds)
                ));
            }
        }
    }

    /// The work is done; says so in a line that stays.
    pub(crate) fn done(self, result: &str) {
        let took = self.began.elapsed();
        drop(self);
        if took < PACE {
            tell(&format!("✓ {result}\n"));
        } else {
            tell(&format!("✓ {result} ({})\n", seconds(took)));
        }
    }
}

/// Ends without a word, as an error does.
impl Drop for Work {
    fn drop(&mut self) {
        match &mut self.shown {
            Shown::Redrawn(bar) => bar.finish_and_clear(),
            Shown::Lines { ended, printer, .. } => {
                let _ = ended.send(());
                if let Some(printer) = printer.take() {
                    let _ = printer.join();
                }
            }
        }
    }
}

fn print_news(what: &str, began: Instant, news: &Mutex<News>, end: &Receiver<()>) {
    let mut pace = Pace::default();
    while end.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
        let news = news.lock().unwrap_or_else(PoisonError::into_inner);
        let took = began.elapsed();
        if pace.prints(&news, took) {
            let text = match news.text.as_str() {
                "" => "still at it",
                text => text,
            };
            tell(&format!("  {what}: {text} ({})\n", seconds(took)));
        }
    }
}

/// `7 s`, `2 min 05 s`
pub(crate) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{seconds} s")
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a pipe when this is the news of each second.
    fn lines(news: impl IntoIterator<Item = (&'static str, String)>) -> Vec<(u64, String)> {
        let mut pace = Pace::default();
        let mut lines = Vec::new();
        for (second, (step, text)) in (1..).zip(news) {
            let step = step.to_owned();
            let news = News { step, text };
            let is_look = second % PACE.as_secs() == 0;
            if is_look && pace.prints(&news, Duration::from_secs(second)) {
                lines.push((second, news.text));
            }
        }
        lines
    }

    #[test]
    fn a_compiler_that_talks_for_twenty_minutes_says_a_line_a_minute() {
        let compiler = (0..1200).map(|crates| ("cargo build", format!("crate {crates}")));
        let lines = lines(compiler);
        let seconds: Vec<u64> = lines.iter().map(|(second, _)| *second).collect();
        let expected: Vec<u64> = (0..20).map(|minute| 2 + 60 * minute).collect();
        assert_eq!(seconds, expected);
        assert_eq!(lines[1].1, "crate 61", "what it says then");
    }

    #[test]
    fn a_change_is_said_at_once_and_once() {
        let wait =
            |cause: &'static str, seconds| (0..seconds).map(move |_| (cause, cause.to_owned()));
        let all = wait("0 of 2 ready", 30).chain(wait("1 of 2 ready", 150));
        let lines = lines(all);
        let told: Vec<(u64, &str)> = lines
            .iter()
            .map(|(second, text)| (*second, &**text))
            .collect();
        assert_eq!(
            told,
            [
                (2, "0 of 2 ready"),
                (32, "1 of 2 ready"),
                (92, "1 of 2 ready"),
                (152, "1 of 2 ready"),
            ]
        );
    }

    #[test]
    fn what_says_nothing_is_alive_once_a_minute() {
        let silent = lines((0..180).map(|_| ("", String::new())));
        let seconds: Vec<u64> = silent.iter().map(|(second, _)| *second).collect();
        assert_eq!(seconds, [60, 120, 180]);
    }

    #[test]
    fn in_a_pipe_the_output_of_a_step_is_no_other_step() {
        let work = Work::begin("images", false);
        let step = |work: &Work| match &work.shown {
            Shown::Lines { news, .. } => news.lock().expect("news").step.clone(),
            Shown::Redrawn(_) => panic!("there is no terminal"),
        };
        work.output("cargo build: Compiling one");
        assert_eq!(step(&work), "cargo build");
        work.output("importing restate");
        assert_eq!(step(&work), "importing restate");
        work.report("StatefulSet restate: not ready");
        assert_eq!(step(&work), "StatefulSet restate: not ready");
        work.bytes(1, 2);
        assert_eq!(step(&work), "how far");
    }
}
