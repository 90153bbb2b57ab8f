//! The two or three questions that starting a cluster asks of its API server.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::Error;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the API server as administrator.
pub(crate) struct Api {
    address: SocketAddr,
    encryption: Arc<ClientConfig>,
}

/// What the API server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Api {
    /// With the administrator's certificate from the directory `keys`.
    pub(crate) fn new(address: SocketAddr, keys: &Path) -> Result<Self, Error> {
        let unusable = |reason: String| Error::Api {
            address: address.to_string(),
            reason: format!(
                "its certificates in {} are unusable, {reason}",
                keys.display()
            ),
        };
        let certificate = |name: &str| {
            CertificateDer::from_pem_file(keys.join(name))
                .map_err(|error| unusable(error.to_string()))
        };
        let mut roots = RootCertStore::empty();
        roots
            .add(certificate("ca.crt")?)
            .map_err(|error| unusable(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_file(keys.join("admin.key"))
            .map_err(|error| unusable(error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let encryption = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate("admin.crt")?], key)
            .map_err(|error| unusable(error.to_string()))?;
        Ok(Self {
            address,
            encryption: Arc::new(encryption),
        })
    }

    /// Asks for a path. An answer of any status is an answer.
    pub(crate) fn get(&self, path: &str) -> Result<Answer, Error> {
        let failed = |reason: String| Error::Api {
            address: self.address.to_string(),
            reason,
        };
        let name = ServerName::from(self.address.ip());
        let client = ClientConnection::new(Arc::clone(&self.encryption), name)
            .map_err(|error| failed(error.to_string()))?;
        let plain = connect(self.address).map_err(|error| failed(error.to_string()))?;
        exchange(StreamOwned::new(client, plain), path).map_err(|error| failed(error.to_string()))
    }
}

/// Whether a request without encryption to localhost is answered with 200.
pub(crate) fn is_healthy(port: u16, path: &str) -> bool {
    connect(SocketAddr::from(([127, 0, 0, 1], port)))
        .and_then(|stream| exchange(stream, path))
        .is_ok_and(|answer| answer.status == 200)
}

/// Whether somebody listens on this port of localhost.
pub(crate) fn is_listening(port: u16) -> bool {
    connect(SocketAddr::from(([127, 0, 0, 1], port))).is_ok()
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// HTTP 1.0: the answer is never in chunks and ends with the connection.
fn exchange(mut stream: impl Read + Write, path: &str) -> std::io::Result<Answer> {
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n"
    )?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // Closed without saying so first, which the length below would show.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
        other => drop(other?),
    }
    parse(&answer).ok_or_else(|| ErrorKind::InvalidData.into())
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let split = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..split]).ok()?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let body = answer[split + 4..].to_vec();
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    (length.is_none_or(|length| length == body.len())).then_some(Answer { status, body })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_answer_is_its_status_and_body() {
        let answer =
            parse(b"HTTP/1.0 403 Forbidden\r\nContent-Length: 7\r\n\r\n{\"a\":1}").unwrap();
        assert_eq!(answer.status, 403);
        assert_eq!(answer.json()["a"], 1);
    }

    #[test]
    fn a_cut_answer_is_none() {
        assert!(parse(b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\"").is_none());
        assert!(parse(b"HTTP/1.0 200 OK\r\nContent-").is_none());
    }
}
