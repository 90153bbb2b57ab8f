//! The thread that does all work on files. A disk can be slow, or not answer at all: whoever needs a file waits for
//! it, and nobody else does.

use std::{
    io,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    records::Records,
    store::{Folder, Limits, Store},
};

/// Longer than this no file operation takes on a disk that is well.
pub(crate) const LATE: Duration = Duration::from_secs(10);

/// How much work may wait: what is asked for while the disk is slow, and not a queue without an end.
const WAITING: usize = 16;

type Work = Box<dyn FnOnce(&mut Store<Folder>) + Send>;

/// A piece of work, and what it does for people.
struct Job {
    does: &'static str,
    work: Work,
}

/// What the thread is doing at this moment, since when.
#[derive(Clone, Copy)]
pub(crate) struct Doing {
    pub(crate) does: &'static str,
    since: Instant,
}

impl Doing {
    /// Why nothing is written, when the disk has taken too long.
    fn late(self, now: Instant) -> Option<String> {
        let since = now.saturating_duration_since(self.since);
        (since > LATE).then(|| {
            let seconds = since.as_secs();
            format!("the disk is slow: {} takes {seconds} s so far", self.does)
        })
    }
}

/// The way to the thread.
#[derive(Clone)]
pub(crate) struct Files {
    jobs: mpsc::Sender<Job>,
    pub(crate) doing: watch::Receiver<Option<Doing>>,
}

/// What is kept, once it has been read.
pub(crate) struct Opened {
    pub(crate) records: watch::Receiver<Records>,
    /// The Jobs that are written down.
    pub(crate) known: Vec<longrun_core::object::Uid>,
    /// What is odd about the files.
    pub(crate) notes: Vec<String>,
}

/// The thread, as whoever started it sees it.
pub(crate) struct FileThread {
    pub(crate) files: Files,
    pub(crate) opened: oneshot::Receiver<io::Result<Opened>>,
}

impl FileThread {
    /// Begins to read the folder.
    pub(crate) fn start(folder: PathBuf, limits: Limits, now: Timestamp) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING);
        let (says, doing) = watch::channel(None);
        let (tells, opened) = oneshot::channel();
        thread::Builder::new()
            .name("files".to_owned())
            .spawn(move || run(&folder, limits, now, tells, waiting, &says))?;
        let files = Files { jobs, doing };
        Ok(Self { files, opened })
    }
}

fn run(
    folder: &std::path::Path,
    limits: Limits,
    now: Timestamp,
    opened: oneshot::Sender<io::Result<Opened>>,
    mut waiting: mpsc::Receiver<Job>,
    doing: &watch::Sender<Option<Doing>>,
) {
    let begin = |does| {
        let since = Instant::now();
        doing.send_replace(Some(Doing { does, since }));
    };
    begin("reading what is kept");
    let store = Folder::open(folder).and_then(|folder| Store::open(folder, limits, now));
    doing.send_replace(None);
    let mut store = match store {
        Ok((store, notes)) => {
            let _ = opened.send(Ok(Opened {
                records: store.records(),
                known: store.known(now),
                notes,
            }));
            store
        }
        Err(error) => {
            let _ = opened.send(Err(error));
            return;
        }
    };
    while let Some(Job { does, work }) = waiting.blocking_recv() {
        begin(does);
        work(&mut store);
        doing.send_replace(None);
    }
}

impl Files {
    /// Does work on the files, after what was asked for before.
    ///
    /// # Errors
    /// Those of the work.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        does: &'static str,
        work: impl FnOnce(&mut Store<Folder>) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let ended = || io::Error::other("the thread that does the work on files has ended");
        let (done, result) = oneshot::channel();
        let work = Box::new(move |store: &mut Store<Folder>| {
            // Who asked may have gone away while the disk was slow.
            if !done.is_closed() {
                let _ = done.send(work(store));
            }
        });
        let job = Job { does, work };
        self.jobs.send(job).await.map_err(|_| ended())?;
        result.await.map_err(|_| ended())?
    }

    /// Why nothing is written, when the disk has taken too long.
    pub(crate) fn late(&self, now: Instant) -> Option<String> {
        self.doing
            .borrow()
            .as_ref()
            .and_then(|doing| doing.late(now))
    }

    /// Waits for the thread to end, which it does when it has panicked.
    pub(crate) async fn ended(&self) {
        self.jobs.closed().await;
    }
}
