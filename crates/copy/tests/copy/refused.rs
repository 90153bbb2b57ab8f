//! Destinations that are not taken: nothing is changed.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use longrun_copy::{Destination, Refusal};

use crate::tree::{Place, look};

/// The refusal of a destination, which changes nothing in the room.
fn refused(place: &Place, path: &Path) -> Refusal {
    let before = look(place.room.path());
    let refusal = Destination::new(path, "dev/restate/snapshot-1").unwrap_err();
    assert_eq!(look(place.room.path()), before);
    refusal
}

/// An unfinished copy.
fn unfinished() -> Place {
    let place = Place::new();
    fs::write(place.from().join("file"), "x").unwrap();
    let stream = place.stream();
    place.receive(&stream[..stream.len() - 1]).unwrap_err();
    assert!(place.partial().join("file").exists());
    place
}

#[test]
fn what_is_there_is_not_overwritten() {
    let place = Place::new();
    fs::create_dir(place.to()).unwrap();
    fs::write(place.to().join("mine"), "x").unwrap();
    let refusal = refused(&place, &place.to());
    assert!(matches!(refusal, Refusal::NotEmpty(_)), "{refusal}");
    let expected = format!(
        "{} is not empty, and a copy overwrites nothing: choose another destination, or move it away",
        place.to().display()
    );
    assert_eq!(refusal.to_string(), expected);
}

#[test]
fn a_file_or_a_link_is_no_destination() {
    let place = Place::new();
    fs::write(place.room.path().join("file"), "x").unwrap();
    symlink(place.from(), place.room.path().join("link")).unwrap();
    symlink("nowhere", place.room.path().join("dangling")).unwrap();
    for name in ["file", "link", "dangling"] {
        let refusal = refused(&place, &place.room.path().join(name));
        assert!(matches!(refusal, Refusal::Occupied(_)), "{name}: {refusal}");
    }
}

#[test]
fn a_destination_has_a_name() {
    let place = Place::new();
    for path in ["/", "..", "a/.."] {
        let refusal = refused(&place, Path::new(path));
        assert!(matches!(refusal, Refusal::NoName(_)), "{path}: {refusal}");
    }
}

#[test]
fn a_partial_directory_of_somebody_else_is_left_alone() {
    let place = Place::new();
    fs::create_dir(place.partial()).unwrap();
    fs::write(place.partial().join("mine"), "x").unwrap();
    let refusal = refused(&place, &place.to());
    assert!(matches!(refusal, Refusal::NotOurs(_)), "{refusal}");
    fs::write(place.room.path().join("to.partial.manifest"), "not ours").unwrap();
    let refusal = refused(&place, &place.to());
    assert!(matches!(refusal, Refusal::NotOurs(_)), "{refusal}");
}

#[test]
fn a_partial_directory_that_is_a_link_is_not_followed() {
    let place = unfinished();
    let elsewhere = place.room.path().join("elsewhere");
    fs::rename(place.partial(), &elsewhere).unwrap();
    symlink(&elsewhere, place.partial()).unwrap();
    let refusal = refused(&place, &place.to());
    assert!(matches!(refusal, Refusal::NotOurs(_)), "{refusal}");
}

#[test]
fn the_unfinished_copy_of_something_else_is_kept() {
    let place = unfinished();
    let refusal = refused(&place, &place.to());
    let expected = format!(
        "{} is the unfinished copy of a directory, not of dev/restate/snapshot-1: \
         choose another destination, finish that copy, or delete it",
        place.partial().display()
    );
    assert_eq!(refusal.to_string(), expected);
    place.copy().unwrap();
    place.is_copied();
}

#[test]
fn two_commands_do_not_write_one_copy() {
    let place = unfinished();
    let destination = Destination::new(&place.to(), "a directory").unwrap();
    let other = fs::File::open(place.partial()).unwrap();
    other.lock().unwrap();
    let before = look(place.room.path());
    let refused = destination.receive(io::sink(), io::empty(), |_| {});
    let error = refused.unwrap_err().to_string();
    assert!(error.starts_with("another command is writing"), "{error}");
    assert_eq!(look(place.room.path()), before);
    drop(other);
    place.copy().unwrap();
    place.is_copied();
}

#[test]
fn what_came_there_since_it_was_looked_at_is_not_overwritten() {
    let place = Place::new();
    let stream = place.stream();
    let destination = Destination::new(&place.to(), "a directory").unwrap();
    fs::create_dir(place.to()).unwrap();
    fs::write(place.to().join("mine"), "x").unwrap();
    let before = look(place.room.path());
    destination
        .receive(io::sink(), &stream[..], |_| {})
        .unwrap_err();
    assert_eq!(look(place.room.path()), before);
}
