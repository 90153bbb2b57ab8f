//! When something recurs: the five fields of cron, always UTC. Checked here, because the API server
//! would refuse a bad one only when everything before it is applied.

use alloc::{format, string::String, vec::Vec};
use core::ops::RangeInclusive;

struct Field {
    name: &'static str,
    range: RangeInclusive<u8>,
    /// What may stand for the numbers, from the first of the range on.
    names: &'static [&'static str],
}

/// Kubernetes 1.36 parses schedules with robfig/cron v3, "standard": Sunday is 0 and never 7.
const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        range: 0..=59,
        names: &[],
    },
    Field {
        name: "hour",
        range: 0..=23,
        names: &[],
    },
    Field {
        name: "day of the month",
        range: 1..=31,
        names: &[],
    },
    Field {
        name: "month",
        range: 1..=12,
        names: &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ],
    },
    Field {
        name: "day of the week",
        range: 0..=6,
        names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    },
];

const HINT: &str = "minute, hour, day of the month, month and day of the week, for example `* * * * *` for every minute";

/// What is wrong with a schedule and, on a second line, what would be right.
pub(crate) fn five_fields(text: &str) -> Result<(), String> {
    let count = text.split_ascii_whitespace().count();
    if count != FIELDS.len() {
        return Err(format!(
            "`{text}` is not a schedule: it has {count} fields, not 5\n{HINT}"
        ));
    }
    for (field, text_of_field) in FIELDS.iter().zip(text.split_ascii_whitespace()) {
        if !text_of_field.split(',').all(|item| field.accepts(item)) {
            let Field { name, range, .. } = field;
            return Err(format!(
                "`{text}` is not a schedule: `{text_of_field}` is not a {name}\n{HINT}; a {name} is a number from {} to {}, a range `a-b`, a list `a,b` or `*`, each with an optional step `/n`",
                range.start(),
                range.end(),
            ));
        }
    }
    Ok(())
}

/// The longest pause between two times in minutes, of a schedule of which only the minute is restricted.
pub(crate) fn longest_pause(schedule: &str) -> Option<u64> {
    let mut fields = schedule.split_ascii_whitespace();
    let minutes = fields.next()?;
    if fields.any(|field| field != "*") {
        return None;
    }
    let due = |minute: &u8| {
        minutes
            .split(',')
            .any(|item| FIELDS[0].includes(item, *minute))
    };
    let times: Vec<u64> = (0..60).filter(due).map(u64::from).collect();
    let next_hour = times.first()? + 60;
    let after = times.iter().skip(1).chain([&next_hour]);
    times.iter().zip(after).map(|(one, next)| next - one).max()
}

impl Field {
    fn includes(&self, item: &str, number: u8) -> bool {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let last = *self.range.end();
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (Some(*self.range.start()), Some(last)),
            Some((from, to)) => (self.number(from), self.number(to)),
            // With a step, a number is the first one of the rest.
            None if item.contains('/') => (self.number(range), Some(last)),
            None => (self.number(range), self.number(range)),
        };
        match (from, to, digits(step)) {
            (Some(from), Some(to), Some(step @ 1..)) => {
                (from..=to).contains(&number) && (number - from).is_multiple_of(step)
            }
            _ => false,
        }
    }

    fn accepts(&self, item: &str) -> bool {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let step = step.is_none_or(|step| digits(step).is_some_and(|step| step > 0));
        let range = match range.split_once('-') {
            _ if range == "*" => true,
            None => self.number(range).is_some(),
            Some((from, to)) => {
                matches!((self.number(from), self.number(to)), (Some(from), Some(to)) if from <= to)
            }
        };
        step && range
    }

    fn number(&self, text: &str) -> Option<u8> {
        let named = self
            .names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text));
        let number = match named {
            Some(index) => self.range.start() + u8::try_from(index).ok()?,
            None => digits(text)?,
        };
        self.range.contains(&number).then_some(number)
    }
}

fn digits(text: &str) -> Option<u8> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_kubernetes_accepts() {
        for schedule in [
            "* * * * *",
            "*/5 0-6 1,15 * MON-FRI",
            "59 23 31 12 6",
            "0/15 * * jan *",
            "5,35 * * * *",
            "0  0 * * 0",
            "* * * * SUN-SAT",
        ] {
            assert_eq!(five_fields(schedule), Ok(()), "{schedule}");
        }
    }

    #[test]
    fn pauses_are_known_where_only_minutes_are_restricted() {
        let table = [
            ("* * * * *", Some(1)),
            ("*/5 * * * *", Some(5)),
            ("*/25 * * * *", Some(25)),
            ("0,10-20,50 * * * *", Some(30)),
            ("7/20 * * * *", Some(20)),
            ("10-30/10 * * * *", Some(40)),
            ("3 * * * *", Some(60)),
            ("* 3 * * *", None),
            ("* * * * MON", None),
        ];
        for (schedule, pause) in table {
            assert_eq!(longest_pause(schedule), pause, "{schedule}");
        }
    }

    #[test]
    fn refuses_what_kubernetes_refuses() {
        for schedule in [
            "",
            "every minute",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "*/0 * * * *",
            "5-1 * * * *",
            "1, * * * *",
            "-1 * * * *",
            "+1 * * * *",
            "@hourly",
            "1//2 * * * *",
        ] {
            assert!(five_fields(schedule).is_err(), "{schedule}");
        }
    }
}
