//! The ingress: calls of handlers from outside.

use crate::error::Error;
use crate::http::Call;
use crate::origin::Origin;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A client of a node's ingress (port 8080).
#[derive(Clone, Debug)]
pub struct Ingress {
    origin: Origin,
}

/// A handler of a virtual object.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// Name of the service.
    pub service: &'a str,
    /// Key of the object; any text.
    pub key: &'a str,
    /// Name of the handler.
    pub handler: &'a str,
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.service, self.key, self.handler)
    }
}

impl Ingress {
    /// A client; connects only when asked to.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self { origin }
    }

    /// Calls a handler and waits for its result. The request stays open across restarts of the
    /// service, not of the node.
    ///
    /// # Errors
    /// A terminal error of the handler is [`Error::Answered`] with `terminal`.
    pub async fn call<T: DeserializeOwned>(
        &self,
        object: Object<'_>,
        input: Option<&impl Serialize>,
        within: Duration,
    ) -> Result<T, Error> {
        let answer = Call::post(&self.origin, path_of(object, ""), body_of(input)?, within)
            .send()
            .await?;
        // A handler without a result answers with no body.
        let body: &[u8] = if answer.body.is_empty() {
            b"null"
        } else {
            &answer.body
        };
        serde_json::from_slice(body).map_err(|source| answer.unexpected(source))
    }

    /// Calls a handler without waiting for it: returns the id of the invocation when Restate has
    /// it durably.
    ///
    /// # Errors
    /// Also when it may have been accepted, but the receipt was lost.
    pub async fn send(
        &self,
        object: Object<'_>,
        input: Option<&impl Serialize>,
        within: Duration,
    ) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Receipt {
            #[serde(rename = "invocationId")]
            invocation: String,
        }
        let path = path_of(object, "/send");
        let answer = Call::post(&self.origin, path, body_of(input)?, within)
            .send()
            .await?;
        answer.json().map(|Receipt { invocation }| invocation)
    }
}

fn body_of(input: Option<&impl Serialize>) -> Result<Vec<u8>, Error> {
    let body = input.map(serde_json::to_vec).transpose();
    body.map(Option::unwrap_or_default)
        .map_err(|source| Error::Unexpected {
            url: "the input of the call".into(),
            source: source.into(),
        })
}

fn path_of(object: Object<'_>, suffix: &str) -> String {
    let [service, key, handler] = [object.service, object.key, object.handler].map(percent_encoded);
    format!("/{service}/{key}/{handler}{suffix}")
}

/// One segment of a path, RFC 3986: everything but unreserved characters is encoded.
fn percent_encoded(segment: &str) -> String {
    segment.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::{Object, path_of};

    #[test]
    fn a_key_is_one_segment_of_the_path_whatever_is_in_it() {
        let object = Object {
            service: "verifier",
            key: "a/b c%ü",
            handler: "verify",
        };
        assert_eq!(
            path_of(object, "/send"),
            "/verifier/a%2Fb%20c%25%C3%BC/verify/send"
        );
    }
}
