//! Commands in a container, against a server on this machine that is told what to answer. It is asked in HTTP/1.1,
//! which nothing but an upgrade needs.

use std::sync::Arc;

use futures::{SinkExt as _, StreamExt as _};
use kube::Config;
use longrun_core::object::Uid;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
    },
};

use super::*;
use crate::{clock::ServerClock, transport::Transport};

type Connection = WebSocketStream<TcpStream>;

/// Channels of the protocol (Kubernetes 1.36: `v5.channel.k8s.io`).
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const CLOSE: u8 = 255;

/// A client of a server that does this with the one connection it gets.
async fn serving<F: Future<Output = ()> + Send + 'static>(
    serve: impl FnOnce(Connection) -> F + Send + 'static,
) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let agree = |_: &Request, mut response: Response| {
            let protocol = "v5.channel.k8s.io".parse().unwrap();
            response
                .headers_mut()
                .insert("sec-websocket-protocol", protocol);
            Ok(response)
        };
        serve(accept_hdr_async(stream, agree).await.unwrap()).await;
    });
    let config = Config::new(address.parse().unwrap());
    let transport = Transport {
        kube: kube::Client::try_from(config.clone()).unwrap(),
        clock: ServerClock::default(),
        config: Arc::new(config),
    };
    Client::recognised(transport, address, Uid("k".to_owned()))
}

async fn run(client: &Client) -> (Stdin, Stdout, Exec) {
    let command = ["verification", "send", "/target/db"];
    let run = client.exec("restate", "kept", "copy", &command);
    run.await.unwrap()
}

fn frame(channel: u8, bytes: &[u8]) -> Message {
    Message::binary([&[channel], bytes].concat())
}

fn status(status: &Value) -> Message {
    frame(STATUS, status.to_string().as_bytes())
}

fn success() -> Message {
    status(&json!({"status": "Success"}))
}

const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn what_goes_in_comes_out_and_the_end_of_stdin_is_told() {
    let client = serving(async |mut connection| {
        loop {
            let message = connection.next().await.unwrap().unwrap();
            match &message.into_data()[..] {
                [STDIN, bytes @ ..] => connection.send(frame(STDOUT, bytes)).await.unwrap(),
                [CLOSE, STDIN] => break,
                other => panic!("{other:?}"),
            }
        }
        connection.send(success()).await.unwrap();
    })
    .await;
    let (mut stdin, mut stdout, exec) = run(&client).await;
    stdin.write_all(b"what is here").await.unwrap();
    drop(stdin);
    let mut all = Vec::new();
    stdout.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"what is here");
    exec.end(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_full_stderr_does_not_stop_stdout_and_its_end_is_kept() {
    let client = serving(async |mut connection| {
        for number in 0..300 {
            let line =
                format!("line {number}, which nobody reads but the one who looks for a cause\n");
            connection
                .send(frame(STDERR, line.as_bytes()))
                .await
                .unwrap();
            connection.send(frame(STDOUT, &[7; 8 << 10])).await.unwrap();
        }
        let failure = json!({"status": "Failure", "reason": "NonZeroExitCode",
            "message": "command terminated with non-zero exit code",
            "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}});
        connection.send(status(&failure)).await.unwrap();
    })
    .await;
    let (_stdin, mut stdout, exec) = run(&client).await;
    let mut all = Vec::new();
    stdout.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), 300 * (8 << 10));
    let ended = exec.end(PATIENCE).await.unwrap_err().to_string();
    assert!(
        ended.starts_with("the command ended with exit code 3; it said: "),
        "{ended}"
    );
    assert!(ended.contains("line 299, "), "{ended}");
    assert!(ended.len() < SAID + 100, "{}", ended.len());
}

#[tokio::test]
async fn a_command_that_cannot_be_run_says_why() {
    let client = serving(async |mut connection| {
        let failure = json!({"status": "Failure", "reason": "InternalError",
            "message": "executable file `verification` not found"});
        connection.send(status(&failure)).await.unwrap();
    })
    .await;
    let (_stdin, mut stdout, exec) = run(&client).await;
    assert_eq!(stdout.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    assert_eq!(
        exec.end(PATIENCE).await.unwrap_err().to_string(),
        "the command was not run, or not to its end: executable file `verification` not found"
    );
}

/// Whether the connection is closed in order or torn, nothing that it brought is lost, and it is no success.
#[tokio::test]
async fn a_connection_that_ends_without_a_status_is_no_success() {
    for in_order in [true, false] {
        let client = serving(async move |mut connection: Connection| {
            connection.send(frame(STDOUT, b"half of it")).await.unwrap();
            if in_order {
                connection.close(None).await.unwrap();
                while let Some(Ok(_)) = connection.next().await {}
            }
        })
        .await;
        let (_stdin, mut stdout, exec) = run(&client).await;
        let mut all = Vec::new();
        let read = stdout.read_to_end(&mut all).await;
        assert_eq!(all, b"half of it");
        assert_eq!(read.is_ok(), in_order, "{read:?}");
        let ended = exec.end(PATIENCE).await.unwrap_err();
        assert!(matches!(ended, Ended::Unknown { .. }), "{ended}");
    }
}

#[tokio::test]
async fn streams_of_a_command_that_was_left_alone_break_off() {
    let client = serving(async |mut connection| {
        connection.next().await;
    })
    .await;
    let (_stdin, mut stdout, exec) = run(&client).await;
    drop(exec);
    let error = stdout.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn a_silent_connection_is_given_up() {
    let client = serving(async |_connection| std::future::pending().await).await;
    let (_stdin, mut stdout, _exec) = run(&client).await;
    tokio::time::pause();
    let error = stdout.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "nothing came for 60 s");
}
