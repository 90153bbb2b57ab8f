//! At which minute of the hour each fault of an environment begins, and at which second of it.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use serde_json::{Value, json};

use crate::object::Digest;

/// Faults begin at a second of their minute before this one. Tests begin at second 0, and would always meet a
/// fault at the same point otherwise.
pub const JITTER: u32 = 45;

const HOUR: u32 = 60;

/// More faults than fit into an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// How many there are.
    pub faults: u32,
    /// How many minutes are to be between two.
    pub spacing: u32,
}

impl Overlap {
    /// How many would fit.
    #[must_use]
    pub fn fit(self) -> u32 {
        HOUR / self.spacing.max(1)
    }

    /// How many minutes there are for each.
    #[must_use]
    pub fn room(self) -> u32 {
        HOUR / self.faults.max(1)
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { faults, spacing } = self;
        write!(
            f,
            "{faults} faults {spacing} minutes apart take {} minutes, and the hour has 60: two would overlap",
            faults.saturating_mul(*spacing)
        )
    }
}

/// By what a fault chooses among several targets: another number for each Job that injects one.
#[must_use]
pub fn seed(environment: &str, job: &str) -> u64 {
    number(&json!([environment, job])).into()
}

/// The minutes of the hour at which so many faults begin, at least `spacing` minutes apart, also over the hour:
/// evenly over all of it.
///
/// # Errors
/// When they do not fit.
pub fn minutes(faults: u32, spacing: u32) -> Result<Vec<u32>, Overlap> {
    if faults.saturating_mul(spacing.max(1)) > HOUR {
        return Err(Overlap { faults, spacing });
    }
    Ok((0..faults).map(|index| index * HOUR / faults).collect())
}

/// How many seconds into its minute a fault begins. Known beforehand, and another one each hour.
#[must_use]
pub fn jitter(environment: &str, fault: &str, minute: u64) -> u32 {
    number(&json!([environment, fault, minute])) % JITTER
}

fn number(of: &Value) -> u32 {
    u32::from_str_radix(&Digest::of(of).short()[..7], 16).unwrap_or(0)
}

/// The five fields of cron for a minute of every hour.
#[must_use]
pub(crate) fn hourly(minute: u32) -> String {
    format!("{minute} * * * *")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Gaps are counted on a circle of 60 by subtraction alone, not as the rotation divides.
        #[test]
        fn each_happens_once_an_hour_and_no_two_overlap(faults in 0..90_u32, spacing in 1..70_u32) {
            match minutes(faults, spacing) {
                Ok(minutes) => {
                    prop_assert_eq!(minutes.len(), faults as usize);
                    for (index, minute) in minutes.iter().enumerate() {
                        prop_assert!(*minute < 60);
                        for other in &minutes[index + 1..] {
                            let apart = other.abs_diff(*minute);
                            prop_assert!(apart >= spacing && 60 - apart >= spacing, "{:?}", minutes);
                        }
                    }
                }
                // Nobody could have done better: that many gaps are longer than the hour.
                Err(_) => prop_assert!((0..faults).map(|_| spacing).sum::<u32>() > 60),
            }
        }

        #[test]
        fn the_second_is_within_the_jitter(environment in "[a-z]{1,9}", fault in "[a-z-]{1,9}", minute in any::<u64>()) {
            prop_assert!(jitter(&environment, &fault, minute) < JITTER);
        }
    }

    #[test]
    fn the_second_moves_from_hour_to_hour() {
        let seconds =
            (0..48).map(|hour| jitter("restate-chaos", "kill-restate", 29_925_540 + 60 * hour));
        let different: alloc::collections::BTreeSet<u32> = seconds.collect();
        assert!(different.len() > 20, "{different:?}");
    }
}
