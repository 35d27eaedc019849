//! The listener: accepts connections, as many as there may be, and serves each beside the others.
//!
//! Owns what is limited before anybody has signed anything: connections, the time they take, the size of their heads.
//! Does not know what is asked.

mod activity;
mod body;
mod connection;
mod pace;
mod stream;

use crate::config::Config;
use crate::crowd::{Crowd, Full};
use crate::http::Metrics;
use crate::tls::Certificates;
use axum::Router;
use connection::Connector;
use rustix::process::{Resource, getrlimit};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// The most connections, if nobody says how many.
const USUAL: usize = 4096;
/// How long to wait when the machine has no place for a connection.
const BREATH: Duration = Duration::from_millis(100);
/// How often it is said that clients are turned away.
const QUIET: Duration = Duration::from_secs(60);

pub(super) struct Listener {
    socket: TcpListener,
    connector: Arc<Connector>,
    certificates: Option<Arc<Certificates>>,
    handshake: Duration,
    crowd: Arc<Crowd>,
    metrics: Metrics,
    /// When it was last said that clients are turned away, and how many were since.
    said: Option<Instant>,
    turned_away: u64,
}

impl Listener {
    /// What `socket` accepts is answered by `router`, over TLS if there are certificates.
    pub(super) fn new(
        socket: TcpListener,
        router: Router,
        certificates: Option<Arc<Certificates>>,
        config: &Config,
        metrics: Metrics,
    ) -> Self {
        let limits = &config.connections;
        Self {
            socket,
            certificates,
            handshake: limits.header_time(),
            crowd: Crowd::new(possible(limits.most), limits.most_per_address, &config.trusted_proxies),
            connector: Arc::new(Connector::new(router, limits.clone())),
            metrics,
            said: None,
            turned_away: 0,
        }
    }

    /// Serves until `stopped`, and then until the last request is answered.
    pub(super) async fn run(mut self, stopped: oneshot::Receiver<()>) {
        let (stop, stopping) = watch::channel(());
        let accepting = async {
            loop {
                let (stream, peer) = self.accept().await;
                self.let_in(stream, peer, &stopping);
            }
        };
        tokio::select! {
            () = accepting => {}
            // An error means that the server was dropped: the same as stopped.
            _ = stopped => {}
        }
        // Who comes now is refused by the machine.
        drop((self, stopping));
        stop.send_replace(());
        stop.closed().await;
    }

    async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok(accepted) => return accepted,
                // The client's matter, and over.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
                    ) => {}
                Err(error) => {
                    tracing::warn!("a connection can't be accepted: {error}");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    /// Serves a connection if there is a place for it; else closes it.
    fn let_in(&mut self, stream: TcpStream, peer: SocketAddr, stopping: &watch::Receiver<()>) {
        let place = match self.crowd.enter(Some(peer.ip())) {
            Ok(place) => place,
            Err(full) => return self.turn_away(peer, full),
        };
        self.metrics.connection_opened();
        // An answer that is complete is sent, whatever the client has acknowledged.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, "a connection can't be told not to wait: {error}");
        }
        let (connector, metrics, stopping) = (Arc::clone(&self.connector), self.metrics.clone(), stopping.clone());
        let (certificates, handshake) = (self.certificates.clone(), self.handshake);
        tokio::spawn(async move {
            match certificates {
                None => connector.serve(stream, peer, stopping).await,
                Some(certificates) => {
                    if let Some(stream) = agree(&certificates, stream, peer, handshake, stopping.clone()).await {
                        connector.serve(stream, peer, stopping).await;
                    }
                }
            }
            drop(place);
            metrics.connection_closed();
        });
    }

    fn turn_away(&mut self, peer: SocketAddr, full: Full) {
        self.turned_away += 1;
        let why = match full {
            Full::All => "most",
            Full::Address => "most-per-address",
        };
        self.metrics.turned_away(why);
        if self.said.is_none_or(|said| said.elapsed() >= QUIET) {
            let number = std::mem::take(&mut self.turned_away);
            tracing::warn!(%peer, number, "connections are closed at once, there are too many: connections.{why}");
            self.said = Some(Instant::now());
        }
    }
}

/// The TLS stream, if the client agrees on one before it takes too long or the server stops.
async fn agree(
    certificates: &Certificates,
    stream: TcpStream,
    peer: SocketAddr,
    patience: Duration,
    mut stopping: watch::Receiver<()>,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let agreed = tokio::select! {
        agreed = tokio::time::timeout(patience, certificates.acceptor().accept(stream)) => agreed,
        _ = stopping.changed() => return None,
    };
    match agreed {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%peer, "no TLS connection: {error}");
            None
        }
        Err(_) => {
            tracing::debug!(%peer, "the TLS handshake took too long");
            None
        }
    }
}

/// So many connections, or else what is usual, and no more than the process may have beside its files.
fn possible(wanted: Option<usize>) -> usize {
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    let possible = files.map_or(usize::MAX, |files| (files / 4 * 3).max(1));
    if let Some(wanted) = wanted.filter(|wanted| *wanted > possible) {
        tracing::warn!(
            "connections.most: {wanted} connections need more open files than the process may have; there will be \
             {possible} at most. Raise the limit (ulimit -n, LimitNOFILE of systemd), or ask for less"
        );
    }
    wanted.unwrap_or(USUAL).min(possible)
}
