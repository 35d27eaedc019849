//! Clients at the other end of a pipe in memory. Times are short or not to be met, and nothing here must be fast: that
//! slow clients are told from those that stand still is tested with the clock of the test, in `activity` and `pace`.

use super::*;
use axum::body::Body;
use axum::routing::{get, post};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
/// A request that is answered when the test says so.
const LATE: &[u8] = b"GET /late HTTP/1.1\r\nhost: a\r\n\r\n";
/// What opens an HTTP/2 connection: the preface and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// Limits that a test can wait for, or those that are so long that nothing meets them.
fn limits(seconds: u64) -> Connections {
    Connections {
        header_seconds: seconds,
        idle_seconds: seconds,
        patience_seconds: seconds,
        header_bytes: 8192,
        headers: 20,
        ..Connections::default()
    }
}

const NEVER: u64 = 3600;

/// A client of a server that says `ok`, says how long a body is, or says more than the pipe holds.
struct Client {
    stream: DuplexStream,
    served: JoinHandle<()>,
    stop: watch::Sender<()>,
    /// How many requests of `/late` may be answered, and how many have come.
    late: Arc<Semaphore>,
    came: watch::Receiver<usize>,
}

impl Client {
    fn connect(seconds: u64) -> Self {
        let late = Arc::new(Semaphore::new(0));
        let (arrive, came) = watch::channel(0);
        let wait = {
            let (late, arrive) = (Arc::clone(&late), arrive);
            async move || {
                arrive.send_modify(|came| *came += 1);
                late.acquire().await.expect("it is never closed").forget();
                "ok"
            }
        };
        let wait = Arc::new(wait);
        let router = Router::new()
            .route("/", get(async || "ok"))
            .route(
                "/late",
                get(move || {
                    let wait = Arc::clone(&wait);
                    async move { wait().await }
                }),
            )
            .route("/much", get(async || vec![b'x'; 4 * 1024 * 1024]))
            .route(
                "/length",
                post(async |body: Body| match body.collect().await {
                    Ok(body) => body.to_bytes().len().to_string(),
                    Err(error) => error.to_string(),
                }),
            );
        let (stop, stopping) = watch::channel(());
        let (stream, io) = duplex(256 * 1024);
        let served = tokio::spawn(async move {
            let connector = Connector::new(router, limits(seconds));
            connector.serve(io, ([127, 0, 0, 1], 1).into(), stopping).await;
        });
        Self { stream, served, stop, late, came }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("it is read");
    }

    /// Waits until so many requests of `/late` have come.
    async fn have_come(&mut self, number: usize) {
        self.came.wait_for(|came| *came >= number).await.expect("the server lives");
    }

    /// One answer whose body is `ok`.
    async fn is_answered(&mut self) {
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok") {
            match self.stream.read_u8().await {
                Ok(byte) => answer.push(byte),
                Err(why) => panic!("{why}: {}", String::from_utf8_lossy(&answer)),
            }
        }
    }

    /// All that comes until the server closes the connection.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // Who is cut off in the middle may be told so by an error.
        let _ = self.stream.read_to_end(&mut rest).await;
        rest
    }

    async fn rest_as_text(&mut self) -> String {
        String::from_utf8_lossy(&self.rest().await).into_owned()
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_let_go() {
    let mut client = Client::connect(1);
    assert_eq!(client.rest_as_text().await, "");
    client.served.await.expect("no panic");
}

#[tokio::test]
async fn half_of_a_head_of_either_protocol_is_not_waited_for() {
    for bytes in [&GET[..5], &GET[..20], &PREFACE[..5], &PREFACE[..24], PREFACE] {
        let mut client = Client::connect(1);
        client.send(bytes).await;
        client.rest().await;
        client.served.await.expect("no panic");
    }
}

#[tokio::test]
async fn half_of_a_second_head_is_not_waited_for_and_neither_is_none() {
    for bytes in [&GET[..5], b""] {
        let mut client = Client::connect(1);
        client.send(GET).await;
        client.is_answered().await;
        client.send(bytes).await;
        assert_eq!(client.rest_as_text().await, "");
        client.served.await.expect("no panic");
    }
}

#[tokio::test]
async fn requests_that_come_at_once_are_answered_one_after_the_other() {
    let mut client = Client::connect(NEVER);
    client.send(&GET.repeat(50)).await;
    for _ in 0..50 {
        client.is_answered().await;
    }
}

#[tokio::test]
async fn a_body_that_stands_still_fails_and_says_why() {
    let mut client = Client::connect(1);
    client.send(b"POST /length HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 9\r\n\r\nxxx").await;
    let answer = client.rest_as_text().await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("comes too slowly"), "{answer}");
    let mut client = Client::connect(NEVER);
    client.send(b"POST /length HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 9\r\n\r\nxxx").await;
    client.send(b"xxxxxx").await;
    let answer = client.rest_as_text().await;
    assert!(answer.ends_with("\r\n9"), "{answer}");
}

