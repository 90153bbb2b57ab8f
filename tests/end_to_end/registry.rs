//! A registry on this machine that takes whatever is pushed and keeps the manifests: the few requests of
//! the OCI distribution specification that a push is made of.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
};

/// `repository:tag` → its manifest.
type Manifests = BTreeMap<String, Vec<u8>>;

pub(crate) struct Registry {
    /// Where it is: `127.0.0.1:<port>`.
    pub(crate) address: String,
    manifests: Arc<Mutex<Manifests>>,
}

impl Registry {
    pub(crate) fn open() -> Self {
        Self::start(true)
    }

    /// One that wants to know who pushes, and knows nobody.
    pub(crate) fn closed() -> Self {
        Self::start(false)
    }

    fn start(is_open: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let manifests = Arc::default();
        let kept = Arc::clone(&manifests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(stream, is_open, &kept));
            }
        });
        Self { address, manifests }
    }

    pub(crate) fn manifests(&self) -> Manifests {
        self.manifests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

struct Request {
    method: String,
    path: String,
    body: Vec<u8>,
}

/// Answers the requests of one connection until its other end closes it.
fn serve(stream: TcpStream, is_open: bool, manifests: &Mutex<Manifests>) {
    let mut answers = stream.try_clone().expect("a descriptor");
    let mut requests = BufReader::new(stream);
    while let Some(request) = read(&mut requests) {
        let (status, header) = if is_open {
            answer(&request, manifests)
        } else {
            ("401 Unauthorized", "WWW-Authenticate: Basic".to_owned())
        };
        let sent = write!(
            answers,
            "HTTP/1.1 {status}\r\nContent-Length: 0\r\n{header}\r\n\r\n"
        );
        if sent.is_err() {
            return;
        }
    }
}

fn answer(request: &Request, manifests: &Mutex<Manifests>) -> (&'static str, String) {
    const VERSION: &str = "Docker-Distribution-Api-Version: registry/2.0";
    let place = request.path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = place.trim_start_matches("/v2/").split('/').collect();
    match (request.method.as_str(), &parts[..]) {
        ("GET", [""]) => ("200 OK", VERSION.into()),
        // A blob is uploaded to where the registry says, in one piece or more.
        ("POST" | "PATCH", _) => ("202 Accepted", format!("Location: {place}upload")),
        ("PUT", [repository @ .., "manifests", tag]) => {
            manifests
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(
                    format!("{}:{tag}", repository.join("/")),
                    request.body.clone(),
                );
            ("201 Created", VERSION.into())
        }
        ("PUT", _) => ("201 Created", VERSION.into()),
        _ => ("404 Not Found", VERSION.into()),
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let first = line(stream)?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    let mut chunked = false;
    loop {
        let header = line(stream)?.to_ascii_lowercase();
        match header.split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            Some(("transfer-encoding", _)) => chunked = true,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let size = usize::from_str_radix(&line(stream)?, 16).ok()?;
            body.extend(bytes(stream, size)?);
            line(stream)?;
            if size == 0 {
                break;
            }
        }
    } else {
        body = bytes(stream, length)?;
    }
    Some(Request { method, path, body })
}

fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let length = stream.read_line(&mut line).ok()?;
    (length > 0).then(|| line.trim_end().to_owned())
}

fn bytes(stream: &mut BufReader<TcpStream>, count: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}
