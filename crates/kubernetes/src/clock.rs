//! The one place of this crate where a clock is read.

use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

/// The present time.
pub(crate) fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A moment from which elapsed time is measured, sleep of the machine included: the monotonic clock
/// stands still while a laptop is closed, and the other one can be set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// The longer of what the two clocks say: whoever must not act too late is safe with it.
    pub(crate) fn at_most_ago(&self) -> Duration {
        let monotonic = self.monotonic.elapsed();
        monotonic.max(self.wall.elapsed().unwrap_or(monotonic))
    }

    /// What the monotonic clock says: whoever must not act too early is safe with it.
    pub(crate) fn at_least_ago(&self) -> Duration {
        self.monotonic.elapsed()
    }
}
