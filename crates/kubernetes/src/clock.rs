//! The one place of this crate where a clock is read, this machine's or, from its answers, the API server's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderValue, header::DATE};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimeParser};
use tokio::time::Instant;

/// The present time.
pub(crate) fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The API server's clock, by which every time in an object is written. What happened before a step and
/// what after it is told by this one: a laptop that is late would take an old test for a new one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerClock {
    /// Seconds that it is ahead of this machine's.
    ahead: Arc<AtomicI64>,
}

/// Answers take their time and tell whole seconds: less than this is no difference between clocks.
const NOTICED: u64 = 3;

impl ServerClock {
    /// Takes the time from an answer (RFC 9110: `Date`).
    pub(crate) fn hear(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).map(HeaderValue::as_bytes);
        let date = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
        if let Some(date) = date {
            let ahead = date.as_second() - now().as_second();
            let noticed = ahead.unsigned_abs() >= NOTICED;
            let ahead = if noticed { ahead } else { 0 };
            self.ahead.store(ahead, Ordering::Relaxed);
        }
    }

    /// The present time.
    pub(crate) fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.ahead.load(Ordering::Relaxed));
        now().saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ahead: i64) -> SignedDuration {
        let clock = ServerClock::default();
        let date = now() + SignedDuration::from_secs(ahead);
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let headers = [(DATE, date.parse().unwrap())].into_iter().collect();
        clock.hear(&headers);
        clock.now().duration_since(now())
    }

    #[test]
    fn a_clock_that_differs_is_followed() {
        for ahead in [-3600, -40, 40, 3600] {
            let off = (told(ahead).as_secs() - ahead).abs();
            assert!(off <= 1, "{ahead}: {off}");
        }
    }

    #[test]
    fn whole_seconds_and_slow_answers_are_no_difference() {
        assert_eq!(told(1).as_secs(), 0);
        assert_eq!(told(-1).as_secs(), 0);
    }

    #[test]
    fn without_a_date_the_own_clock_counts() {
        let clock = ServerClock::default();
        clock.hear(&HeaderMap::new());
        assert!(clock.now().duration_since(now()).as_secs() == 0);
    }
}
