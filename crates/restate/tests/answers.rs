//! Whatever answers, or does not, is one typed error with a sentence that says where and why.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use longrun_restate::{Admin, Error, Ingress, Object, Origin, one_line};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const SHORT: Duration = Duration::from_millis(300);
const OBJECT: Object<'static> = Object {
    service: "verifier",
    key: "a",
    handler: "verify",
};

/// Answers one request with this status and body; the request.
async fn answering(status: &str, body: &str) -> (Origin, JoinHandle<String>) {
    let length = body.len();
    answering_bytes(format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
    .await
}

/// Answers one request with these bytes and closes the connection; the request.
async fn answering_bytes(answer: String) -> (Origin, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::local(listener.local_addr().unwrap().port());
    let request = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4_096];
        let read = stream.read(&mut request).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    (origin, request)
}

async fn call(origin: Origin) -> Result<(), Error> {
    Ingress::new(origin).call(OBJECT, None::<&()>, SHORT).await
}

#[tokio::test]
async fn nobody_listening_is_unreachable_and_transient() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::local(listener.local_addr().unwrap().port());
    drop(listener);
    let error = call(origin.clone()).await.unwrap_err();
    assert!(error.is_transient());
    let sentence = one_line(&error);
    let start = format!("{origin}/verifier/a/verify is unreachable: Connection refused");
    assert!(sentence.starts_with(&start), "{sentence}");
}

#[tokio::test]
async fn no_answer_in_time_is_timed_out_and_transient() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::local(listener.local_addr().unwrap().port());
    let error = call(origin).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn an_answer_cut_in_the_middle_is_unreachable() {
    let (origin, _) =
        answering_bytes("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".into()).await;
    let error = call(origin).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_terminal_error_of_the_handler_is_its_message_and_final() {
    let (origin, request) = answering(
        "500 Internal Server Error",
        "{\"code\":500,\"message\":\"wrong value\",\"source\":\"invocation\"}",
    )
    .await;
    let error = call(origin).await.unwrap_err();
    assert_eq!(error.to_string(), "wrong value");
    assert!(!error.is_transient());
    assert!(
        request
            .await
            .unwrap()
            .starts_with("POST /verifier/a/verify HTTP/1.1\r\n")
    );
}

#[tokio::test]
async fn an_error_of_the_node_itself_is_transient() {
    let (origin, _) = answering("503 Service Unavailable", "{\"message\":\"no leader\"}").await;
    let error = call(origin).await.unwrap_err();
    assert_eq!(error.to_string(), "no leader");
    assert!(error.is_transient());
}

#[tokio::test]
async fn an_answer_of_another_shape_is_unexpected_and_says_what_is_wrong() {
    let (origin, _) = answering("200 OK", "{\"lines\":[]}").await;
    let error = Admin::new(origin, SHORT)
        .query::<()>("select 1")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unexpected { .. }));
    assert!(
        one_line(&error).contains("missing field `rows`"),
        "{}",
        one_line(&error)
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_send_takes_its_input_along_and_gives_the_id_of_the_invocation() {
    let (origin, request) = answering(
        "202 Accepted",
        "{\"invocationId\":\"inv_1\",\"status\":\"Accepted\"} ",
    )
    .await;
    let sent = Ingress::new(origin).send(OBJECT, Some(&7), SHORT).await;
    assert_eq!(sent.unwrap(), "inv_1");
    let request = request.await.unwrap();
    assert!(
        request.starts_with("POST /verifier/a/verify/send HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.ends_with("\r\n\r\n7"), "{request}");
}
