//! One stream for one visitor who knows a secret, over HTTP: by way of `exec` every byte passes the kubelet, the
//! container runtime and its shim; this way only the API server.

use std::io;
use std::net::{SocketAddr, TcpStream as Stream};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::Error;

/// The header that has the secret. API servers take `Authorization` for themselves.
const SECRET: &str = "x-longrun-secret";

/// What is said on stdout when the door is open.
const OPEN: &str = "open";

/// How long a visitor is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long one may take to say what is wanted, in how many bytes.
const SILENCE: Duration = Duration::from_secs(5);
const HEAD: usize = 16 << 10;
const HEADERS: usize = 64;

const COME_IN: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\nconnection: close\r\n\r\n";
const STAY_OUT: &[u8] = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Opens a door, says so on stdout, and answers the first who knows the secret. What is written to the stream is the
/// body of the answer, which ends with the connection.
///
/// # Errors
/// When the address is taken, or nobody comes for 30 s.
pub async fn visitor(address: SocketAddr, secret: &str) -> Result<Stream, Error> {
    let cannot = |source| Error::Answer { address, source };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    println!("{OPEN}");
    let stream = timeout(PATIENCE, known(&listener, secret)).await;
    let stream = stream.map_err(|_| Error::Nobody(PATIENCE.as_secs()))?;
    let blocking = |stream: TcpStream| {
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        Ok(stream)
    };
    stream.and_then(blocking).map_err(cannot)
}

async fn known(listener: &TcpListener, secret: &str) -> io::Result<TcpStream> {
    loop {
        let (mut stream, from) = listener.accept().await?;
        let knows = timeout(SILENCE, knows(&mut stream, secret)).await;
        if matches!(knows, Ok(Ok(true))) {
            stream.write_all(COME_IN).await?;
            return Ok(stream);
        }
        tracing::warn!(%from, "somebody came who does not know the secret");
        // Who does not listen is not told.
        let _ = stream.write_all(STAY_OUT).await;
    }
}

async fn knows(stream: &mut TcpStream, secret: &str) -> io::Result<bool> {
    let mut head = Vec::new();
    while head.len() < HEAD {
        if stream.read_buf(&mut head).await? == 0 {
            break;
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&head) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(_)) => {
                return Ok(request.headers.iter().any(|header| {
                    header.name.eq_ignore_ascii_case(SECRET) && header.value == secret.as_bytes()
                }));
            }
            Err(_) => break,
        }
    }
    Ok(false)
}
