//! Bodies that come in, from clients that must not take for ever; and bodies of answers, which keep their request
//! under way.

use super::activity::UnderWay;
use super::pace::Pace;
use crate::http::TooSlow;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

type Error = Box<dyn std::error::Error + Send + Sync>;

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

/// A body for a client.
pub(super) struct Outgoing {
    inner: axum::body::Body,
    _under_way: UnderWay,
}

impl Outgoing {
    pub(super) fn new(inner: axum::body::Body, under_way: UnderWay) -> Self {
        Self { inner, _under_way: under_way }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
