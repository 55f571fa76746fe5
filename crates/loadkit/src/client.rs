//! One HTTP/1.1 connection that sends a request at a time and opens itself again after a failure.
//! It waits a bounded time for an answer and reads it whole.

use crate::request::Wanted;
use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::net::{TcpSocket, TcpStream, lookup_host};

/// How long a client waits before it goes away.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to a server.
pub struct Client<'a> {
    address: &'a str,
    from: Ipv4Addr,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl<'a> Client<'a> {
    /// To the server at `host:port`; nothing is opened yet.
    pub const fn new(address: &'a str) -> Self {
        Self {
            address,
            from: Ipv4Addr::LOCALHOST,
            open: None,
        }
    }

    /// The client of this number of many: to a server on this machine they come from sixteen addresses, as a server
    /// bounds how many connections one address may hold.
    pub const fn numbered(mut self, number: usize) -> Self {
        let [last, ..] = number.to_le_bytes();
        self.from = Ipv4Addr::new(127, 0, 1, last % 16 + 1);
        self
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
            let stream = self.reach().await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::task::spawn_local(connection);
            self.open = Some(sender);
        }
        self.open.as_mut().context("no connection")
    }

    async fn reach(&self) -> Result<TcpStream> {
        let mut found = lookup_host(self.address).await?;
        let to = found.next().context("no such host")?;
        let socket = match to {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if to.is_ipv4() && to.ip().is_loopback() {
            socket.bind(SocketAddr::from((self.from, 0)))?;
        }
        Ok(socket.connect(to).await?)
    }
}
