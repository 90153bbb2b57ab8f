//! A recorder on disks that are slow or full. They are real: a pipe blocks whoever opens it until its other end is
//! opened, and nothing can be written to `/dev/full`.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::fs::symlink,
    path::PathBuf,
    sync::mpsc,
    thread,
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Builder;

use super::*;
use crate::{
    error::Trouble,
    file_thread::{FileThread, LATE},
    store::tests::{LIMITS, TEN, failed, now},
};

/// Longer than this nothing here takes, unless it is blocked.
const BLOCKED: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    recorder: Arc<Recorder>,
}

impl Running {
    /// As it runs in a pod: one thread serves and does the work, but for that on files.
    fn start<F: Future<Output = ()>>(
        root: &TempDir,
        work: impl FnOnce(Arc<Recorder>) -> F + Send + 'static,
    ) -> Self {
        let folder = root.path().to_owned();
        let (tells, running) = mpsc::channel();
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let thread = FileThread::start(folder, LIMITS, now()).unwrap();
                let recorder = Arc::new(Recorder::new(thread.files));
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let running = Self {
                    address: listener.local_addr().unwrap(),
                    recorder: Arc::clone(&recorder),
                };
                tells.send(running).unwrap();
                let served = serve(listener, Arc::clone(&recorder));
                let work = async {
                    recorder.opened(thread.opened.await.unwrap().unwrap());
                    work(Arc::clone(&recorder)).await;
                };
                let _ = tokio::join!(served, work);
            });
        });
        running.recv_timeout(BLOCKED).unwrap()
    }

    /// The status and the body.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(BLOCKED)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        let read = stream.read_to_string(&mut text);
        read.unwrap_or_else(|error| panic!("{path} is not answered: {error}"));
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    fn status(&self, path: &str) -> u16 {
        self.get(path).0
    }

    /// Waits until the thread that works on files does this, or nothing.
    async fn until_it_does(&self, does: Option<&str>) {
        let mut doing = self.recorder.files.doing.clone();
        let is_so = doing.wait_for(|doing| doing.map(|doing| doing.does) == does);
        timeout(BLOCKED, is_so).await.unwrap().unwrap();
    }

    async fn until_it_has_looked(&self) {
        let mut looks = self.recorder.looks.subscribe();
        let is_so = looks.wait_for(|looks| looks.last.is_some());
        drop(timeout(BLOCKED, is_so).await.unwrap().unwrap());
    }

    async fn until_there_is_trouble(&self) -> String {
        let mut looks = self.recorder.looks.subscribe();
        let is_so = looks.wait_for(|looks| looks.trouble.is_some());
        let looks = timeout(BLOCKED, is_so).await.unwrap().unwrap();
        looks.trouble.clone().unwrap()
    }

    fn unready_in(&self, time: Duration) -> Option<String> {
        unready(&self.recorder, Instant::now() + time)
    }
}

/// What the recorder does at a look, without a cluster.
async fn copies_faults(recorder: Arc<Recorder>) {
    let ledger = json!({"data": {"20260105T100000Z-kill-restate": "{\"fault\":\"kill-restate\"}"}});
    let copied = recorder
        .files
        .work(COPYING, move |store| store.copy_faults(&ledger, now()));
    let outcome = copied.await.map_err(Trouble::Ledger);
    recorder
        .looks
        .send_modify(|looks| looks.last = Some(Instant::now()));
    recorder.looked(outcome);
}

const COPYING: &str = "copying the ledger of faults";

fn pipe(root: &TempDir, name: &str) -> PathBuf {
    let path = root.path().join(name);
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    path
}

#[tokio::test]
async fn a_disk_that_does_not_answer_fails_readiness_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let pipe = pipe(&root, "faults.json.partial");
    let running = Running::start(&root, copies_faults);
    running.until_it_does(Some(COPYING)).await;

    for path in ["/live", "/results", "/evidence", "/faults", "/metrics"] {
        assert_eq!(running.status(path), 200, "{path}");
    }
    let late = running.unready_in(LATE + Duration::from_secs(5)).unwrap();
    let start = "the disk is slow: copying the ledger of faults takes 1";
    assert!(late.starts_with(start), "{late}");

    // It answers, with an error; and from then on as it should.
    drop(fs::File::open(&pipe).unwrap());
    let trouble = running.until_there_is_trouble().await;
    assert!(
        trouble.starts_with("cannot copy the ledger of faults: "),
        "{trouble}"
    );
    assert_eq!(running.get("/ready"), (503, trouble + "\n"));
    copies_faults(Arc::clone(&running.recorder)).await;
    assert_eq!(running.status("/ready"), 200);
}

