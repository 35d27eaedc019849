//! Load: whole requests that were made before, over connections that stay open, one after the other on each.
//!
//! It knows as much of HTTP/1.1 as the contenders answer: a status, headers, and a body of a known length. So it
//! costs the same few microseconds whoever answers.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Requests as they go over the wire.
pub(crate) struct Pool {
    pub(crate) requests: Vec<Vec<u8>>,
    /// Whether to begin anew at the end; else the load ends there.
    pub(crate) again: bool,
}

/// How many requests per second are answered with 200 over so many connections.
pub(crate) async fn rate(address: SocketAddr, pool: Pool, connections: usize, time: Duration) -> Result<f64> {
    let pool = Rc::new(pool);
    let next = Rc::new(Cell::new(0));
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(Connection::open(address).await?);
    }
    let began = Instant::now();
    let until = began + time;
    let tasks = streams.into_iter().map(|mut connection| {
        let (pool, next) = (Rc::clone(&pool), Rc::clone(&next));
        async move {
            let mut done = 0_u32;
            while Instant::now() < until {
                let index = next.replace(next.get() + 1);
                let index = if pool.again { index % pool.requests.len() } else { index };
                let Some(request) = pool.requests.get(index) else { break };
                let answer = connection.exchange(request).await?;
                if answer.status != 200 {
                    bail!("status {}: {}", answer.status, String::from_utf8_lossy(answer.body));
                }
                done += 1;
            }
            Ok(done)
        }
    });
    let done: u32 = futures::future::try_join_all(tasks).await?.into_iter().sum();
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}

/// An open connection with its buffer.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

struct Head {
    status: u16,
    /// Where the body starts.
    length: usize,
    body_length: Option<usize>,
    closes: bool,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self { address, stream: connect(address).await?, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and reads its answer to the end.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("{} closed the connection before it answered", self.address);
            }
            if let Some(head) = head(&self.buffer)? {
                break head;
            }
        };
        let end = head.body_length.map(|length| head.length + length);
        while end.is_none_or(|end| self.buffer.len() < end) {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                if end.is_some() {
                    bail!("{} closed the connection within an answer", self.address);
                }
                break;
            }
        }
        if head.closes || end.is_none() {
            self.stream = connect(self.address).await?;
        }
        Ok(Answer { status: head.status, body: self.buffer.get(head.length..).unwrap_or_default() })
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The head of an answer, once all of it is there.
fn head(buffer: &[u8]) -> Result<Option<Head>> {
    let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(buffer.get(..end).unwrap_or_default()).context("headers that are not text")?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("'{first}' is no status line"))?;
    let mut head = Head { status, length: end + 4, body_length: None, closes: first.starts_with("HTTP/1.0") };
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            head.body_length = Some(value.trim().parse().with_context(|| format!("'{line}' is no length"))?);
        } else if name.eq_ignore_ascii_case("connection") {
            head.closes |= value.trim().eq_ignore_ascii_case("close");
        }
    }
    Ok(Some(head))
}
