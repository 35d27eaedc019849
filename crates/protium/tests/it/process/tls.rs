//! HTTPS with a certificate that the test makes.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::admin::{root, typed};
use super::program::{Program, Start};

/// A folder with a certificate for 127.0.0.1 and its key, and who trusts it.
fn identity() -> (tempfile::TempDir, ClientConfig) {
    identity_until((2900, 1, 1))
}

/// One that is over on a day: year, month, day.
fn identity_until((year, month, day): (i32, u8, u8)) -> (tempfile::TempDir, ClientConfig) {
    let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, month, day);
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    let made = rcgen::CertifiedKey { cert, signing_key };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let mut trusted = RootCertStore::empty();
    trusted.add(made.cert.der().clone()).unwrap();
    (folder, ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth())
}

fn start(folder: &tempfile::TempDir) -> Start {
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    Start::in_folder(&folder.path().join("data"))
        .flag("--tls-cert", &file("cert.pem"))
        .flag("--tls-key", &file("key.pem"))
}

/// One signed call over HTTP/1.
async fn list_services(program: &Program, trust: &Arc<ClientConfig>) -> (u16, Value) {
    let address = program.url.strip_prefix("https://").expect("HTTPS");
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::clone(trust)).connect(name, stream).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("{}/", program.url))
        .header("host", address)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "AwsProton20200720.ListServices")
        .body(b"{}".to_vec())
        .unwrap();
    let mut request = program.signer("proton").sign(request).map(|body| Full::<Bytes>::new(body.into()));
    *request.uri_mut() = "/".parse().unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    connection.abort();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_served_over_https() {
    let (folder, trust) = identity();
    let program = start(&folder).ready().await;
    assert!(program.url.starts_with("https://127.0.0.1:"), "{}", program.url);
    let trust = Arc::new(trust);
    let (status, body) = list_services(&program, &trust).await;
    assert_eq!((status, &body["services"]), (200, &Value::Array(Vec::new())), "{body}");

    // Who speaks plain HTTP, or nothing, or trusts somebody else, is in nobody's way.
    let address = program.url.strip_prefix("https://").unwrap().to_owned();
    let silent = TcpStream::connect(&address).await.unwrap();
    let plain = in_the_clear(&address).await;
    assert!(plain.is_err(), "plain HTTP is not answered");
    let stranger = TlsConnector::from(Arc::new(identity().1));
    let stream = TcpStream::connect(&address).await.unwrap();
    assert!(stranger.connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await.is_err());
    assert_eq!(list_services(&program, &trust).await.0, 200);

    let ended = program.stop("TERM").await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_trusts_the_bundle_that_it_is_given_and_nobody_else() {
    let (folder, _) = identity();
    let (stranger, _) = identity();
    let program = start(&folder).ready().await;
    let bundle = |folder: &tempfile::TempDir| folder.path().join("cert.pem").to_str().unwrap().to_owned();
    let (trusted, untrusted) = (bundle(&folder), bundle(&stranger));

    let listed = typed(&["account", "list"], &with(&program, &trusted)).await;
    assert_eq!(listed.status.code(), Some(0), "{}", listed.err);
    assert!(listed.out.contains("000000000000"), "{}", listed.out);
    // The flag wins, before the words and after them.
    let words = ["account", "list", "--ca-bundle", &trusted];
    let listed = typed(&words, &with(&program, &untrusted)).await;
    assert_eq!(listed.status.code(), Some(0), "{}", listed.err);
    let listed = typed(&["--ca-bundle", &trusted, "account", "list"], &root(&program)).await;
    assert_eq!(listed.status.code(), Some(0), "{}", listed.err);

    for variables in [with(&program, &untrusted), root(&program).to_vec()] {
        typed(&["account", "list"], &variables).await.refused(1, &[&program.url, "certificate"]);
    }
    std::fs::write(folder.path().join("nothing.pem"), "nothing").unwrap();
    let nothing = folder.path().join("nothing.pem").to_str().unwrap().to_owned();
    typed(&["account", "list", "--ca-bundle", &nothing], &root(&program)).await.refused(2, &["nothing.pem"]);
}

/// The variables of the root user of a server who trusts a bundle.
fn with<'a>(program: &'a Program, bundle: &'a str) -> Vec<(&'static str, &'a str)> {
    [&root(program)[..], &[("AWS_CA_BUNDLE", bundle)]].concat()
}

