//! One HTTP/1.1 connection that sends a request at a time and opens itself again after a failure.
//! It waits a bounded time for an answer and reads it whole.

use crate::request::Wanted;
use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a client waits before it goes away.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to a server.
pub struct Client<'a> {
    address: &'a str,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl<'a> Client<'a> {
    /// To the server at `host:port`; nothing is opened yet.
    pub const fn new(address: &'a str) -> Self {
        Self {
            address,
            open: None,
        }
    }

    /// Sends and gives the status and the body.
    ///
    /// # Errors
    /// When the connection broke or the answer did not come in time; the next request opens another.
    pub async fn send(&mut self, wanted: &Wanted) -> Result<(u16, Bytes)> {
        let answer = tokio::time::timeout(PATIENCE, self.exchange(wanted)).await;
        let answer = answer
            .context("no answer in time")
            .and_then(|answer| answer);
        if answer.is_err() {
            self.open = None;
        }
        answer
    }

    async fn exchange(&mut self, wanted: &Wanted) -> Result<(u16, Bytes)> {
        let sender = self.opened().await?;
        sender.ready().await?;
        let answer = sender.send_request(wanted.request()).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    async fn opened(&mut self) -> Result<&mut SendRequest<Full<Bytes>>> {
        // A server may close after an answer, as when it sheds load.
        if self.open.as_ref().is_none_or(SendRequest::is_closed) {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::task::spawn_local(connection);
            self.open = Some(sender);
        }
        self.open.as_mut().context("no connection")
    }
}
