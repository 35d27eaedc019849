//! One connection, HTTP/1 or HTTP/2, from its first byte to its end.

use super::activity::{Activity, UnderWay, Verdict};
use super::body::{self, Incoming, Outgoing};
use super::pace::Pace;
use super::stream::Stream;
use crate::config::Connections;
use crate::http::Peer;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, Version};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Instant;
use tower::Service as _;

/// How long a client may take to close a connection that it was asked to close.
const FAREWELL: Duration = Duration::from_secs(5);
/// How many streams that a client has reset may wait for their end: what is more is an attack.
const RESETS: usize = 20;
/// How many streams are reset for what is wrong in them before the connection is closed.
const ERRORS: usize = 100;

/// What all connections have in common.
pub(super) struct Connector {
    http: Builder<TokioExecutor>,
    router: Router,
    limits: Connections,
}

impl Connector {
    pub(super) fn new(router: Router, limits: Connections) -> Self {
        let mut http = Builder::new(TokioExecutor::new());
        // `Activity` sees to the time that heads take.
        http.http1()
            .header_read_timeout(None)
            .max_headers(limits.headers)
            .max_buf_size(limits.header_bytes.try_into().unwrap_or(usize::MAX));
        http.http2()
            .max_concurrent_streams(limits.most_streams)
            .max_header_list_size(limits.header_bytes)
            .max_pending_accept_reset_streams(RESETS)
            .max_local_error_reset_streams(ERRORS);
        Self { http, router, limits }
    }

    /// Serves a connection until its client ends it or goes beyond a limit. When `stopping` changes, what is under way
    /// is answered, and nothing more.
    pub(super) async fn serve<I>(&self, io: I, peer: SocketAddr, mut stopping: watch::Receiver<()>)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::new(Activity::new(Instant::now()));
        let (noted, piece) = (Arc::clone(&activity), body::piece(&self.limits));
        let answer = service_fn(move |mut request: Request<hyper::body::Incoming>| {
            let under_way = UnderWay::new(&noted, request.version() == Version::HTTP_2);
            request.extensions_mut().insert(ConnectInfo(Peer(peer)));
            let answer = self.router.clone().call(request.map(|body| Incoming::new(body, Pace::new(&self.limits))));
            async move {
                let answer: Response<_> = answer.await?;
                Ok::<_, Infallible>(answer.map(|body| Outgoing::new(body, under_way, piece)))
            }
        });
        let io = Stream::new(io, Arc::clone(&activity), Pace::new(&self.limits));
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(io), answer));
        let mut timer = pin!(tokio::time::sleep(self.limits.header_time()));
        let (mut stops, mut dismissed) = (false, false);
        loop {
            tokio::select! {
                // What has come is heard before anybody is found to be too slow.
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, "a connection ended: {error}");
                    }
                    return;
                }
                // An error means that the server was dropped: the same as stopped.
                _ = stopping.changed(), if !stops => {
                    stops = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = timer.as_mut() => match activity.verdict(&self.limits, Instant::now()) {
                    Verdict::Until(moment) => timer.as_mut().reset(moment),
                    Verdict::Idle if !dismissed => {
                        dismissed = true;
                        connection.as_mut().graceful_shutdown();
                        timer.as_mut().reset(Instant::now() + FAREWELL);
                    }
                    verdict => {
                        tracing::debug!(%peer, "a connection is closed: {verdict:?}");
                        return;
                    }
                },
            }
        }
    }
}

#[cfg(test)]
mod tests;
