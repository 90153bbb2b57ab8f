//! When something recurs, in the five fields of cron.

use super::text::text_type;
use crate::schedule::five_fields;

text_type! {
    /// A recurring time in UTC, in the five fields of cron: minute, hour, day of the month, month, day
    /// of the week.
    Schedule, check: five_fields, pattern: "^\\S+( +\\S+){4}$", example: "*/5 * * * *"
}
