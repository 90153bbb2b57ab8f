//! Whether a directory holds a database.

use std::fs;
use std::path::Path;

use longrun_copy::{examine, one_line};

/// What is said of a volume after a change of what Restate wrote.
fn said(change: impl FnOnce(&Path)) -> String {
    let room = tempfile::tempdir().unwrap();
    let top = room.path();
    fs::create_dir_all(top.join("db/log-store")).unwrap();
    fs::write(
        top.join("db/.cluster-marker"),
        r#"{"cluster_name":"restate"}"#,
    )
    .unwrap();
    fs::write(top.join("db/log-store/000004.log"), "0123456789").unwrap();
    change(top);
    match examine(top) {
        Ok(found) => format!(
            "{}: {} files, {} bytes",
            found.marker, found.files, found.bytes
        ),
        Err(flaw) => one_line(&flaw),
    }
}

#[test]
fn a_marker_with_files_beside_it_is_a_database() {
    assert_eq!(said(|_| {}), "db/.cluster-marker: 1 files, 10 bytes");
}

#[test]
fn all_else_is_none() {
    let marker = "db/.cluster-marker";
    for (change, expected) in [
        (
            Box::new(|top: &Path| fs::remove_dir_all(top.join("db")).unwrap())
                as Box<dyn Fn(&Path)>,
            "it is empty: there is no database in it",
        ),
        (
            Box::new(|top| {
                fs::remove_dir_all(top.join("db")).unwrap();
                fs::create_dir(top.join("lost+found")).unwrap();
                fs::write(top.join("lost+found/.cluster-marker"), "{}").unwrap();
            }),
            "it is empty: there is no database in it",
        ),
        (
            Box::new(|top| fs::remove_file(top.join(marker)).unwrap()),
            "it has 1 files and no marker of Restate (<node>/.cluster-marker): it is no database, or not all of one",
        ),
        (
            Box::new(|top| fs::write(top.join(marker), "").unwrap()),
            "db/.cluster-marker is no JSON object, and what is beside it cannot be trusted: EOF while parsing a value at line 1 column 0",
        ),
        (
            // What is elsewhere is not the node's.
            Box::new(|top| {
                fs::remove_dir_all(top.join("db/log-store")).unwrap();
                fs::write(top.join("note"), "of somebody").unwrap();
            }),
            "db/.cluster-marker has no file beside it: the node's directory is empty",
        ),
    ] {
        assert_eq!(said(change), expected);
    }
}

#[test]
fn what_cannot_be_read_is_not_known() {
    let said = one_line(&examine(Path::new("absent")).unwrap_err());
    assert!(said.starts_with("cannot list absent: "), "{said}");
}