#[tokio::test]
async fn who_does_not_read_the_answer_is_let_go() {
    let mut client = Client::connect(1);
    client.send(b"GET /much HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.served.await.expect("no panic");
}

#[tokio::test]
async fn heads_that_are_too_large_or_have_too_many_lines_are_refused() {
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(9000));
    let address = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(9000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(21));
    let endless = format!("GET / HTTP/1.1\r\n{}", "x: y\r\n".repeat(10_000));
    for head in [long, address, many, endless] {
        let mut client = Client::connect(NEVER);
        client.send(head.as_bytes()).await;
        let answer = client.rest_as_text().await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        client.served.await.expect("no panic");
    }
    for nonsense in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"] {
        let mut client = Client::connect(NEVER);
        client.send(nonsense.as_bytes()).await;
        let answer = client.rest_as_text().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{nonsense:?}: {answer}");
    }
}

#[tokio::test]
async fn when_the_server_stops_what_is_under_way_is_answered() {
    let mut idle = Client::connect(NEVER);
    idle.send(GET).await;
    idle.is_answered().await;
    idle.stop.send_replace(());
    assert_eq!(idle.rest_as_text().await, "");
    let mut asking = Client::connect(NEVER);
    asking.send(LATE).await;
    asking.have_come(1).await;
    asking.stop.send_replace(());
    asking.late.add_permits(1);
    let answer = asking.rest_as_text().await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok"), "{answer}");
    asking.served.await.expect("no panic");
}

/// One frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A request without a body: GET and http by their numbers in HPACK's table, the path as text.
fn request(stream: u32, path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).expect("a short path");
    frame(1, 0x5, stream, &[b"\x82\x86\x04", &[length][..], path.as_bytes()].concat())
}

fn late(stream: u32) -> Vec<u8> {
    request(stream, "/late")
}

/// The frames in what a server sent: kind, stream, payload.
fn frames(mut sent: &[u8]) -> Vec<(u8, u32, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = sent.split_first_chunk::<9>() {
        let [a, b, c, kind, _, stream @ ..] = *head;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let Some((payload, after)) = rest.split_at_checked(length) else { break };
        frames.push((kind, u32::from_be_bytes(stream), payload.to_vec()));
        sent = after;
    }
    frames
}

const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;

#[tokio::test]
async fn a_flood_of_requests_that_are_taken_back_ends_the_connection() {
    const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 0xb];
    let mut client = Client::connect(NEVER);
    let mut flood = PREFACE.to_vec();
    for stream in (1..2000).step_by(2) {
        flood.extend([late(stream), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat());
    }
    client.send(&flood).await;
    let sent = frames(&client.rest().await);
    let reason = sent.iter().find(|(kind, ..)| *kind == GOAWAY).map(|(.., payload)| &payload[4..8]);
    assert_eq!(reason, Some(&ENHANCE_YOUR_CALM[..]), "{sent:?}");
    client.served.await.expect("no panic");
}

#[tokio::test]
async fn one_request_more_than_there_may_be_at_once_is_refused() {
    let mut client = Client::connect(NEVER);
    client.send(PREFACE).await;
    for stream in (1..=2 * 101).step_by(2) {
        client.send(&late(stream)).await;
    }
    client.have_come(100).await;
    client.late.add_permits(100);
    client.stop.send_replace(());
    // The farewell asks for an answer, and only then it goes on.
    let mut sent = Vec::new();
    while !frames(&sent).iter().any(|(kind, ..)| *kind == RST_STREAM) {
        client.stream.read_buf(&mut sent).await.expect("more");
    }
    let refused: Vec<_> = frames(&sent).into_iter().filter(|(kind, ..)| *kind == RST_STREAM).collect();
    assert_eq!(refused, [(RST_STREAM, 201, vec![0, 0, 0, 7])]);
}

#[tokio::test]
async fn who_lets_no_answer_of_http2_come_is_let_go() {
    // The window of each stream is empty from the start; or it is never filled again.
    let empty = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    for (settings, path) in [(&empty[..], "/"), (&empty, "/much"), (b"", "/much")] {
        let mut client = Client::connect(1);
        client.send(&[PREFACE, settings, &request(1, path)].concat()).await;
        client.served.await.expect("no panic");
    }
}

#[tokio::test]
async fn pings_do_not_keep_a_connection_open() {
    let mut client = Client::connect(1);
    client.send(PREFACE).await;
    // Until nobody reads them any more.
    while client.stream.write_all(&frame(6, 0, 0, &[0; 8])).await.is_ok() {
        if client.stream.read_u8().await.is_err() {
            break;
        }
    }
    client.served.await.expect("no panic");
}
