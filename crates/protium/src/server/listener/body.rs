//! Bodies that come in, from clients that must not take for ever; and bodies of answers, which keep their request
//! under way, and say whether they are read.

use super::activity::UnderWay;
use super::pace::Pace;
use crate::config::Connections;
use crate::http::TooSlow;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How much an answer may give at once in HTTP/2, in bytes.
pub(super) fn piece(limits: &Connections) -> usize {
    let in_time = limits.patience_seconds.saturating_mul(limits.slowest_bytes_per_second);
    usize::try_from(in_time.clamp(1, PIECE)).unwrap_or(usize::MAX)
}

/// A body from a client. It fails with [`TooSlow`] when the client does not keep its pace.
pub(super) struct Incoming<B> {
    inner: B,
    pace: Pace,
}

impl<B> Incoming<B> {
    pub(super) fn new(inner: B, pace: Pace) -> Self {
        Self { inner, pace }
    }
}

impl<B: Body<Data = Bytes, Error: Into<Error>> + Unpin> Body for Incoming<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(frame) => {
                let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
                self.pace.moved(data.map_or(0, Bytes::len));
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                ready!(self.pace.poll_too_slow(cx));
                Poll::Ready(Some(Err(TooSlow.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The most bytes that an answer gives at once in HTTP/2.
const PIECE: u64 = 16 * 1024;

/// A body for a client.
///
/// In HTTP/2 it is asked for more when the client lets more come, and dropped when it has given all: so that both follow
/// how the client reads, it gives no more at once than is to be read in its time.
pub(super) struct Outgoing {
    inner: axum::body::Body,
    under_way: UnderWay,
    /// The most that is given at once, in bytes, and what is left of more.
    piece: usize,
    left: Bytes,
}

impl Outgoing {
    /// `piece`: see [`piece`].
    pub(super) fn new(inner: axum::body::Body, under_way: UnderWay, piece: usize) -> Self {
        let piece = if under_way.is_http2() { piece } else { usize::MAX };
        Self { inner, under_way, piece, left: Bytes::new() }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.left.is_empty() {
            let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
                self.under_way.go_on();
                return Poll::Pending;
            };
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.left = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        self.under_way.stand();
        let piece = self.piece.min(self.left.len());
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (left, inner) = (self.left.len() as u64, self.inner.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(left));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(left));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::super::activity::Activity;
    use super::*;
    use futures::FutureExt as _;
    use http_body_util::BodyExt as _;
    use std::sync::Arc;
    use tokio::time::Instant;

    /// What is left to give before each frame, and the length of that.
    fn given(is_http2: bool, body: Vec<u8>) -> Vec<(u64, usize)> {
        let under_way = UnderWay::new(&Arc::new(Activity::new(Instant::now())), is_http2);
        let mut body = Outgoing::new(body.into(), under_way, piece(&Connections::default()));
        let mut given = Vec::new();
        while !body.is_end_stream() {
            let left = body.size_hint().exact().expect("a length");
            let frame = body.frame().now_or_never().expect("it is there").expect("not the end").expect("no error");
            given.push((left, frame.into_data().expect("data").len()));
        }
        given
    }

    #[test]
    fn an_answer_is_given_in_pieces_that_must_be_read_in_time() {
        assert_eq!(given(true, vec![0; 40_000]), [(40_000, 16_384), (23_616, 16_384), (7_232, 7_232)]);
        assert_eq!(given(false, vec![0; 40_000]), [(40_000, 40_000)]);
        assert_eq!(given(true, Vec::new()), []);
        let limits = Connections { patience_seconds: 2, slowest_bytes_per_second: 100, ..Connections::default() };
        assert_eq!(piece(&limits), 200);
    }
}
