//! SQL over the node's invocations and state.

use crate::admin::Admin;
use crate::error::Error;
use crate::http::Call;
use serde::Deserialize;
use serde::de::DeserializeOwned;

impl Admin {
    /// The rows of a query. Restate leaves out columns that are null: make them `Option`.
    ///
    /// # Errors
    /// A query that the node cannot plan is [`Error::Answered`] with its explanation.
    pub async fn query<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, Error> {
        #[derive(Deserialize)]
        struct Rows<T> {
            rows: Vec<T>,
        }
        let body = serde_json::json!({ "query": sql }).to_string().into_bytes();
        let answer = Call::post(&self.origin, "/query", body, self.within)
            .send()
            .await?;
        answer.json().map(|Rows { rows }| rows)
    }
}

/// A text as an SQL literal.
#[must_use]
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The query for one value of the state of every object of a service whose key ends with a `-` and this. Its
/// rows have `service_key`, and in `value_utf8` the value as it was written.
#[must_use]
pub fn state_of(service: &str, value: &str, key: &str) -> String {
    let suffix = format!("-{key}");
    format!(
        "select service_key, value_utf8 from state where service_name = {} and key = {} \
         and right(service_key, {}) = {}",
        quote(service),
        quote(value),
        suffix.chars().count(),
        quote(&suffix)
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_quote_in_a_text_does_not_end_the_literal() {
        assert_eq!(super::quote("o'clock"), "'o''clock'");
    }
}
