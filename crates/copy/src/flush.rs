//! Files that are whole go to the disk while the next ones come.

use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::error::Failed;

/// How many files wait for it, each of them open.
const OPEN: usize = 64;

/// A thread that waits for the disk. Dropped, it ends by itself.
pub(crate) struct Flush {
    files: SyncSender<(PathBuf, File)>,
    thread: JoinHandle<Result<(), Failed>>,
}

impl Flush {
    pub(crate) fn start() -> Self {
        let (files, whole) = sync_channel::<(PathBuf, File)>(OPEN);
        let thread = std::thread::spawn(move || {
            whole.iter().try_for_each(|(path, file)| {
                file.sync_data()
                    .map_err(|error| Failed::new("sync", &path, error))
            })
        });
        Self { files, thread }
    }

    /// The content of this file is there.
    pub(crate) fn begin(&self, path: PathBuf, file: File) {
        // A thread that has failed says so at the end.
        let _ = self.files.send((path, file));
    }

    /// Waits until all is on the disk.
    pub(crate) fn end(self) -> Result<(), Failed> {
        drop(self.files);
        match self.thread.join() {
            Ok(synced) => synced,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
