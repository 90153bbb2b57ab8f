//! The file that holds the volumes: sparse, with btrfs in it, whose snapshots
//! are points in time and cost no copy.

use std::fs::{self, File};
use std::path::Path;

use crate::command::run;
use crate::preflight::free_space;
use crate::{Error, files};

/// MiB that volumes may use together, where the disk has that much.
const LIMIT: u64 = 64 * 1024;
/// btrfs refuses to be smaller than about 110 MiB.
const LEAST: u64 = 1024;

/// Makes the file unless it is there. It takes space only as volumes fill.
pub(crate) fn prepare(image: &Path) -> Result<(), Error> {
    if image.exists() {
        return Ok(());
    }
    // Less than what is free, so that full volumes are told so by btrfs, which
    // could not write any more if the disk below it were full.
    let size = (free_space(image)? * 4 / 5).clamp(LEAST, LIMIT);
    let partial = files::beside(image, ".partial");
    files::remove(&partial)?;
    File::create(&partial)
        .and_then(|file| file.set_len(size * 1024 * 1024))
        .map_err(Error::file("create", &partial))?;
    run("mkfs.btrfs", &["--quiet".as_ref(), partial.as_os_str()])?;
    fs::rename(&partial, image).map_err(Error::file("create", image))
}

/// The loop devices that still use the file.
pub(crate) fn loop_devices(image: &Path) -> Result<Vec<String>, Error> {
    let list = run(
        "losetup",
        &[
            "--noheadings".as_ref(),
            "--output=NAME".as_ref(),
            "--associated".as_ref(),
            image.as_os_str(),
        ],
    )?;
    Ok(list.lines().map(|line| line.trim().to_owned()).collect())
}

/// Detaches a loop device; one that is still mounted is detached when it no
/// longer is.
pub(crate) fn detach(device: &str) {
    // It may have gone since it was listed.
    let _ = run("losetup", &["--detach", device]);
}
