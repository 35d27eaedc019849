//! The bytes of a connection: what is heard is noted, and who does not read what is sent is given up.

use super::activity::Activity;
use super::pace::Pace;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

pub(super) struct Stream<I> {
    inner: I,
    activity: Arc<Activity>,
    writing: Pace,
}

impl<I> Stream<I> {
    pub(super) fn new(inner: I, activity: Arc<Activity>, writing: Pace) -> Self {
        Self { inner, activity, writing }
    }

    /// What came of an attempt to write, unless it has come to nothing for too long.
    fn written<T>(
        &mut self,
        attempt: Poll<Result<T>>,
        bytes: fn(&T) -> usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T>> {
        match attempt {
            Poll::Ready(done) => {
                self.writing.moved(done.as_ref().map_or(0, bytes));
                Poll::Ready(done)
            }
            Poll::Pending => self
                .writing
                .poll_too_slow(cx)
                .map(|()| Err(Error::new(ErrorKind::TimedOut, "the client does not read its answer"))),
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Stream<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.heard(Instant::now);
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Stream<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let attempt = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.written(attempt, |written| *written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let attempt = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.written(attempt, |written| *written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let attempt = Pin::new(&mut self.inner).poll_flush(cx);
        self.written(attempt, |()| 0, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let attempt = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.written(attempt, |()| 0, cx)
    }
}
