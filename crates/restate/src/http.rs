//! One request on one connection, within a time.

use crate::error::Error;
use crate::origin::Origin;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::error::Error as Source;
use std::time::Duration;
use tokio::net::TcpStream;

/// A request to be sent.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    origin: &'a Origin,
    method: Method,
    /// Path and query, percent-encoded.
    path: String,
    /// JSON; empty for none.
    body: Vec<u8>,
    within: Duration,
}

/// A complete answer whose status says that it is no error.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) url: String,
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl<'a> Call<'a> {
    pub(crate) fn get(origin: &'a Origin, path: impl Into<String>, within: Duration) -> Self {
        Self {
            origin,
            method: Method::GET,
            path: path.into(),
            body: Vec::new(),
            within,
        }
    }

    pub(crate) fn post(
        origin: &'a Origin,
        path: impl Into<String>,
        body: Vec<u8>,
        within: Duration,
    ) -> Self {
        Self {
            method: Method::POST,
            body,
            ..Self::get(origin, path, within)
        }
    }

    /// Sends it and reads the whole answer; an error when the answer says that it is one.
    pub(crate) async fn send(self) -> Result<Answer, Error> {
        let url = format!("{}{}", self.origin, self.path);
        let within = self.within;
        let (status, body) = match tokio::time::timeout(within, self.exchange()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(source)) => return Err(Error::Unreachable { url, source }),
            Err(_) => return Err(Error::TimedOut { url, within }),
        };
        if status.is_success() {
            Ok(Answer { url, status, body })
        } else {
            Err(refusal(url, status, &body))
        }
    }

    async fn exchange(self) -> Result<(StatusCode, Bytes), Box<dyn Source + Send + Sync>> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.path)
            .header(header::HOST, self.origin.authority())
            .header(header::ACCEPT, "application/json");
        if !self.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(Bytes::from(self.body)))?;

        let stream = TcpStream::connect(self.origin.authority()).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            Ok::<_, hyper::Error>((status, response.into_body().collect().await?.to_bytes()))
        };
        tokio::pin!(exchange, connection);
        // The connection only moves while it is polled; the answer decides.
        tokio::select! {
            answer = &mut exchange => Ok(answer?),
            closed = &mut connection => {
                closed?;
                Ok(exchange.await?)
            }
        }
    }
}

impl Answer {
    /// The JSON in it.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|source| self.unexpected(source))
    }

    pub(crate) fn unexpected(&self, source: impl Into<Box<dyn Source + Send + Sync>>) -> Error {
        Error::Unexpected {
            url: self.url.clone(),
            source: source.into(),
        }
    }
}

/// The error that an answer stands for. Restate's own have `message`, and from the ingress `source`
/// tells who ended the invocation.
fn refusal(url: String, status: StatusCode, body: &[u8]) -> Error {
    #[derive(Default, serde::Deserialize)]
    struct Body {
        message: Option<String>,
        source: Option<String>,
    }
    let Body { message, source } = serde_json::from_slice(body).unwrap_or_default();
    let message = message.unwrap_or_else(|| {
        let text = String::from_utf8_lossy(body);
        format!("{status} {}", text.trim()).trim_end().to_owned()
    });
    Error::Answered {
        url,
        status: status.as_u16(),
        message,
        terminal: source.as_deref() == Some("invocation"),
    }
}
