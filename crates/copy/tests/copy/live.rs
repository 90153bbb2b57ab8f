//! A directory that moves while it is sent: the copy is made, and what moved is named.

use std::fs::{self, File};
use std::io::{self, Write};

use longrun_copy::{Copied, How, send};

use crate::tree::{Place, noise};

/// A stream at whose frame something happens to the directory.
struct Meddler<F> {
    stream: Vec<u8>,
    at: u8,
    meddle: Option<F>,
}

impl<F: FnOnce()> Write for Meddler<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Its highest bit says that the frame is compressed.
        if bytes[0] & 0x7f == self.at
            && let Some(meddle) = self.meddle.take()
        {
            meddle();
        }
        self.stream.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Copies `a`, `b` and `c` of three frames each, of which something happens when the manifest is out (`C`) or the
/// first data is (`D`).
fn copy_while(at: u8, meddle: impl FnOnce(&Place)) -> (Place, Copied) {
    let place = Place::new();
    for name in ["a", "b", "c"] {
        fs::write(place.from().join(name), noise(3 << 20)).unwrap();
    }
    let mut meddler = Meddler {
        stream: Vec::new(),
        at,
        meddle: Some(|| meddle(&place)),
    };
    let sent = send(&place.from(), io::empty(), &mut meddler).unwrap();
    let stream = meddler.stream;
    let copied = place.receive(&stream[..]).unwrap();
    assert_eq!(sent.consistent, copied.consistent);
    (place, copied)
}

fn named(copied: &Copied) -> Vec<String> {
    copied.changes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_directory_that_stands_still_is_consistent() {
    let (place, copied) = copy_while(b'D', |_| {});
    assert!(copied.consistent);
    place.is_copied();
}

#[test]
fn a_file_that_grows_is_copied_as_far_as_it_was_listed() {
    let (place, copied) = copy_while(b'D', |place| {
        let mut file = File::options()
            .append(true)
            .open(place.from().join("a"))
            .unwrap();
        file.write_all(b"more").unwrap();
    });
    assert_eq!(named(&copied), ["changed: a"]);
    assert!(!copied.consistent);
    assert_eq!(fs::read(place.to().join("a")).unwrap(), noise(3 << 20));
    let text = fs::read_to_string(&copied.manifest).unwrap();
    assert!(text.contains(r#""consistent": false"#), "{text}");
}

#[test]
fn a_file_that_is_cut_is_copied_as_far_as_it_goes() {
    let (place, copied) = copy_while(b'D', |place| {
        let file = File::options()
            .write(true)
            .open(place.from().join("a"))
            .unwrap();
        file.set_len((1 << 20) + 7).unwrap();
    });
    assert_eq!(named(&copied), ["changed: a"]);
    let size = fs::metadata(place.to().join("a")).unwrap().len();
    assert_eq!(size, (1 << 20) + 7);
    assert_eq!(copied.bytes, (7 << 20) + 7);
}

#[test]
fn what_goes_and_comes_is_named() {
    let (place, copied) = copy_while(b'C', |place| {
        fs::remove_file(place.from().join("b")).unwrap();
        fs::write(place.from().join("d"), "new").unwrap();
    });
    assert_eq!(named(&copied), ["gone: b", "new: d"]);
    assert_eq!(copied.files, 2);
    assert!(!place.to().join("b").exists());
    let text = fs::read_to_string(&copied.manifest).unwrap();
    assert!(!text.contains(r#""path": "b""#) || copied.changes[0].how == How::Gone);
}

#[test]
fn a_file_that_was_replaced_by_one_of_the_same_size_is_named() {
    let (_, copied) = copy_while(b'D', |place| {
        let other = place.from().join("c.new");
        fs::write(&other, noise(3 << 20)).unwrap();
        fs::rename(other, place.from().join("c")).unwrap();
    });
    assert_eq!(named(&copied), ["changed: c"]);
}

#[test]
fn a_file_that_is_now_a_link_is_not_followed() {
    let (place, copied) = copy_while(b'C', |place| {
        fs::remove_file(place.from().join("b")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.from().join("b")).unwrap();
    });
    assert_eq!(named(&copied), ["changed: b"]);
    assert!(!place.to().join("b").exists());
}
