//! A directory of 220 MB through a pipe, packed, hashed twice and synced; and through `tar`, which does none of it.
//!
//! `fresh` is what Restate has after its first minutes: logs that are allocated and hardly written, tables and text.
//! `tables` is an old database: what is in it does not pack.

#![expect(clippy::expect_used, reason = "a bench fails by panicking")]

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use divan::Bencher;
use divan::counter::BytesCount;
use longrun_copy::{Destination, send};
use tempfile::TempDir;

fn main() {
    divan::main();
}

const SIZE: u64 = 220_000_000;
const DIRECTORIES: [&str; 2] = ["fresh", "tables"];

fn make(kind: &str) -> TempDir {
    let room = tempfile::tempdir().expect("a temporary directory");
    let from = room.path().join("from");
    fs::create_dir(&from).expect("made");
    match kind {
        "fresh" => fresh(&from),
        _ => tables(&from),
    }
    room
}

fn fresh(from: &Path) {
    let mut left = SIZE;
    for number in 0..60 {
        let directory = from.join(["db", "log-store", "replicated-metadata-server"][number % 3]);
        fs::create_dir_all(&directory).expect("made");
        let table = noise(number as u64, 20_000);
        left -= table.len() as u64;
        fs::write(directory.join(format!("{number:06}.sst")), table).expect("written");
        let options = "  max_background_jobs=2\n  write_buffer_size=67108864\n".repeat(2000);
        left -= options.len() as u64;
        fs::write(directory.join(format!("OPTIONS-{number:06}")), options).expect("written");
    }
    for number in 0..4 {
        let log = File::create(from.join(format!("db/{number:06}.log"))).expect("made");
        let written = noise(number, 4_000_000);
        log.write_all_at(&written, 0).expect("written");
        log.set_len(left / 4).expect("set");
    }
}

fn tables(from: &Path) {
    for number in 0..10 {
        let table = noise(number, SIZE as usize / 10);
        fs::write(from.join(format!("{number:06}.sst")), table).expect("written");
    }
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next)
        .flatten()
        .take(length)
        .collect()
}

#[divan::bench(args = DIRECTORIES, sample_count = 10)]
fn copy(bencher: Bencher<'_, '_>, kind: &str) {
    let room = make(kind);
    let (from, to) = (room.path().join("from"), room.path().join("to"));
    bencher.counter(BytesCount::new(SIZE)).bench_local(|| {
        let _ = fs::remove_dir_all(&to);
        let (stream, mut sender) = io::pipe().expect("a pipe");
        std::thread::scope(|scope| {
            scope.spawn(|| send(&from, io::empty(), &mut sender).map(|_| drop(sender)));
            let destination = Destination::new(&to, "bench").expect("free");
            destination
                .receive(io::sink(), stream, |_| {})
                .expect("copied")
        })
    });
}

/// What `kubectl cp` does, without its connection.
#[divan::bench(args = DIRECTORIES, sample_count = 10)]
fn tar(bencher: Bencher<'_, '_>, kind: &str) {
    let room = make(kind);
    let (from, to) = (room.path().join("from"), room.path().join("to"));
    bencher.counter(BytesCount::new(SIZE)).bench_local(|| {
        let _ = fs::remove_dir_all(&to);
        fs::create_dir(&to).expect("made");
        let mut pack = Command::new("tar")
            .args(["cf", "-", "."])
            .current_dir(&from)
            .stdout(Stdio::piped())
            .spawn()
            .expect("tar");
        let unpacked = Command::new("tar")
            .args(["xf", "-"])
            .current_dir(&to)
            .stdin(pack.stdout.take().expect("piped"))
            .status();
        assert!(unpacked.expect("tar").success());
        assert!(pack.wait().expect("tar").success());
    });
}

/// The sender alone: what a pod does, and how many bytes the connection carries.
#[divan::bench(args = DIRECTORIES, sample_count = 10)]
fn sender(bencher: Bencher<'_, '_>, kind: &str) {
    let room = make(kind);
    let from = room.path().join("from");
    let sent = send(&from, io::empty(), io::sink()).expect("sent");
    let mut err = io::stderr().lock();
    writeln!(err, "{kind}: {} bytes in the stream", sent.wire).expect("written");
    bencher
        .counter(BytesCount::new(SIZE))
        .bench_local(|| send(&from, io::empty(), io::sink()));
}
