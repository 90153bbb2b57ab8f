//! Senders that lie.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::one_line;

/// A sender of any frames, with right hashes.
struct Liar(Writer<Vec<u8>>);

impl Liar {
    fn new() -> Self {
        Self(Writer::begin(Vec::new(), DIRECTORY).unwrap())
    }

    fn say(mut self, tag: Tag, content: &[u8]) -> Self {
        self.0.frame(tag, content).unwrap();
        self
    }

    fn list(self, entries: &[serde_json::Value]) -> Self {
        let lines: Vec<String> = entries.iter().map(ToString::to_string).collect();
        let size = |entry: &serde_json::Value| entry["size"].as_u64().unwrap_or_default();
        let bytes: u64 = entries.iter().map(size).fold(0, u64::wrapping_add);
        let totals = json!({"entries": entries.len(), "bytes": bytes});
        self.say(Tag::Entries, lines.join("\n").as_bytes())
            .say(Tag::Contents, totals.to_string().as_bytes())
    }

    /// A file with this content.
    fn file(self, content: &[u8]) -> Self {
        let sha256 = Hash::of(Sha256::new_with_prefix(content));
        let end = json!({"size": content.len(), "sha256": sha256});
        self.say(Tag::Begin, br#"{"kept": 0}"#)
            .say(Tag::Data, content)
            .say(Tag::FileEnd, end.to_string().as_bytes())
    }

    fn end(self, files: u64, bytes: u64) -> Self {
        let end = json!({"files": files, "bytes": bytes, "changes": 0});
        self.say(Tag::End, end.to_string().as_bytes())
    }

    /// What a receiver in a room of its own makes of it; and that it writes nowhere else.
    fn received(self) -> Result<Copied, Error> {
        let room = Room::new();
        let stream = self.0.into_inner();
        let destination = Destination::new(&room.path("room/to"), "a liar").unwrap();
        let received = destination.receive(std::io::sink(), &stream[..], |_| {});
        room.is_untouched();
        received
    }

    fn rejected(self) -> Rejected {
        match self.received() {
            Err(Error::Interrupted(interrupted)) => match interrupted.problem {
                Problem::Rejected(rejected) => rejected,
                other => panic!("{other}"),
            },
            other => panic!("{other:?}"),
        }
    }
}

struct Room(TempDir);

impl Room {
    fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        fs::create_dir(room.path("room")).unwrap();
        fs::create_dir(room.path("outside")).unwrap();
        fs::write(room.path("outside/file"), "outside").unwrap();
        room
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn is_untouched(&self) {
        let names = |path: &Path| {
            let names = fs::read_dir(path).unwrap();
            let mut names: Vec<_> = names.map(|name| name.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(self.0.path()), ["outside", "room"]);
        assert_eq!(names(&self.path("outside")), ["file"]);
        assert_eq!(
            fs::read_to_string(self.path("outside/file")).unwrap(),
            "outside"
        );
    }
}

fn file(path: &str, size: u64) -> serde_json::Value {
    json!({"path": path, "type": "file", "size": size, "mode": "0644", "modified": [0, 0]})
}

fn directory(path: &str) -> serde_json::Value {
    json!({"path": path, "type": "directory", "mode": "0755", "modified": [0, 0]})
}

fn link(path: &str, target: &str) -> serde_json::Value {
    json!({"path": path, "type": "symlink", "target": target, "mode": "0777", "modified": [0, 0]})
}

#[test]
fn the_truth_is_taken() {
    let liar = Liar::new().list(&[file("a", 3)]).file(b"abc").end(1, 3);
    assert!(liar.received().unwrap().consistent);
}

#[test]
fn ways_out_are_refused() {
    for (entries, expected) in [
        (vec![file("../../outside/file", 3)], "leaves the directory"),
        (vec![file("/tmp/file", 3)], "absolute"),
        (
            vec![link("out", "../../outside"), file("out/file", 3)],
            "not listed as a directory",
        ),
        (
            vec![
                directory("out"),
                link("out", "../../outside"),
                file("out/file", 3),
            ],
            "listed twice",
        ),
    ] {
        let rejected = Liar::new().list(&entries).file(b"abc").end(1, 3).rejected();
        let said = one_line(&rejected);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_link_of_the_run_before_is_not_followed() {
    let room = Room::new();
    let destination = Destination::new(&room.path("room/to"), "a liar").unwrap();
    let receive = |liar: Liar| {
        let stream = liar.0.into_inner();
        destination.receive(std::io::sink(), &stream[..], |_| {})
    };
    receive(Liar::new().list(&[file("a", 3)])).unwrap_err();
    std::os::unix::fs::symlink("../../outside", room.path("room/to.partial/out")).unwrap();
    let entries = [directory("out"), file("out/file", 3)];
    receive(Liar::new().list(&entries).file(b"abc").end(1, 3)).unwrap();
    room.is_untouched();
    assert_eq!(fs::read(room.path("room/to/out/file")).unwrap(), b"abc");
}

#[test]
fn more_and_fewer_bytes_than_listed_are_refused() {
    let begin = || Liar::new().list(&[file("a", 3)]);
    let rejected = begin().file(b"abcd").end(1, 4).rejected();
    assert!(matches!(rejected, Rejected::TooLong(_)), "{rejected}");
    let rejected = begin().file(b"ab").end(1, 2).rejected();
    assert!(matches!(rejected, Rejected::TooShort(_)), "{rejected}");
    let rejected = begin().say(Tag::Gone, b"").end(0, 0).rejected();
    assert!(matches!(rejected, Rejected::TooShort(_)), "{rejected}");
    for length in [4, u64::MAX] {
        let rejected = begin()
            .say(Tag::Begin, br#"{"kept": 0}"#)
            .say(Tag::Hole, &length.to_be_bytes())
            .rejected();
        assert!(matches!(rejected, Rejected::TooLong(_)), "{rejected}");
    }
    let rejected = begin()
        .say(Tag::Begin, br#"{"kept": 0}"#)
        .say(Tag::Hole, b"abc")
        .rejected();
    assert!(matches!(rejected, Rejected::Hole), "{rejected}");
}

#[test]
fn what_is_not_here_cannot_be_kept() {
    let liar = Liar::new().list(&[file("a", 3)]);
    let rejected = liar.say(Tag::Begin, br#"{"kept": 3}"#).rejected();
    assert!(matches!(rejected, Rejected::Kept(_)), "{rejected}");
}

#[test]
fn wrong_totals_are_refused() {
    let begin = || Liar::new().list(&[file("a", 3)]).file(b"abc");
    for (files, bytes) in [(0, 3), (1, 2), (2, 3)] {
        let rejected = begin().end(files, bytes).rejected();
        assert!(matches!(rejected, Rejected::Totals), "{rejected}");
    }
    let totals = br#"{"entries": 1, "bytes": 0}"#;
    let rejected = Liar::new().say(Tag::Contents, totals).rejected();
    assert!(matches!(rejected, Rejected::Totals), "{rejected}");
}

#[test]
fn a_wrong_hash_of_a_file_is_found() {
    let end = json!({"size": 3, "sha256": "00".repeat(32)}).to_string();
    let liar = Liar::new()
        .list(&[file("a", 3)])
        .say(Tag::Begin, br#"{"kept": 0}"#)
        .say(Tag::Data, b"abc")
        .say(Tag::FileEnd, end.as_bytes());
    let Err(Error::Interrupted(interrupted)) = liar.received() else {
        panic!("taken");
    };
    assert!(matches!(interrupted.problem, Problem::Hash(_)));
}

#[test]
fn a_frame_out_of_place_is_refused() {
    for tag in [Tag::Begin, Tag::Data, Tag::End, Tag::Offers] {
        let rejected = Liar::new().say(tag, b"{}").rejected();
        assert!(matches!(rejected, Rejected::OutOfPlace(_)), "{rejected}");
    }
    let entries = br#"{"path": "b"}"#;
    let rejected = Liar::new().list(&[file("a", 3)]).say(Tag::Entries, entries);
    let rejected = rejected.rejected();
    assert!(matches!(rejected, Rejected::OutOfPlace('M')), "{rejected}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is listed, nothing is written elsewhere: `received` looks.
    #[test]
    fn no_list_writes_elsewhere(entries in proptest::collection::vec(nasty(), 1..5)) {
        let files = entries.iter().filter(|entry| entry["type"] == "file").count();
        let mut liar = Liar::new().list(&entries);
        for _ in 0..files {
            liar = liar.file(b"abc");
        }
        let _ = liar.end(files as u64, 3 * files as u64).received();
    }
}

fn nasty() -> impl Strategy<Value = serde_json::Value> {
    let component = prop_oneof![
        "\\.\\.",
        "a",
        "b",
        "outside",
        "file",
        "\\.",
        "",
        "\\\\\\\\x2e\\\\\\\\x2e",
        "\\\\\\\\x2f"
    ];
    let path = proptest::collection::vec(component, 1..4).prop_map(|parts| parts.join("/"));
    (path.clone(), path, 0..3).prop_map(|(path, target, kind)| match kind {
        0 => directory(&path),
        1 => file(&path, 3),
        _ => link(&path, &target),
    })
}
