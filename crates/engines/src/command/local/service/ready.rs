//! Whether something answers at a port of this machine: one question of HTTP, asked without more than a socket.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The beginning of an answer, up to its status: `HTTP/1.1 200`.
const BEGINNING: usize = 12;

/// Whether somebody has the port.
pub(super) fn is_taken(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// The status that a `GET` of the path is answered with.
///
/// # Errors
///
/// When there is no answer in time, or none of HTTP.
pub(super) fn ask(port: u16, path: &str) -> io::Result<u16> {
    let until = Instant::now() + PATIENCE;
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::with_capacity(BEGINNING);
    while answer.len() < BEGINNING {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let mut part = [0; BEGINNING];
        match stream.read(&mut part)? {
            0 => break,
            read => answer.extend_from_slice(&part[..read]),
        }
    }
    status(&answer).ok_or_else(|| io::Error::other("the answer is none of HTTP"))
}

fn status(answer: &[u8]) -> Option<u16> {
    let beginning = std::str::from_utf8(answer.get(..BEGINNING)?).ok()?;
    let (version, status) = beginning.split_once(' ')?;
    version.starts_with("HTTP/1.").then_some(())?;
    status.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers one question with that, and hangs up.
    fn answering(answer: &'static [u8]) -> (u16, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.push(byte[0]);
            }
            stream.write_all(answer).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (port, asked)
    }

    #[test]
    fn the_status_is_what_is_answered() {
        for (answer, expected) in [
            (b"HTTP/1.0 200 OK\r\n\r\nhello".as_slice(), Some(200)),
            (b"HTTP/1.1 503 no\r\n\r\n", Some(503)),
            (b"HTTP/1.1 302\r\n", Some(302)),
            (b"SSH-2.0-OpenSSH_9.2p1", None),
            (b"HTTP/1.1 2", None),
            (b"", None),
        ] {
            let (port, asked) = answering(answer);
            assert_eq!(ask(port, "/up?x=1").ok(), expected);
            assert!(asked.join().unwrap().starts_with("GET /up?x=1 HTTP/1.0\r\nHost: 127.0.0.1:"));
        }
    }

    #[test]
    fn a_port_is_taken_while_somebody_listens() {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(is_taken(port), "one on all addresses has it too");
        drop(listener);
        assert!(!is_taken(port));
        assert!(ask(port, "/").is_err());
    }
}
