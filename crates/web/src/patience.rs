//! A stream that gives up on a peer who sends a request's head too slowly, takes in nothing of an answer for too
//! long, or asks nothing more. What happens with every request costs no timer and reads no clock.

use crate::body::patience;
use kernel::limits;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// How long a connection is kept without a request, and twice as long at most.
const KEEP_ALIVE: Duration = Duration::from_secs(limits::KEEP_ALIVE.as_seconds().unsigned_abs());

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
    /// Runs out again and again; not begun anew with each request.
    rest: Option<Pin<Box<Sleep>>>,
    /// Whether anything came since `rest` began.
    asked: bool,
}

impl Patient {
    pub(crate) const fn new(stream: TcpStream, phase: Phase) -> Self {
        Self {
            stream,
            phase,
            head: None,
            stalled: None,
            rest: None,
            asked: false,
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

    /// Waits for what comes next, as long as it may take.
    fn waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.phase.0.load(Ordering::Acquire) {
            HEAD => self.in_a_head(cx),
            REST => self.at_rest(cx),
            _ => {
                self.head = None;
                Poll::Pending
            }
        }
    }

    /// Waits for the rest of a head, against one deadline for all of it.
    fn in_a_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let head = self.head.get_or_insert_with(|| Box::pin(sleep(patience())));
        ready!(head.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Waits for the next request.
    fn at_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.head = None;
        loop {
            let rest = self.rest.get_or_insert_with(|| Box::pin(sleep(KEEP_ALIVE)));
            ready!(rest.as_mut().poll(cx));
            self.rest = None;
            if !std::mem::take(&mut self.asked) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
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
            self.asked = true;
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::timeout,
    };

    async fn pair() -> (TcpStream, Patient, Phase) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, served) = tokio::join!(client, listener.accept());
        let phase = Phase::default();
        let patient = Patient::new(served.unwrap().0, phase.clone());
        (client.unwrap(), patient, phase)
    }

    #[tokio::test]
    async fn who_asks_nothing_more_is_let_go_and_who_asks_is_kept() {
        let (mut client, mut patient, phase) = pair().await;
        let mut buf = [0; 8];
        for _ in 0..3 {
            client.write_all(b"x").await.unwrap();
            assert_eq!(patient.read(&mut buf).await.unwrap(), 1);
            phase.resting();
        }
        // From here on time runs as soon as nobody has anything to do.
        tokio::time::pause();
        let early = timeout(KEEP_ALIVE - Duration::from_secs(1), patient.read(&mut buf));
        assert!(early.await.is_err(), "it is still kept");
        let let_go = timeout(2 * KEEP_ALIVE, patient.read(&mut buf));
        let let_go = let_go.await.expect("not for ever").unwrap_err();
        assert_eq!(let_go.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn an_answer_may_take_its_time() {
        let (_client, mut patient, phase) = pair().await;
        phase.answering();
        tokio::time::pause();
        let mut buf = [0; 8];
        let read = timeout(4 * KEEP_ALIVE, patient.read(&mut buf));
        assert!(read.await.is_err(), "it is still waited for");
    }
}
