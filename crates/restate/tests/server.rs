//! The real server as a process: what this crate claims about Restate, asked of the oldest and the newest version that
//! are supported.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use longrun_restate::process::{self, Options, Ports, Server};
use longrun_restate::{Error, Origin};
use std::path::{Path, PathBuf};
use std::time::Duration;

const START: Duration = Duration::from_secs(60);

fn options(directory: &Path) -> Options {
    options_of(process::VERSION, directory)
}

fn options_of(version: &str, directory: &Path) -> Options {
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"),
        PathBuf::from,
    );
    let binary = process::install(version, &cache, &|line| eprintln!("{line}")).unwrap();
    Options {
        binary,
        // Longer than the path of a socket may be.
        base: directory.join("deep".repeat(30)).join("restate"),
        node: "db".into(),
        log: directory.join("log"),
        ports: Ports::free().unwrap(),
        settings: std::collections::BTreeMap::new(),
    }
}

#[tokio::test]
async fn a_server_starts_answers_refuses_a_second_one_and_stops() {
    for version in [process::OLDEST, process::VERSION] {
        starts_answers_refuses_and_stops(version).await;
    }
}

async fn starts_answers_refuses_and_stops(version: &str) {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(options_of(version, directory.path())).unwrap();
    server.ready(START).await.unwrap();

    assert!(server.node().leaders().await.unwrap().complete());
    assert_eq!(server.admin().deployments().await.unwrap().len(), 0);
    assert_eq!(server.admin().count_open("any").await.unwrap(), 0);
    assert_eq!(server.admin().open_counts().await.unwrap().len(), 0);

    // Sent by others, who reach the node by another way.
    for sql in [
        longrun_restate::open_invocations("v1-s5-all-test-1", 10),
        longrun_restate::state_of("interpreter", "counter", "v1-s5-all-test-1"),
    ] {
        let rows = server.admin().query::<serde_json::Value>(&sql).await;
        assert_eq!(rows.unwrap().len(), 0, "{sql}");
    }

    let wrong = server
        .admin()
        .query::<()>("select nothing from nowhere")
        .await
        .unwrap_err();
    assert!(wrong.to_string().contains("nowhere"), "{wrong}");

    let nobody = Origin::local(Ports::free().unwrap().admin);
    let unreachable = server
        .admin()
        .register(&nobody, false, false)
        .await
        .unwrap_err();
    assert!(
        unreachable.is_transient(),
        "a service that is not up yet: {unreachable:?}"
    );

    // Under load a server that gives up loses its last line now and then.
    let mut told = Vec::new();
    for attempt in 0..5 {
        let mut second = options_of(version, directory.path());
        second.log = directory.path().join(format!("second-{attempt}.log"));
        let refused = Server::start(second)
            .unwrap()
            .ready(START)
            .await
            .unwrap_err();
        assert!(matches!(refused, Error::Process { .. }), "{refused:?}");
        let refused = refused.to_string();
        assert!(
            refused.contains("ended while starting: exit status: 1"),
            "{refused}"
        );
        told.push(refused);
        if told.iter().any(|refused| refused.contains("db is locked")) {
            break;
        }
    }
    let last = told.last().unwrap();
    for part in ["building metadata", "db is locked"] {
        assert!(last.contains(part), "{told:?}");
    }

    server.stop(Duration::from_secs(60)).await.unwrap();
}

#[tokio::test]
async fn a_killed_server_opens_its_data_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(options(directory.path())).unwrap();
    server.ready(START).await.unwrap();
    let options = server.kill().await.unwrap();
    let mut server = Server::start(options).unwrap();
    server.ready(START).await.unwrap();
}

/// The way of an upgrade, and the way back to what was there before it.
#[tokio::test]
async fn the_newest_opens_what_the_oldest_wrote_and_the_oldest_opens_a_copy_from_before() {
    let directory = tempfile::tempdir().unwrap();
    let mut oldest = Server::start(options_of(process::OLDEST, directory.path())).unwrap();
    oldest.ready(START).await.unwrap();
    let options = oldest.options().clone();
    oldest.stop(Duration::from_secs(60)).await.unwrap();
    let copy = directory.path().join("copy");
    copy_all(&options.base, &copy);

    let newest = options_of(process::VERSION, directory.path());
    let mut newest = Server::start(newest).unwrap();
    newest.ready(START).await.unwrap();
    newest.stop(Duration::from_secs(60)).await.unwrap();

    let again = Options {
        base: copy,
        ..options
    };
    let mut oldest = Server::start(again).unwrap();
    oldest.ready(START).await.unwrap();
}

/// What is left when nobody runs: files and directories.
fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, to) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_all(&entry.path(), &to);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn a_version_that_does_not_exist_is_refused_with_what_npm_says() {
    let cache = tempfile::tempdir().unwrap();
    let error = process::install("0.0.0-none", cache.path(), &|_| {}).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("cannot install restate-server 0.0.0-none"),
        "{text}"
    );
    let cause = std::error::Error::source(&error).expect("what npm said");
    assert!(cause.to_string().contains("npm"), "{cause}");
    let left = std::fs::read_dir(cache.path().join("longrun/restate"))
        .unwrap()
        .count();
    assert_eq!(left, 0, "nothing half-installed is left");
}

/// On a machine that has nothing yet, as tests do it.
#[test]
fn installing_at_the_same_time_installs_once_for_all() {
    let cache = tempfile::tempdir().unwrap();
    let install = || process::install(process::VERSION, cache.path(), &|_| {}).unwrap();
    let binaries = std::thread::scope(|scope| {
        let threads = [(); 3].map(|()| scope.spawn(install));
        threads.map(|thread| thread.join().unwrap())
    });
    for binary in binaries {
        assert!(binary.is_file(), "{}", binary.display());
    }
}
