//! The server on a real socket: bounded heads, no patience with silence, and an orderly end.

use crate::world::World;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
    world: World,
}

async fn running() -> Running {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _ended = stopped.await;
    };
    let server = tokio::spawn(web::serve(
        listener,
        world.router.clone(),
        None,
        Vec::new(),
        shutdown,
    ));
    Running {
        address,
        stop,
        server,
        world,
    }
}

/// Sends bytes and reads until the server closes.
async fn exchange(address: SocketAddr, sent: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    let _cut = timeout(Duration::from_secs(20), stream.read_to_end(&mut read))
        .await
        .expect("the server closes");
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test]
async fn a_request_is_answered_and_a_huge_head_refused() {
    let Running {
        address,
        stop,
        server,
        world,
    } = running().await;
    let live = "GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert!(exchange(address, live).await.starts_with("HTTP/1.1 200 OK"));
    let padding = "x".repeat(kernel::limits::HEAD_BYTES);
    let huge = format!("GET /health/live HTTP/1.1\r\nhost: localhost\r\nx-pad: {padding}\r\n\r\n");
    assert!(exchange(address, &huge).await.starts_with("HTTP/1.1 431"));
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    drop(world);
}

#[tokio::test]
async fn silence_ends_a_connection() {
    let Running {
        address,
        stop,
        server,
        world,
    } = running().await;
    let token = &world.token;
    let half = format!(
        "POST /api/v1/orgs/acme/users HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    let (head, body) = tokio::join!(
        exchange(address, "GET / HTTP/1.1\r\nhost: loc"),
        exchange(address, &half)
    );
    assert!(!head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        body.starts_with("HTTP/1.1 400") && body.contains("malformed_body"),
        "{body}"
    );
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_in_flight_finishes_after_the_end_was_asked_for() {
    let Running {
        address,
        stop,
        server,
        world,
    } = running().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let token = &world.token;
    // Waits a second inside for a revision that does not come.
    let slow = format!(
        "GET /api/v1/orgs/acme HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         cardea-at-least: 99999\r\n\r\n"
    );
    stream.write_all(slow.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.send(()).unwrap();
    let mut read = String::new();
    stream.read_to_string(&mut read).await.unwrap();
    assert!(
        read.starts_with("HTTP/1.1 503") && read.contains("stale_state"),
        "{read}"
    );
    timeout(Duration::from_secs(5), server)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
}
