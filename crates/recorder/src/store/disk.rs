//! The claim: files in a folder, each change of which is on the disk when it is answered.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use nix::sys::statvfs::statvfs;

/// The few things that are ever done with files. Paths are relative, with `/` between a folder and a name.
pub(crate) trait Disk {
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;
    /// The names in a folder, in order; none when there is no folder.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Makes a file as long as this, unless it is or does not exist.
    fn truncate(&self, path: &str, length: u64) -> io::Result<()>;
    fn append(&self, path: &str, bytes: &[u8]) -> io::Result<()>;
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()>;
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Also when it is not there.
    fn remove(&self, path: &str) -> io::Result<()>;
    fn free(&self) -> Option<u64>;
}

/// A folder that nobody else writes to.
pub(crate) struct Folder {
    root: PathBuf,
    /// Held while this is there: two writers would tear each other's lines.
    _lock: File,
}

impl Folder {
    /// # Errors
    /// When it cannot be written to, or another recorder does.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        for folder in [super::RESULTS, super::EVIDENCE] {
            fs::create_dir_all(root.join(folder))?;
        }
        let lock = File::create(root.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::other("another recorder writes to it: it goes on when that has ended")
            }
            TryLockError::Error(error) => error,
        })?;
        Ok(Self {
            root: root.to_owned(),
            _lock: lock,
        })
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A name is on the disk when its folder is.
    fn sync_folder(&self, path: &str) -> io::Result<()> {
        let path = self.path(path);
        File::open(path.parent().unwrap_or(&self.root))?.sync_all()
    }
}

impl Disk for Folder {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(path))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(folder))? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn truncate(&self, path: &str, length: u64) -> io::Result<()> {
        let file = match OpenOptions::new().write(true).open(self.path(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if file.metadata()?.len() != length {
            file.set_len(length)?;
            file.sync_all()?;
        }
        Ok(())
    }

    fn append(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let place = self.path(path);
        let is_new = !place.exists();
        let mut file = OpenOptions::new().append(true).create(true).open(place)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        if is_new {
            self.sync_folder(path)?;
        }
        Ok(())
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(self.path(path))?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))?;
        self.sync_folder(to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.path(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn free(&self) -> Option<u64> {
        let found = statvfs(&self.root).ok()?;
        Some(found.blocks_available() * found.fragment_size())
    }
}
