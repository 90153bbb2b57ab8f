//! Addresses in which a time and a test are filled in.

use alloc::{
    format,
    string::{String, ToString},
};

use jiff::Timestamp;

use super::text::text_type;

text_type! {
    /// The address of a page about logs or metrics. `{from}` and `{to}` stand for the time of interest (RFC 3339,
    /// UTC), `{fromMillis}` and `{toMillis}` for the same in milliseconds since 1970, `{test_job}` for the test's
    /// Job and `{environment}` for its namespace.
    Link, check: link, pattern: "^https?://[^ ]+$",
    example: "https://grafana.example.com/d/tests?from={fromMillis}&to={toMillis}&var-job={test_job}"
}

/// What may stand between braces.
const PLACES: [&str; 6] = [
    "environment",
    "from",
    "fromMillis",
    "test_job",
    "to",
    "toMillis",
];

fn link(text: &str) -> Result<(), String> {
    let is_address = ["http://", "https://"].iter().any(|scheme| {
        let rest = text.strip_prefix(scheme);
        rest.is_some_and(|rest| !rest.is_empty())
    });
    if !is_address || text.contains(char::is_whitespace) {
        return Err(format!(
            "`{text}` is not an address\nhttps://…, without spaces, with {{from}}, {{to}} and {{test_job}} where they belong"
        ));
    }
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((place, after)) = after.split_once('}') else {
            return Err(format!("`{text}` has a {{ without its }}\nclose it"));
        };
        if !PLACES.contains(&place) {
            return Err(format!(
                "`{{{place}}}` is no placeholder\none of {{{}}}",
                PLACES.join("}, {")
            ));
        }
        rest = after;
    }
    Ok(())
}

impl Link {
    /// The address for a time, a test and an environment.
    #[must_use]
    pub fn filled(&self, from: Timestamp, to: Timestamp, job: &str, environment: &str) -> String {
        let values = [
            ("{from}", from.to_string()),
            ("{to}", to.to_string()),
            ("{fromMillis}", from.as_millisecond().to_string()),
            ("{toMillis}", to.as_millisecond().to_string()),
            ("{test_job}", job.to_string()),
            ("{environment}", environment.to_string()),
        ];
        let mut text = self.as_str().to_string();
        for (place, value) in values {
            text = text.replace(place, &value);
        }
        text
    }
}
