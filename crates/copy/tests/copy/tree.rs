//! Directories to copy, and what can be seen of one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use longrun_copy::{Copied, Destination, Error, send};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use tempfile::TempDir;

/// A thing in a directory.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Directory(u32, BTreeMap<Vec<u8>, Node>),
    File(u32, Vec<Part>),
    Link(Vec<u8>),
}

/// A stretch of a file.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Data(Vec<u8>),
    Hole(u64),
}

/// Any directory: names of any bytes, files with holes, modes that its owner can read.
pub(crate) fn any_tree() -> impl Strategy<Value = BTreeMap<Vec<u8>, Node>> {
    let part = prop_oneof![
        vec(any::<u8>(), 0..5000).prop_map(Part::Data),
        (1_u64..9, 0_u64..2).prop_map(|(blocks, odd)| Part::Hole(blocks * 4096 + odd)),
    ];
    let leaf = prop_oneof![
        4 => (0_u32..0o1000, vec(part, 0..4)).prop_map(|(mode, parts)| Node::File(mode | 0o400, parts)),
        1 => vec(1_u8.., 1..20).prop_map(Node::Link),
    ];
    let node = leaf.prop_recursive(3, 16, 5, |inner| {
        let directory = btree_map(name(), inner, 0..5);
        (0_u32..0o1000, directory).prop_map(|(mode, below)| Node::Directory(mode | 0o700, below))
    });
    btree_map(name(), node, 0..6)
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let plain = prop_oneof!["[a-c]", "[a-c.\\-]{1,3}", "\\PC{1,5}"].prop_map(String::into_bytes);
    prop_oneof![4 => plain, 1 => vec(1_u8.., 1..6)].prop_filter("a name", |name| {
        !name.contains(&b'/') && name != b"." && name != b".."
    })
}

/// A directory to copy, and a place to copy it to.
pub(crate) struct Place {
    pub(crate) room: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let room = tempfile::tempdir().unwrap();
        fs::create_dir(room.path().join("from")).unwrap();
        Self { room }
    }

    pub(crate) fn with(tree: &BTreeMap<Vec<u8>, Node>) -> Self {
        let place = Self::new();
        make(&place.from(), tree);
        place
    }

    pub(crate) fn from(&self) -> PathBuf {
        self.room.path().join("from")
    }

    pub(crate) fn to(&self) -> PathBuf {
        self.room.path().join("to")
    }

    pub(crate) fn partial(&self) -> PathBuf {
        self.room.path().join("to.partial")
    }

    /// What a sender writes to a receiver that has nothing.
    pub(crate) fn stream(&self) -> Vec<u8> {
        let mut stream = Vec::new();
        send(&self.from(), io::empty(), &mut stream).unwrap();
        stream
    }

    /// One run that gets just this stream.
    pub(crate) fn receive(&self, stream: impl Read) -> Result<Copied, Error> {
        let destination = Destination::new(&self.to(), "a directory")?;
        destination.receive(io::sink(), stream, |_| {})
    }

    /// One run with a sender that hears what is here.
    pub(crate) fn copy(&self) -> Result<Copied, Error> {
        let offers = Offers::default();
        let sender = Sender {
            directory: self.from(),
            offers: offers.clone(),
            stream: None,
        };
        Destination::new(&self.to(), "a directory")?.receive(offers, sender, |_| {})
    }

    /// That the copy is there, whole, and nothing else.
    pub(crate) fn is_copied(&self) {
        assert_eq!(look(&self.to()), look(&self.from()));
        let names: Vec<_> = look(self.room.path())
            .into_keys()
            .filter(|path| path.components().count() == 1)
            .collect();
        assert_eq!(names, ["from", "to", "to.manifest"].map(PathBuf::from));
    }
}

#[derive(Clone, Default)]
struct Offers(Rc<RefCell<Vec<u8>>>);

impl io::Write for Offers {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A sender that begins when it is first listened to.
struct Sender {
    directory: PathBuf,
    offers: Offers,
    stream: Option<io::Cursor<Vec<u8>>>,
}

impl Read for Sender {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stream = self.stream.get_or_insert_with(|| {
            let mut stream = Vec::new();
            // Why it failed is in the stream.
            let _ = send(&self.directory, &self.offers.0.borrow()[..], &mut stream);
            io::Cursor::new(stream)
        });
        stream.read(buffer)
    }
}

fn make(at: &Path, tree: &BTreeMap<Vec<u8>, Node>) {
    for (name, node) in tree {
        let path = at.join(OsString::from_vec(name.clone()));
        match node {
            Node::Directory(mode, below) => {
                fs::create_dir(&path).unwrap();
                make(&path, below);
                chmod(&path, *mode);
            }
            Node::File(mode, parts) => {
                file(&path, parts);
                chmod(&path, *mode);
            }
            Node::Link(target) => symlink(OsString::from_vec(target.clone()), &path).unwrap(),
        }
    }
}

pub(crate) fn file(path: &Path, parts: &[Part]) {
    let file = File::create(path).unwrap();
    let mut position = 0;
    for part in parts {
        match part {
            Part::Data(data) => {
                file.write_all_at(data, position).unwrap();
                position += data.len() as u64;
            }
            Part::Hole(length) => position += length,
        }
        file.set_len(position).unwrap();
    }
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Bytes that do not compress, the same each time.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
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

/// What can be seen of one thing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Directory(u32),
    File(u32, (i64, i64), Vec<u8>),
    Link(PathBuf),
    Other,
}

/// Everything below a directory.
pub(crate) fn look(top: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut seen = BTreeMap::new();
    let mut open = vec![top.to_owned()];
    while let Some(here) = open.pop() {
        for entry in fs::read_dir(&here).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let mode = metadata.mode() & 0o7777;
            let what = if metadata.is_dir() {
                open.push(path.clone());
                Seen::Directory(mode)
            } else if metadata.is_file() {
                let modified = (metadata.mtime(), metadata.mtime_nsec());
                Seen::File(mode, modified, fs::read(&path).unwrap())
            } else if metadata.is_symlink() {
                Seen::Link(fs::read_link(&path).unwrap())
            } else {
                Seen::Other
            };
            seen.insert(path.strip_prefix(top).unwrap().to_owned(), what);
        }
    }
    seen
}
