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
    pub(crate) origin: &'a Origin,
    pub(crate) method: Method,
    /// Path and query, percent-encoded.
    pub(crate) path: String,
    /// JSON; empty for none.
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) within: Duration,
}

/// A complete answer, of whatever status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) url: String,
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl<'a> Call<'a> {
    pub(crate) fn get(origin: &'a Origin, path: &str, within: Duration) -> Self {
        let path = path.to_owned();
        Self {
            origin,
            method: Method::GET,
            path,
            body: Vec::new(),
            headers: Vec::new(),
            within,
        }
    }

    pub(crate) fn post(origin: &'a Origin, path: &str, body: Vec<u8>, within: Duration) -> Self {
        let path = path.to_owned();
        Self {
            origin,
            method: Method::POST,
            path,
            body,
            headers: Vec::new(),
            within,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends it and reads the whole answer, whatever its status.
    pub(crate) async fn send(self) -> Result<Answer, Error> {
        let url = format!("{}{}", self.origin, self.path);
        let within = self.within;
        match tokio::time::timeout(within, self.exchange()).await {
            Ok(Ok((status, body))) => Ok(Answer { url, status, body }),
            Ok(Err(source)) => Err(Error::Unreachable { url, source }),
            Err(_) => Err(Error::TimedOut { url, within }),
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
        for (name, value) in self.headers {
            request = request.header(name, value);
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
    /// The answer, unless its status says that it is an error.
    pub(crate) fn accepted(self) -> Result<Self, Error> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(self.into_error())
        }
    }

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

    /// The error that it stands for. Restate's own have `message`, and from the ingress `source`
    /// tells who ended the invocation.
    fn into_error(self) -> Error {
        #[derive(serde::Deserialize)]
        struct Body {
            message: Option<String>,
            source: Option<String>,
        }
        let parsed: Option<Body> = serde_json::from_slice(&self.body).ok();
        let (message, source) = parsed.map_or((None, None), |body| (body.message, body.source));
        let message = message.unwrap_or_else(|| {
            let text = String::from_utf8_lossy(&self.body);
            format!("{} {}", self.status, text.trim())
                .trim_end()
                .to_owned()
        });
        Error::Answered {
            url: self.url,
            status: self.status.as_u16(),
            message,
            terminal: source.as_deref() == Some("invocation"),
        }
    }
}
