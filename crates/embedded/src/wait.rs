//! Waiting for what the kernel does in its own time.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Between two looks at something that nothing announces.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// Looks until `done` or until the time is over; true when it is done.
pub(crate) fn until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if done() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        sleep(PAUSE);
    }
}
