//! Bodies that are too large, over a real connection.

use http::{Request, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::program::Start;

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_too_much_reads_why() {
    let folder = tempfile::tempdir().unwrap();
    let program = Start::in_folder(folder.path()).ready().await;
    for size in [MIB + 1, 8 * MIB] {
        let request = Request::post(format!("{}/", program.url))
            .header("x-amz-target", "AwsProton20200720.ListServices")
            .body(vec![b' '; size])
            .unwrap();
        let (status, body) = program.send(request).await;
        let body = String::from_utf8_lossy(&body);
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{body}");
        assert!(body.contains("RequestEntityTooLargeException"), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_announces_too_much_is_told_before_it_sends_it() {
    let folder = tempfile::tempdir().unwrap();
    let program = Start::in_folder(folder.path()).ready().await;
    let mut stream = TcpStream::connect(("127.0.0.1", program.port())).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-amz-target: AwsProton20200720.ListServices\r\n\
                content-length: 5368709120\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("RequestEntityTooLargeException"), "{answer}");
}
