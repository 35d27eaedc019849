//! More clients, and slower ones, than a server has to put up with. Over real connections.

use std::net::SocketAddr;
use std::path::Path;

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::program::{Program, Start, until};

const PING: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
/// The head of a request whose body is to come, and a part of the body.
const HALF: &[u8] =
    b"POST / HTTP/1.1\r\nhost: a\r\nx-amz-target: AwsProton20200720.ListServices\r\ncontent-length: 9\r\n\r\n{";

/// A server with these lines in the section `[connections]` of its file.
async fn limited(folder: &Path, lines: &str) -> Program {
    start(folder, lines).ready().await
}

fn start(folder: &Path, lines: &str) -> Start {
    let file = folder.join("protium.toml");
    std::fs::write(&file, format!("[connections]\n{lines}\n")).unwrap();
    Start::in_folder(&folder.join("data")).flag("--config", file.to_str().unwrap())
}

/// A connection from an address of this machine.
async fn connect(program: &Program, from: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    socket.connect(([127, 0, 0, 1], program.port()).into()).await.unwrap()
}

/// Whether a request is answered; else the connection is closed.
async fn is_served(stream: &mut TcpStream) -> bool {
    let mut answer = Vec::new();
    if stream.write_all(PING).await.is_err() {
        return false;
    }
    while !answer.ends_with(b"\r\n\r\nok\n") {
        if !matches!(stream.read_buf(&mut answer).await, Ok(1..)) {
            return false;
        }
    }
    true
}

/// A client whose request has a place until the connection is dropped: its body is waited for, and does not come. A
/// proxy says whose it is.
async fn holds_a_place(program: &Program, from: [u8; 4], forwarded: &str) -> TcpStream {
    let mut stream = connect(program, from).await;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: a\r\nx-amz-target: AwsProton20200720.ListServices\r\ncontent-length: 9\r\n\
         expect: 100-continue\r\nx-forwarded-for: {forwarded}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut asked_for = [0; 25];
    stream.read_exact(&mut asked_for).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&asked_for), "HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// The status of the answer to a request that nobody signed: 403, unless there is no place for it.
async fn status(program: &Program, from: [u8; 4], forwarded: &str) -> u16 {
    let mut stream = connect(program, from).await;
    let head = format!("GET /a/b HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-forwarded-for: {forwarded}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|answer| answer.get(..3)?.parse().ok());
    status.unwrap_or_else(|| panic!("no answer: {answer}"))
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    // Who is cut off may be told so by an error.
    let _ = stream.read_to_end(&mut rest).await;
    String::from_utf8_lossy(&rest).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_so_many_connections_and_others_are_served_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = limited(folder.path(), "most = 4\nmost-per-address = 2").await;
    let (greedy, modest, third) = ([127, 0, 0, 2], [127, 0, 0, 3], [127, 0, 0, 4]);
    let mut first = connect(&program, greedy).await;
    let mut second = connect(&program, greedy).await;
    assert!(is_served(&mut first).await && is_served(&mut second).await);
    assert!(!is_served(&mut connect(&program, greedy).await).await);
    program.logged("connections.most-per-address").await;
    let mut others = [connect(&program, modest).await, connect(&program, third).await];
    for other in &mut others {
        assert!(is_served(other).await);
    }
    assert!(!is_served(&mut connect(&program, [127, 0, 0, 5]).await).await);
    assert!(is_served(&mut first).await, "who is in stays");
    drop(others);
    // When they are gone is found out by and by.
    until("a place is free again", async || is_served(&mut connect(&program, third).await).await.then_some(())).await;
    drop(first);
    until("the greedy may come again", async || is_served(&mut connect(&program, greedy).await).await.then_some(()))
        .await;
    let (_, metrics) = program.get("/metrics").await;
    assert!(metrics.contains("protium_turned_away_total{limit=\"most-per-address\"} "), "{metrics}");
    assert!(metrics.contains("protium_turned_away_total{limit=\"most\"} "), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_let_go_and_told_why_where_they_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let program = limited(folder.path(), "header-seconds = 1\nidle-seconds = 1\npatience-seconds = 1").await;
    for bytes in [&b""[..], &PING[..9], PING] {
        let mut stream = connect(&program, [127, 0, 0, 1]).await;
        stream.write_all(bytes).await.unwrap();
        let rest = rest(&mut stream).await;
        assert_eq!(rest.contains("200 OK"), bytes == PING, "{rest}");
    }
    let mut stream = connect(&program, [127, 0, 0, 1]).await;
    stream.write_all(HALF).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("comes too slowly"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_requests_are_worked_on_and_its_health_can_always_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let program = limited(folder.path(), "most-requests = 1").await;
    let half = holds_a_place(&program, [127, 0, 0, 1], "").await;
    let (status, text) = program.get("/bucket/key").await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && text.contains("try again"), "{status}: {text}");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(program.get(path).await.0, StatusCode::OK);
    }
    let (_, metrics) = program.get("/metrics").await;
    assert!(metrics.contains("protium_turned_away_total{limit=\"most-requests\"} "), "{metrics}");
    drop(half);
    until("the place is free again", async || {
        (program.get("/bucket/key").await.0 == StatusCode::FORBIDDEN).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_has_a_share_of_the_requests_and_others_are_answered_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let program = limited(folder.path(), "most-requests = 8").await;
    let (greedy, modest) = ([127, 0, 0, 2], [127, 0, 0, 3]);
    // A quarter of all. Whom it names, it may have invented.
    let _first = holds_a_place(&program, greedy, "192.0.2.1").await;
    let _second = holds_a_place(&program, greedy, "192.0.2.2").await;
    assert_eq!(status(&program, greedy, "192.0.2.3").await, 503);
    assert_eq!(status(&program, modest, "").await, 403);
    let (_, metrics) = program.get("/metrics").await;
    assert!(metrics.contains("protium_turned_away_total{limit=\"most-requests-per-address\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_each_client_has_a_share_and_the_proxy_has_all() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "most-per-address = 1\nmost-requests = 3\nmost-requests-per-address = 1";
    let program = start(folder.path(), lines).flag("--trusted-proxies", "127.0.0.9").ready().await;
    let proxy = [127, 0, 0, 9];
    let _greedy = holds_a_place(&program, proxy, "192.0.2.1").await;
    assert_eq!(status(&program, proxy, "192.0.2.1").await, 503);
    assert_eq!(status(&program, proxy, "192.0.2.2").await, 403);
    // What the proxy asks for itself, and for those whom it does not know, is of nobody.
    let _own = holds_a_place(&program, proxy, "127.0.0.9").await;
    let _unknown = holds_a_place(&program, proxy, "unknown").await;
    assert_eq!(status(&program, proxy, "192.0.2.2").await, 503, "all places are taken");
}