#[tokio::test]
async fn a_full_disk_fails_readiness_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    symlink("/dev/full", root.path().join("faults.json.partial")).unwrap();
    let running = Running::start(&root, copies_faults);
    let trouble = running.until_there_is_trouble().await;
    assert!(trouble.contains("No space left on device"), "{trouble}");
    assert_eq!(running.get("/ready"), (503, trouble + "\n"));
    for path in ["/live", "/results", "/evidence", "/faults", "/metrics"] {
        assert_eq!(running.status(path), 200, "{path}");
    }
    let (_, metrics) = running.get("/metrics");
    assert!(
        metrics.contains("longrun_recorder_failed_writes_total 1\n"),
        "{metrics}"
    );
    copies_faults(Arc::clone(&running.recorder)).await;
    assert_eq!(running.status("/ready"), 200);
}

#[tokio::test]
async fn what_has_not_been_read_yet_is_not_taken_for_nothing() {
    let root = tempfile::tempdir().unwrap();
    let pipe = pipe(&root, "faults.json");
    let running = Running::start(&root, async |_| {});
    assert_eq!(running.status("/live"), 200);
    for path in [
        "/ready",
        "/results",
        "/evidence",
        "/evidence/a",
        "/cases",
        "/faults",
        "/metrics",
    ] {
        assert_eq!(running.status(path), 503, "{path}");
    }
    fs::write(&pipe, r#"{"a": {}}"#).unwrap();
    running.until_it_does(None).await;
    let mut faults = (503, String::new());
    while faults.0 == 503 {
        faults = running.get("/faults");
    }
    assert_eq!(faults, (200, r#"{"a":{}}"#.to_owned()));
}

#[tokio::test]
async fn a_question_is_read_as_it_was_sent() {
    let root = tempfile::tempdir().unwrap();
    let running = Running::start(&root, async |recorder| {
        for minute in [TEN, TEN + 600] {
            let entry = Entry::of(&failed(minute), Outcome::Failed);
            let recorded = recorder.files.work("writing", |store| store.record(entry));
            recorded.await.unwrap();
        }
        copies_faults(recorder).await;
    });
    running.until_it_has_looked().await;
    let jobs = |question: &str| {
        let (status, lines) = running.get(question);
        assert_eq!(status, 200, "{question}: {lines}");
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let jobs = lines.map(|line: Value| line["job"].as_str().unwrap().to_owned());
        jobs.collect::<Vec<String>>()
    };
    let [first, second] = [TEN, TEN + 600].map(|minute| format!("test-{minute}"));
    assert_eq!(jobs("/results"), [&*first, &*second]);
    assert_eq!(jobs(&format!("/results?job={first}")), [&*first]);
    // A colon is sent as it is by some and encoded by others.
    assert_eq!(jobs("/results?since=2026-01-05T11:00:00Z"), [&*second]);
    assert_eq!(jobs("/results?since=2026-01-05T11%3A00%3A00Z"), [&*second]);
    let (status, why) = running.get("/cases?since=yesterday");
    assert_eq!(
        (status, why.contains("`yesterday` is no time")),
        (400, true),
        "{why}"
    );
    assert_eq!(running.status("/evidence/test-1"), 404);
    assert_eq!(running.status("/evidence/..%2Ffaults"), 404);
    assert_eq!(running.status("/nothing"), 404);
}

#[tokio::test]
async fn nobody_has_looked_lately() {
    let root = tempfile::tempdir().unwrap();
    let running = Running::start(&root, copies_faults);
    running.until_it_has_looked().await;
    let later = || running.unready_in(STALE + Duration::from_secs(60));
    // The thread that writes says that it is done a moment after its work is answered.
    let is_writing = |why: &str| why.starts_with("the disk is slow");
    while later().as_deref().is_some_and(is_writing) {
        tokio::task::yield_now().await;
    }
    assert_eq!(later().as_deref(), Some("it has not looked lately"));
}
