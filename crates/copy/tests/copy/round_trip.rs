//! A copy has what the directory has.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::net::UnixListener;

use longrun_copy::{Destination, Progress};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::tree::{Part, Place, any_tree, chmod, file, look, noise};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_tree_round_trips(tree in any_tree()) {
        let place = Place::with(&tree);
        let copied = place.copy().unwrap();
        place.is_copied();
        prop_assert!(copied.consistent);
        prop_assert_eq!(copied.kept, 0);
    }
}

#[test]
fn an_empty_directory_is_a_copy_too() {
    let place = Place::new();
    let copied = place.copy().unwrap();
    place.is_copied();
    assert_eq!((copied.files, copied.bytes), (0, 0));
}

#[test]
fn a_file_larger_than_many_frames() {
    let place = Place::new();
    fs::write(place.from().join("large"), noise(5 << 20)).unwrap();
    fs::write(place.from().join("one-frame"), noise(1 << 20)).unwrap();
    place.copy().unwrap();
    place.is_copied();
}

#[test]
fn a_sparse_file_stays_sparse() {
    let place = Place::new();
    let parts = [
        Part::Hole(40 << 20),
        Part::Data(noise(10_000)),
        Part::Hole(80 << 20),
    ];
    file(&place.from().join("log"), &parts);
    let copied = place.copy().unwrap();
    place.is_copied();
    assert!(copied.bytes > 120 << 20);
    assert!(copied.wire < 20_000, "{} bytes came", copied.wire);
    let metadata = fs::metadata(place.to().join("log")).unwrap();
    assert!(
        metadata.blocks() * 512 < 1 << 20,
        "it takes {} bytes on the disk",
        metadata.blocks() * 512
    );
}

#[test]
fn modes_links_and_times_are_kept() {
    let place = Place::new();
    let from = place.from();
    fs::create_dir_all(from.join("db/closed")).unwrap();
    fs::write(from.join("db/closed/file"), "x").unwrap();
    chmod(&from.join("db/closed/file"), 0o400);
    chmod(&from.join("db/closed"), 0o500);
    symlink("/etc/passwd", from.join("db/absolute")).unwrap();
    symlink("../../..", from.join("db/up")).unwrap();
    symlink("nowhere", from.join("db/dangling")).unwrap();
    let old = fs::File::open(from.join("db/closed/file")).unwrap();
    old.set_modified(std::time::UNIX_EPOCH - std::time::Duration::from_millis(1500))
        .unwrap();
    place.copy().unwrap();
    place.is_copied();
    let times = |top: std::path::PathBuf| {
        let metadata = fs::metadata(top.join("db/closed")).unwrap();
        (metadata.mtime(), metadata.mtime_nsec())
    };
    assert_eq!(times(place.to()), times(from));
}

#[test]
fn set_user_id_is_of_the_pod_s_users() {
    let place = Place::new();
    fs::write(place.from().join("program"), "x").unwrap();
    chmod(&place.from().join("program"), 0o4755);
    place.copy().unwrap();
    let mode = fs::metadata(place.to().join("program")).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o755);
}

#[test]
fn sockets_are_named_and_not_copied() {
    let place = Place::new();
    let _socket = UnixListener::bind(place.from().join("admin.sock")).unwrap();
    fs::write(place.from().join("file"), "x").unwrap();
    let copied = place.copy().unwrap();
    let special: Vec<_> = copied.special.iter().map(ToString::to_string).collect();
    assert_eq!(special, ["admin.sock"]);
    assert!(copied.consistent);
    assert_eq!(look(&place.to()).len(), 1);
}

#[test]
fn the_manifest_beside_has_the_hashes_that_sha256sum_says() {
    let place = Place::new();
    let parts = [Part::Data(b"a".to_vec()), Part::Hole(100_000)];
    file(&place.from().join("log"), &parts);
    let copied = place.copy().unwrap();
    let text = fs::read(copied.manifest).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let hash = Sha256::digest(fs::read(place.to().join("log")).unwrap());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(manifest["entries"][0]["sha256"], hash);
    assert_eq!(manifest["entries"][0]["size"], 100_001);
    assert_eq!(manifest["complete"], true);
    assert_eq!(manifest["consistent"], true);
    assert_eq!(manifest["source"], "a directory");
}

#[test]
fn progress_counts_up_to_all() {
    let place = Place::new();
    file(&place.from().join("log"), &[Part::Hole(100 << 20)]);
    fs::write(place.from().join("table"), noise(3 << 20)).unwrap();
    let stream = place.stream();
    let mut seen: Vec<Progress> = Vec::new();
    Destination::new(&place.to(), "a directory")
        .unwrap()
        .receive(io::sink(), &stream[..], |progress| seen.push(progress))
        .unwrap();
    assert!(seen.is_sorted_by_key(|progress| progress.done));
    let total = 103 << 20;
    assert!(seen.iter().all(|progress| progress.total == total));
    assert_eq!(seen.last().unwrap().done, total);
    assert!(seen.len() > 4, "told {} times", seen.len());
}

#[test]
fn a_destination_that_is_empty_is_taken() {
    let place = Place::new();
    fs::write(place.from().join("file"), "x").unwrap();
    fs::create_dir(place.to()).unwrap();
    place.copy().unwrap();
    place.is_copied();
}
