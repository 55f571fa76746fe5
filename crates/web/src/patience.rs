//! A stream that gives up on a peer who sends a request's head too slowly, or takes in nothing of an answer for too
//! long. Between requests it waits as long as it is told to elsewhere.

use crate::body::patience;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// What a connection is at, told by whoever answers its requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phase(Arc<AtomicU8>);

/// A head is arriving: also on a new connection, of which nothing has come yet.
const HEAD: u8 = 0;
/// A request is being answered; how long its body may take is bounded there.
const ANSWER: u8 = 1;
/// Nothing is asked.
const REST: u8 = 2;

impl Phase {
    /// A head has arrived.
    pub(crate) fn answering(&self) {
        self.0.store(ANSWER, Ordering::Release);
    }
    /// Its answer is on its way.
    pub(crate) fn resting(&self) {
        self.0.store(REST, Ordering::Release);
    }
}

/// A connection whose heads and writes must move.
pub(crate) struct Patient {
    stream: TcpStream,
    phase: Phase,
    head: Option<Pin<Box<Sleep>>>,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    pub(crate) const fn new(stream: TcpStream, phase: Phase) -> Self {
        Self {
            stream,
            phase,
            head: None,
            stalled: None,
        }
    }

    /// Passes on what a write gave; one that waits does so against a deadline.
    fn bounded<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(patience())));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Waits for the rest of a head, against one deadline for all of it.
    fn waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.phase.0.load(Ordering::Acquire) != HEAD {
            self.head = None;
            return Poll::Pending;
        }
        let head = self.head.get_or_insert_with(|| Box::pin(sleep(patience())));
        ready!(head.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_pending() {
            return self.waiting(cx);
        }
        if buf.filled().len() > before {
            // The first bytes after a rest begin a head; what an answer is given to has its own bounds.
            let begins =
                self.phase
                    .0
                    .compare_exchange(REST, HEAD, Ordering::AcqRel, Ordering::Acquire);
            if begins.is_ok() {
                self.head = None;
            }
        }
        read
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.bounded(cx, written)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.bounded(cx, written)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
