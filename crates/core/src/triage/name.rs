//! Which names are those of tests, and what a name says by itself.

use alloc::string::String;

use jiff::Timestamp;

/// How the Jobs of the test are called, before the minute.
const PREFIX: &str = "test-";

/// A name that is not of a test Job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a test Job: write `test-<minute since 1970>`, for example test-28114121; `discover`, pods and Jobs of operations are none"
)]
pub struct NoTest(pub String);

/// Why no Job of a name is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Its minute has not come.
    Future(Timestamp),
    /// Its minute was before the environment was made.
    Before(Timestamp),
    /// It was let go, deleted, or never made.
    Gone(Timestamp),
}

/// The minute that a test Job was scheduled for, which its name says (Kubernetes 1.36: the CronJob
/// controller's `getTimeHashInMinutes`).
///
/// # Errors
/// When it is not the name of a test.
pub fn minute(name: &str) -> Result<Timestamp, NoTest> {
    let no_test = || NoTest(name.into());
    let digits = name.strip_prefix(PREFIX).ok_or_else(no_test)?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits == "0" || !digits.starts_with('0');
    if !is_number || !canonical {
        return Err(no_test());
    }
    let minutes: i64 = digits.parse().map_err(|_| no_test())?;
    let seconds = minutes.checked_mul(60).ok_or_else(no_test)?;
    Timestamp::from_second(seconds).map_err(|_| no_test())
}

/// What the name of a Job that is not there says, with the present time and when the environment was made.
///
/// # Errors
/// When it is not the name of a test.
pub fn absence(name: &str, now: Timestamp, made: Option<Timestamp>) -> Result<Absence, NoTest> {
    let minute = minute(name)?;
    Ok(if minute > now {
        Absence::Future(minute)
    } else if made.is_some_and(|made| minute.as_second() + 60 <= made.as_second()) {
        Absence::Before(minute)
    } else {
        Absence::Gone(minute)
    })
}
