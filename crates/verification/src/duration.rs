//! Durations as manifests and people write them: `500ms`, `90s`, `10m`, `3h`, `1d`.

use jiff::{Span, SpanRelativeTo};
use std::time::Duration;

/// Parses a duration.
///
/// # Errors
/// When it is none, or is negative.
pub fn parse(text: &str) -> Result<Duration, jiff::Error> {
    let span: Span = text.parse()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours())?
        .try_into()
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::time::Duration;

    #[test]
    fn a_duration_is_read_as_manifests_have_it() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("90s", 90_000),
            ("10m", 600_000),
            ("3h", 10_800_000),
            ("1d", 86_400_000),
        ] {
            let read = parse(text).expect(text);
            assert_eq!(read, Duration::from_millis(milliseconds), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "10", "m", "-1s", "1 month", "99999999999999999999s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
