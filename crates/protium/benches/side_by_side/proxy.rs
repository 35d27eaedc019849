//! A wire between Protium and the emulator that notes when each call was under way.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// From when to when a call was under way, and what it was.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) action: String,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
}

/// A running wire. It passes bytes on as they come.
pub(crate) struct Proxy {
    address: SocketAddr,
    calls: Rc<RefCell<Vec<Call>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Must be called within a `LocalSet`.
    pub(crate) async fn start(to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let calls: Rc<RefCell<Vec<Call>>> = Rc::default();
        let noted = Rc::clone(&calls);
        let server = tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let noted = Rc::clone(&noted);
                tokio::task::spawn_local(async move {
                    // A connection that breaks is the engine's to repeat.
                    let _ = pass(stream, to, &noted).await;
                });
            }
        });
        Ok(Self { address, calls, server })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls since the last time.
    pub(crate) fn take(&self) -> Vec<Call> {
        self.calls.take()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// How long at least one of the calls was under way.
pub(crate) fn busy(calls: &[Call]) -> Duration {
    let mut calls: Vec<&Call> = calls.iter().collect();
    calls.sort_by_key(|call| call.began);
    let mut busy = Duration::ZERO;
    let mut until: Option<Instant> = None;
    for call in calls {
        let began = until.map_or(call.began, |until| until.max(call.began));
        busy += call.ended.saturating_duration_since(began);
        until = Some(until.map_or(call.ended, |until| until.max(call.ended)));
    }
    busy
}

/// Passes both directions on. A call lasts from the first byte of a request to the last byte before the next one.
async fn pass(mut near: TcpStream, to: SocketAddr, calls: &RefCell<Vec<Call>>) -> Result<()> {
    let mut far = TcpStream::connect(to).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let mut current: Option<usize> = None;
    let (mut request, mut answer) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = near.read(&mut request) => {
                let bytes = request.get(..read?).unwrap_or_default();
                if bytes.is_empty() {
                    return Ok(());
                }
                let now = Instant::now();
                if bytes.starts_with(b"POST ") || bytes.starts_with(b"GET ") || bytes.starts_with(b"PUT ") {
                    let mut calls = calls.borrow_mut();
                    current = Some(calls.len());
                    calls.push(Call { action: String::new(), began: now, ended: now });
                }
                name(calls, current, bytes);
                far.write_all(bytes).await?;
            }
            read = far.read(&mut answer) => {
                let bytes = answer.get(..read?).unwrap_or_default();
                if bytes.is_empty() {
                    return Ok(());
                }
                near.write_all(bytes).await?;
                end(calls, current);
            }
        }
    }
}

/// Notes that the answer has come so far.
fn end(calls: &RefCell<Vec<Call>>, current: Option<usize>) {
    let mut calls = calls.borrow_mut();
    if let Some(call) = current.and_then(|index| calls.get_mut(index)) {
        call.ended = Instant::now();
    }
}

/// Notes what a request asks for, once that has come by.
fn name(calls: &RefCell<Vec<Call>>, current: Option<usize>, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let action = text.split_once("Action=").and_then(|(_, rest)| rest.split('&').next());
    let mut calls = calls.borrow_mut();
    if let (Some(action), Some(call)) = (action, current.and_then(|index| calls.get_mut(index))) {
        call.action = action.to_owned();
    }
}
