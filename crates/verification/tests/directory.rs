//! `send`, `compare` and `examine`, as a pod runs them.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use longrun_copy::Destination;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

fn verification() -> Command {
    Command::new(env!("CARGO_BIN_EXE_verification"))
}

/// A directory `one` with a file of 8 MiB that pipes do not hold.
fn room() -> TempDir {
    let room = tempfile::tempdir().unwrap();
    fs::create_dir_all(room.path().join("one/db")).unwrap();
    let table: Vec<u8> = (0..8_u32 << 18)
        .flat_map(|number| number.wrapping_mul(0x9e37_79b9).to_le_bytes())
        .collect();
    fs::write(room.path().join("one/db/table"), table).unwrap();
    room
}

fn sending(directory: &Path) -> Child {
    verification()
        .arg("send")
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_directory_is_sent_and_compared() {
    let room = room();
    let (one, other) = (room.path().join("one"), room.path().join("other"));
    let mut sender = sending(&one);
    let copied = Destination::new(&other, "one")
        .unwrap()
        .receive(
            sender.stdin.take().unwrap(),
            sender.stdout.take().unwrap(),
            |_| {},
        )
        .unwrap();
    assert_eq!(copied.bytes, 8 << 20);
    assert!(sender.wait().unwrap().success());

    let compared = || {
        verification()
            .arg("compare")
            .args([&one, &other])
            .output()
            .unwrap()
    };
    assert_eq!(said(&compared()), (Some(0), String::new()));
    fs::write(other.join("db/table"), "x").unwrap();
    let line = "db/table: size 8388608 and 1\n".to_owned();
    assert_eq!(said(&compared()), (Some(1), line));

    // Operations on the database go by the exit code, and not by the words.
    fs::remove_dir_all(&other).unwrap();
    fs::create_dir_all(other.join("lost+found")).unwrap();
    let line = "the copy is empty: nothing of the original is in it\n".to_owned();
    assert_eq!(said(&compared()), (Some(3), line));
    fs::remove_dir_all(&one).unwrap();
    fs::create_dir_all(&one).unwrap();
    assert_eq!(
        said(&compared()),
        (Some(0), String::new()),
        "nothing was there"
    );
    let examined = verification().arg("examine").arg(&one).output().unwrap();
    assert_eq!(said(&examined).0, Some(3));
}

fn said(output: &Output) -> (Option<i32>, String) {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), out)
}

/// A sender that has opened its door, and the address.
fn at_a_door(directory: &Path) -> (Child, SocketAddr) {
    // Whoever takes the port in between makes the sender fail, and the test with it.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let address = free.unwrap();
    let mut sender = verification()
        .arg("send")
        .arg(directory)
        .args(["--at", &address.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = sender.stdin.as_mut().unwrap();
    stdin.write_all(b"the secret\n").unwrap();
    let mut open = [0; 5];
    sender
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut open)
        .unwrap();
    assert_eq!(&open, b"open\n");
    (sender, address)
}

/// Asks for the stream; the first line of the answer, and what follows its head.
fn ask(address: SocketAddr, headers: &str) -> (String, impl Read + use<>) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n").unwrap();
    let mut answer = BufReader::new(stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        answer.read_until(b'\n', &mut head).unwrap();
    }
    let head = String::from_utf8(head).unwrap();
    (head.lines().next().unwrap().to_owned(), answer)
}

#[test]
fn a_directory_is_fetched_by_whoever_knows_the_secret_and_nobody_else() {
    let room = room();
    let (one, other) = (room.path().join("one"), room.path().join("other"));
    let (mut sender, address) = at_a_door(&one);
    for wrong in ["", "x-longrun-secret: the secre\r\n"] {
        let (line, mut rest) = ask(address, wrong);
        assert_eq!(line, "HTTP/1.1 403 Forbidden");
        let mut nothing = Vec::new();
        rest.read_to_end(&mut nothing).unwrap();
        assert_eq!(nothing, b"");
    }
    let (line, stream) = ask(address, "X-Longrun-Secret: the secret\r\n");
    assert_eq!(line, "HTTP/1.1 200 OK");
    let copied = Destination::new(&other, "one")
        .unwrap()
        .receive(sender.stdin.take().unwrap(), stream, |_| {})
        .unwrap();
    assert_eq!(copied.bytes, 8 << 20);
    assert!(sender.wait().unwrap().success());
}

#[test]
fn a_door_opens_for_nobody_without_a_secret() {
    let output = verification()
        .args(["send", ".", "--at", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(said(&output), (Some(1), String::new()));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("no secret came on stdin"), "{log}");
}

#[test]
fn a_database_is_told_from_what_is_none_and_the_reason_is_the_last_word() {
    let room = room();
    let one = room.path().join("one");
    let examined = || verification().arg("examine").arg(&one).output().unwrap();
    let (code, said_last) = said(&examined());
    assert_eq!(code, Some(1));
    assert!(
        said_last.starts_with("it has 1 files and no marker of Restate"),
        "{said_last}"
    );
    fs::write(one.join("db/.cluster-marker"), "{}").unwrap();
    let line = "db/.cluster-marker: 1 files with 8388608 bytes\n".to_owned();
    assert_eq!(said(&examined()), (Some(0), line));
}

#[test]
fn what_cannot_be_compared_is_not_the_same() {
    let room = room();
    let one = room.path().join("one");
    let output = verification()
        .arg("compare")
        .arg(&one)
        .arg("absent")
        .output()
        .unwrap();
    assert_eq!(said(&output), (Some(1), String::new()));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("cannot list absent"), "{log}");
}

#[test]
fn a_sender_whose_receiver_is_gone_ends() {
    let room = room();
    let mut sender = sending(&room.path().join("one"));
    drop(sender.stdin.take());
    drop(sender.stdout.take());
    assert_eq!(sender.wait().unwrap().code(), Some(1));
    let mut log = String::new();
    sender
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert!(log.contains("the stream broke: Broken pipe"), "{log}");
}

#[test]
fn a_sender_that_nobody_reads_ends_when_it_is_asked_to() {
    let room = room();
    let mut sender = sending(&room.path().join("one"));
    drop(sender.stdin.take());
    // Its first byte says that it is at work; the rest does not fit into the pipe.
    sender
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut [0])
        .unwrap();
    kill(Pid::from_raw(sender.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(sender.wait().unwrap().code(), Some(143));
}
