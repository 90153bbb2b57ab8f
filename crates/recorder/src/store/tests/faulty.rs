//! A disk on which things go wrong.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io,
    rc::Rc,
};

use tempfile::TempDir;

use super::{Disk, Folder};

/// Clones are one disk.
#[derive(Clone)]
pub(super) struct Faulty {
    folder: Rc<Folder>,
    /// After so many writes its writer is dead: the next is half done, and none after it.
    lives: Rc<Cell<Option<usize>>>,
    /// How many bytes fit in all.
    pub(super) room: Rc<Cell<u64>>,
    pub(super) sizes: Rc<RefCell<BTreeMap<String, u64>>>,
}

impl Faulty {
    pub(super) fn new(root: &TempDir) -> Self {
        Self {
            folder: Rc::new(Folder::open(root.path()).unwrap()),
            lives: Rc::new(Cell::new(None)),
            room: Rc::new(Cell::new(u64::MAX)),
            sizes: Rc::default(),
        }
    }

    pub(super) fn dies_after(&self, writes: usize) {
        self.lives.set(Some(writes));
    }

    /// Whether the next write is done: all of it, half of it, or nothing of it.
    fn next(&self) -> Result<bool, io::Error> {
        match self.lives.get() {
            None => Ok(true),
            Some(0) => {
                self.lives.set(Some(usize::MAX));
                Ok(false)
            }
            Some(usize::MAX) => Err(io::Error::other("killed")),
            Some(lives) => {
                self.lives.set(Some(lives - 1));
                Ok(true)
            }
        }
    }

    fn put(
        &self,
        path: &str,
        bytes: &[u8],
        before: u64,
        write: impl Fn(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        if !self.next()? {
            write(&bytes[..bytes.len() / 2])?;
            return Err(io::Error::other("killed"));
        }
        let others: u64 = {
            let sizes = self.sizes.borrow();
            let others = sizes.iter().filter(|(other, _)| *other != path);
            others.map(|(_, size)| size).sum()
        };
        let left = self.room.get().saturating_sub(others + before);
        let fits = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        write(&bytes[..fits])?;
        let size = before + fits as u64;
        self.sizes.borrow_mut().insert(path.to_owned(), size);
        if fits < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Disk for Faulty {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.folder.read(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.folder.list(folder)
    }

    fn truncate(&self, path: &str, length: u64) -> io::Result<()> {
        if !self.next()? {
            return Err(io::Error::other("killed"));
        }
        if let Some(size) = self.sizes.borrow_mut().get_mut(path) {
            *size = length;
        }
        self.folder.truncate(path, length)
    }

    fn append(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let before = self.sizes.borrow().get(path).copied().unwrap_or(0);
        self.put(path, bytes, before, |bytes| self.folder.append(path, bytes))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(path, bytes, 0, |bytes| self.folder.write(path, bytes))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        if !self.next()? {
            return Err(io::Error::other("killed"));
        }
        let size = self.sizes.borrow_mut().remove(from).unwrap_or(0);
        self.sizes.borrow_mut().insert(to.to_owned(), size);
        self.folder.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        if !self.next()? {
            return Err(io::Error::other("killed"));
        }
        self.sizes.borrow_mut().remove(path);
        self.folder.remove(path)
    }

    fn free(&self) -> Option<u64> {
        None
    }
}
