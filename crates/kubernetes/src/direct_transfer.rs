//! What a pod answers at a port of its own, by way of the API server: a stream that does not pass the kubelet and
//! what runs containers, each of which takes as long with every byte as the API server does.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{AsyncBufRead, FutureExt as _};
use http::Request;
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::oneshot,
};

use crate::{client::Client, failure::Failure, resource::encode, silence::Silence};

/// The header that has the secret: the API server takes `Authorization` for itself.
const SECRET: &str = "x-longrun-secret";

/// How long the answer may take to begin.
const PATIENCE: Duration = Duration::from_secs(5);

/// The body of an answer. Its end is no proof that all of it came.
pub struct Visit {
    body: Pin<Box<dyn AsyncBufRead + Send>>,
    silence: Silence,
    link: oneshot::Receiver<()>,
}

/// Dropped, the visit breaks off.
pub struct Link {
    _held: oneshot::Sender<()>,
}

impl Client {
    /// Asks a pod for what it answers to whoever knows a secret.
    ///
    /// # Errors
    /// When the API server does not let anybody do that, cannot reach the pod, or the pod refuses.
    pub async fn visit(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
        secret: &str,
    ) -> Result<(Visit, Link), Failure> {
        let asked = format!("read from port {port} of {namespace}/{pod}");
        let uri = format!(
            "/api/v1/namespaces/{}/pods/{}:{port}/proxy/",
            encode(namespace),
            encode(pod)
        );
        let request = Request::get(uri).header(SECRET, secret);
        let request = request
            .body(Vec::new())
            .map_err(|error| Failure::Unreadable {
                asked: asked.clone(),
                cause: format!("no request can be made of it: {error}"),
            })?;
        // Of its own connection: those that others share wait for nobody who reads slowly.
        let kube = self.upgradable(&asked)?;
        let answer = tokio::time::timeout(PATIENCE, kube.request_stream(request));
        let body = answer
            .await
            .map_err(|_| Failure::late(asked.clone(), self.server(), PATIENCE.as_secs()))?
            .map_err(|error| Failure::of(asked, self.server(), error))?;
        let (held, link) = oneshot::channel();
        let visit = Visit {
            body: Box::pin(body),
            silence: Silence::default(),
            link,
        };
        Ok((visit, Link { _held: held }))
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.link.poll_unpin(context).is_ready() {
            let broken = io::Error::new(io::ErrorKind::ConnectionAborted, "it was broken off");
            return Poll::Ready(Err(broken));
        }
        match this.body.as_mut().poll_fill_buf(context) {
            Poll::Ready(bytes) => {
                this.silence.broken();
                let bytes = bytes?;
                let taken = bytes.len().min(buffer.remaining());
                buffer.put_slice(&bytes[..taken]);
                this.body.as_mut().consume(taken);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => Poll::Ready(Err(ready!(this.silence.poll(context)))),
        }
    }
}