/// A request without TLS.
async fn in_the_clear(address: &str) -> hyper::Result<()> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/healthz").header("host", address).body(Full::<Bytes>::default()).unwrap();
    let answered = sender.send_request(request).await.map(drop);
    connection.abort();
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn other_addresses_than_loopback_need_nothing_more_with_tls() {
    let (folder, _) = identity();
    let data = folder.path().join("data");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let words = ["serve", "--listen", "0.0.0.0:0", "--data-dir", data.to_str().unwrap()];
    std::fs::create_dir(&data).unwrap();
    let start = Start::typed(&data, &words).flag("--tls-cert", &path("cert.pem"));
    let program = start.flag("--tls-key", &path("key.pem")).ready().await;
    assert!(program.url.starts_with("https://0.0.0.0:"), "{}", program.url);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_make_no_identity_are_named() {
    let (folder, _) = identity();
    let (other, _) = identity();
    let path = |name: &str| folder.path().join(name);
    let refused = async |said: &[&str]| start(&folder).ended().await.refused(1, said);
    let key = std::fs::read(path("key.pem")).unwrap();
    std::fs::copy(other.path().join("key.pem"), path("key.pem")).unwrap();
    refused(&["tls-cert and tls-key do not belong together"]).await;
    std::fs::write(path("key.pem"), "nothing").unwrap();
    refused(&["tls-key", "key.pem"]).await;
    std::fs::remove_file(path("key.pem")).unwrap();
    refused(&["tls-key", "key.pem"]).await;
    std::fs::write(path("key.pem"), key).unwrap();
    std::fs::write(path("cert.pem"), "nothing").unwrap();
    refused(&["tls-cert", "cert.pem"]).await;
}

/// Whether a new connection is answered with the certificate that somebody trusts.
async fn is_trusted(program: &Program, trust: &ClientConfig) -> bool {
    let stream = TcpStream::connect(("127.0.0.1", program.port())).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(trust.clone())).connect(name, stream).await.is_ok()
}

fn take_over(from: &tempfile::TempDir, to: &tempfile::TempDir, files: &[&str]) {
    for file in files {
        std::fs::copy(from.path().join(file), to.path().join(file)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_makes_a_new_certificate_hold_and_leaves_a_broken_one_alone() {
    let (folder, old) = identity();
    let (next, new) = identity();
    let mut program = start(&folder).ready().await;
    program.logged("is valid until 2900-01-01").await;
    let before = Arc::new(old.clone());
    assert_eq!(list_services(&program, &before).await.0, 200);

    take_over(&next, &folder, &["key.pem"]);
    program.signal("HUP").await;
    program.logged("the old one stays: tls-cert and tls-key do not belong together").await;
    std::fs::write(folder.path().join("cert.pem"), "nothing").unwrap();
    program.signal("HUP").await;
    program.logged("the old one stays: tls-cert: ").await;
    assert!(is_trusted(&program, &old).await && !is_trusted(&program, &new).await);

    take_over(&next, &folder, &["cert.pem"]);
    program.signal("HUP").await;
    program.logged("a new certificate holds").await;
    assert!(!is_trusted(&program, &old).await);
    assert_eq!(list_services(&program, &Arc::new(new)).await.0, 200);
    program.signal("HUP").await;
    program.logged("nothing has changed").await;
    let ended = program.stop("TERM").await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_put_in_place_of_the_old_one_holds_without_a_word() {
    let (old_files, old) = identity();
    let (new_files, new) = identity();
    let folder = tempfile::tempdir().unwrap();
    // As Kubernetes has it: the files lead through a link that is put in place of another.
    let current = folder.path().join("current");
    std::os::unix::fs::symlink(old_files.path(), &current).unwrap();
    let file = |name: &str| current.join(name).to_str().unwrap().to_owned();
    let start = Start::in_folder(&folder.path().join("data")).flag("--tls-cert", &file("cert.pem"));
    let mut program = start.flag("--tls-key", &file("key.pem")).ready().await;
    assert!(is_trusted(&program, &old).await);
    std::os::unix::fs::symlink(new_files.path(), folder.path().join("next")).unwrap();
    std::fs::rename(folder.path().join("next"), &current).unwrap();
    program.logged("a new certificate holds").await;
    assert!(is_trusted(&program, &new).await && !is_trusted(&program, &old).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_over_is_told_of() {
    let (folder, _) = identity_until((2001, 9, 9));
    let mut program = start(&folder).ready().await;
    program.logged("is over since 2001-09-09").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_with_whom_prefers_it() {
    let (folder, mut trust) = identity();
    let program = start(&folder).ready().await;
    trust.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", program.port())).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::new(trust)).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let metrics = Request::get(format!("{}/metrics", program.url)).body(Full::<Bytes>::default()).unwrap();
    let answer = sender.send_request(metrics).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&text);
    // The first of January 2900.
    assert!(text.contains("protium_tls_certificate_expires_seconds 29348006400"), "{text}");
    assert!(text.contains("protium_connections 1"), "{text}");
}
