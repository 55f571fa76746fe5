//! The server: bounded connections, bounded heads, no patience with the slow, and an orderly end.
//! It speaks HTTP/1.1, under TLS where it is given a certificate; what is answered is the router's.

use crate::{
    Encryption, Socket,
    body::patience,
    patience::{Patient, Phase},
    sources::{Source, Sources},
};
use axum::Router;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::TokioIo,
    server::graceful::{GracefulShutdown, Watcher},
};
use ipnet::IpNet;
use kernel::limits;
use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tower::Service;

/// How long to wait before accepting again when the machine has no more descriptors.
const BREATH: Duration = Duration::from_millis(50);
/// Most headers of a request.
const HEADERS: usize = 100;

/// Listens at an address. As many connections may wait in the kernel's queue as a server holds: one that finds the
/// queue full asks again after a second, and then after two.
///
/// # Errors
/// When the address is taken or is not this machine's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(u32::try_from(limits::CONNECTIONS).unwrap_or(u32::MAX))
}

/// Serves until `shutdown` ends; addresses in `uncounted`, as trusted proxies are, may hold any number of
/// connections. Then lets requests in flight finish for a while.
///
/// # Errors
/// None at present: what goes wrong with one connection ends that connection.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    encryption: Option<Arc<Encryption>>,
    uncounted: Vec<IpNet>,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits::CONNECTIONS));
    let sources = Sources::new(limits::CONNECTIONS_PER_SOURCE);
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut shutdown => break,
        };
        if let Some((stream, peer, place)) = accepted
            && let Some(source) = sources.enter(peer.ip(), &uncounted)
        {
            tokio::spawn(connection(
                stream,
                peer,
                router.clone(),
                encryption.clone(),
                graceful.watcher(),
                (place, source),
            ));
        }
    }
    drop(listener);
    let drain = Duration::from_secs(limits::DRAIN.as_seconds().unsigned_abs());
    if timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
    Ok(())
}

/// Takes a connection once there is a place for it; until then it waits in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(cause) => {
            tracing::warn!(%cause, "a connection could not be accepted");
            sleep(BREATH).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    encryption: Option<Arc<Encryption>>,
    watcher: Watcher,
    _places: (OwnedSemaphorePermit, Source),
) {
    // Answers are small and whole: waiting to fill a segment only delays them.
    let _best_effort = stream.set_nodelay(true);
    let phase = Phase::default();
    let stream = Patient::new(stream, phase.clone());
    let Some(encryption) = encryption else {
        return speak(stream, phase, peer, router, watcher).await;
    };
    match timeout(patience(), encryption.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => speak(stream, phase, peer, router, watcher).await,
        Ok(Err(cause)) => tracing::debug!(%cause, "a handshake failed"),
        Err(_) => tracing::debug!("a handshake took too long"),
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    told: Phase,
    peer: SocketAddr,
    router: Router,
    watcher: Watcher,
) {
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(Socket(peer));
        told.answering();
        let (answered, told) = (router.clone().call(request), told.clone());
        async move {
            let answer = answered.await;
            told.resting();
            answer
        }
    });
    let served = http1::Builder::new()
        // `Patient` is stricter, and has no timer for each request.
        .header_read_timeout(None)
        .max_headers(HEADERS)
        .max_header_size(limits::HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(cause) = watcher.watch(served).await {
        tracing::debug!(%cause, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_wait_in_the_kernel_until_they_are_taken() {
        let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let most = most
            .trim()
            .parse::<usize>()
            .unwrap()
            .min(limits::CONNECTIONS);
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        // Nobody accepts, and who has gone still has a place; more than what a listener usually has room for.
        for _ in 0..most.min(1_200) {
            let soon = timeout(Duration::from_millis(900), TcpStream::connect(address)).await;
            drop(soon.expect("it is not asked again").unwrap());
        }
    }
}
