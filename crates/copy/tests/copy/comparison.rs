//! Whether two directories are the same, before one of them is deleted.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use longrun_copy::{compare, one_line};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::tree::{Place, any_tree, chmod};

/// Two directories that look like a volume of Restate.
fn two() -> (TempDir, PathBuf, PathBuf) {
    let room = tempfile::tempdir().unwrap();
    let (one, other) = (room.path().join("one"), room.path().join("other"));
    // A snapshot keeps the times of what is in it.
    let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for top in [&one, &other] {
        fs::create_dir_all(top.join("db/log-store")).unwrap();
        fs::write(top.join("db/.cluster-marker"), r#"{"cluster":"restate"}"#).unwrap();
        fs::write(top.join("db/log-store/CURRENT"), "MANIFEST-000005\n").unwrap();
        symlink("CURRENT", top.join("db/log-store/link")).unwrap();
        for file in ["db/.cluster-marker", "db/log-store/CURRENT"] {
            let file = fs::File::options().write(true).open(top.join(file));
            file.unwrap().set_modified(written).unwrap();
        }
    }
    (room, one, other)
}

/// What `compare` prints after a change in the second, with the directories as `one` and `other`.
fn after(change: impl FnOnce(&Path)) -> Vec<String> {
    let (room, one, other) = two();
    change(&other);
    let differences = compare(&one, &other).unwrap();
    let room = format!("{}/", room.path().display());
    let print = |difference: &longrun_copy::Difference| difference.to_string().replace(&room, "");
    differences.iter().map(print).collect()
}

#[test]
fn the_same_is_the_same() {
    assert_eq!(after(|_| {}), [""; 0]);
}

#[test]
fn every_difference_is_one_line() {
    let write = |path: &'static str, text: &'static str| {
        move |top: &Path| fs::write(top.join(path), text).unwrap()
    };
    let current = "db/log-store/CURRENT";
    for (change, expected) in [
        (
            Box::new(write(current, "MANIFEST\n")) as Box<dyn Fn(&Path)>,
            "db/log-store/CURRENT: size 16 and 9",
        ),
        (
            Box::new(write(current, "MANIFEST-000006\n")),
            "db/log-store/CURRENT: another time of the last change",
        ),
        (
            Box::new(|top| fs::remove_file(top.join("db/log-store/CURRENT")).unwrap()),
            "db/log-store/CURRENT: file only in one",
        ),
        (
            Box::new(write("db/new\nname", "")),
            "db/new\\x0aname: file only in other",
        ),
        (
            Box::new(|top| chmod(&top.join("db/log-store"), 0o2700)),
            "db/log-store: mode 0755 and 2700",
        ),
        (
            Box::new(|top| {
                fs::remove_file(top.join("db/log-store/link")).unwrap();
                symlink("IDENTITY", top.join("db/log-store/link")).unwrap();
            }),
            "db/log-store/link: link to CURRENT and IDENTITY",
        ),
        (
            Box::new(|top| {
                fs::remove_file(top.join("db/log-store/link")).unwrap();
                fs::create_dir(top.join("db/log-store/link")).unwrap();
                chmod(&top.join("db/log-store/link"), 0o777);
            }),
            "db/log-store/link: symbolic link and directory",
        ),
        (
            Box::new(write("db/.cluster-marker", r#"{"cluster":"another"}"#)),
            r#"db/.cluster-marker: content `{"cluster":"restate"}` and `{"cluster":"another"}`"#,
        ),
    ] {
        assert_eq!(after(change), [expected]);
    }
}

#[test]
fn an_empty_volume_is_not_the_same() {
    let lines = after(|top| fs::remove_dir_all(top.join("db")).unwrap());
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0], "db: directory only in one");
}

#[test]
fn two_that_are_empty_are_the_same_and_lost_and_found_is_the_file_systems() {
    let lines = after(|other| {
        let one = other.with_file_name("one");
        for top in [one.as_path(), other] {
            fs::remove_dir_all(top.join("db")).unwrap();
        }
        fs::create_dir(one.join("lost+found")).unwrap();
        fs::write(one.join("lost+found/#12"), "found").unwrap();
    });
    assert_eq!(lines, [""; 0]);
    let lines = after(|other| fs::create_dir_all(other.join("db/lost+found")).unwrap());
    assert_eq!(lines, ["db/lost+found: directory only in other"]);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let (room, one, _) = two();
    let absent = room.path().join("absent");
    let error = one_line(&compare(&one, &absent).unwrap_err());
    let expected = format!("cannot list {}: ", absent.display());
    assert!(error.starts_with(&expected), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_copy_is_the_same(tree in any_tree()) {
        let place = Place::with(&tree);
        place.copy().unwrap();
        prop_assert_eq!(compare(&place.from(), &place.to()).unwrap(), []);
    }
}
