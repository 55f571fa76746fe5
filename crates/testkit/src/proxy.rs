//! A wire that can be cut, delayed and throttled, in each direction: it stands between a client and a server of the
//! machine and passes bytes on. Knows no protocol and never changes a byte.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch::{Receiver, Sender, channel},
};

const BUFFER: usize = 16 * 1024;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Out,
    /// From the server to the client.
    Back,
}

/// How bytes pass in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Whether they pass at all. What was sent meanwhile arrives when they do again, as after a cable is back.
    pub open: bool,
    /// How long each piece is held.
    pub delay: Duration,
    /// How many bytes pass in a second; as many as come when absent.
    pub rate: Option<u32>,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            open: true,
            delay: Duration::ZERO,
            rate: None,
        }
    }
}

/// What happens to connections.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wire {
    target: SocketAddr,
    out: Flow,
    back: Flow,
    /// New connections are reset.
    refused: bool,
    /// Counts the cuts: a connection older than the last one is reset.
    cuts: u64,
}

impl Wire {
    fn flow(&self, way: Way) -> &Flow {
        match way {
            Way::Out => &self.out,
            Way::Back => &self.back,
        }
    }
}

/// The wire. It is gone, with every connection over it, when this value is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wire: Arc<Sender<Wire>>,
    thread: Option<std::thread::JoinHandle<()>>,
    end: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Proxy {
    /// A whole wire to a server on this machine, on a free loopback port, with a thread of its own.
    ///
    /// # Panics
    /// When no port is free.
    pub fn to(target: SocketAddr) -> Self {
        let wire = Wire {
            target,
            out: Flow::default(),
            back: Flow::default(),
            refused: false,
            cuts: 0,
        };
        let wire = Arc::new(channel(wire).0);
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free");
        listener
            .set_nonblocking(true)
            .expect("a listener can be polled");
        let address = listener.local_addr().expect("a listener has an address");
        let (end, ended) = tokio::sync::oneshot::channel();
        let shared = wire.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime starts");
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, &shared) => {}
                    _ = ended => {}
                }
            });
        });
        Self {
            address,
            wire,
            thread: Some(thread),
            end: Some(end),
        }
    }

    /// A wire to a server on a loopback port.
    pub fn to_port(port: u16) -> Self {
        Self::to((Ipv4Addr::LOCALHOST, port).into())
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same URL over this wire: its host and port are the ones of the wire.
    ///
    /// # Panics
    /// When the URL names no port.
    pub fn url(&self, url: &str) -> String {
        let (before, rest) = url.split_once("://").expect("a URL has a scheme");
        let at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let user = authority
            .rsplit_once('@')
            .map_or(String::new(), |(user, _)| format!("{user}@"));
        format!("{before}://{user}{}{path}", self.address)
    }

    /// Resets every connection and every new one: both sides learn of it at once.
    pub fn cut(&self) {
        self.wire.send_modify(|wire| {
            wire.refused = true;
            wire.cuts += 1;
        });
    }

    /// Resets the connections of now; new ones pass.
    pub fn reset(&self) {
        self.wire.send_modify(|wire| wire.cuts += 1);
    }

    /// Nothing passes in either direction and nobody is told: connections stand, new ones are taken and hang.
    pub fn silence(&self) {
        self.wire.send_modify(|wire| {
            wire.out.open = false;
            wire.back.open = false;
        });
    }

    /// Sets how bytes pass in one direction.
    pub fn set(&self, way: Way, flow: Flow) {
        self.wire.send_modify(|wire| match way {
            Way::Out => wire.out = flow,
            Way::Back => wire.back = flow,
        });
    }

    /// Makes the wire whole again.
    pub fn heal(&self) {
        self.wire.send_modify(|wire| {
            wire.out = Flow::default();
            wire.back = Flow::default();
            wire.refused = false;
        });
    }

    /// Leads new connections to another server.
    pub fn aim(&self, target: SocketAddr) {
        self.wire.send_modify(|wire| wire.target = target);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.end.take());
        // A thread that panicked has already said so.
        let _ended = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

async fn accept(listener: std::net::TcpListener, wire: &Sender<Wire>) {
    let listener = TcpListener::from_std(listener).expect("a listener can be adopted");
    loop {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        let mut seen = wire.subscribe();
        let now = seen.borrow_and_update().clone();
        if now.refused {
            reset(client);
        } else {
            tokio::spawn(carry(client, now, seen));
        }
    }
}

/// Closes so that the other side sees a reset.
fn reset(stream: TcpStream) {
    // Either way the connection is gone.
    let _lingers = stream.set_zero_linger();
}

async fn carry(client: TcpStream, began: Wire, seen: Receiver<Wire>) {
    let Ok(server) = TcpStream::connect(began.target).await else {
        return reset(client);
    };
    // Small messages pass at once, as on the machine's own loopback.
    let _delays = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut cut = seen.clone();
    let whole = async {
        tokio::join!(
            pump(&mut from_client, &mut to_server, seen.clone(), Way::Out),
            pump(&mut from_server, &mut to_client, seen.clone(), Way::Back),
        );
    };
    let is_cut = tokio::select! {
        _ = cut.wait_for(|wire| wire.cuts != began.cuts) => true,
        () = whole => false,
    };
    if is_cut {
        let ends = [from_client.as_ref(), from_server.as_ref()];
        // Either way the connection is gone.
        let _resets = ends.map(TcpStream::set_zero_linger);
    }
}

/// Passes bytes on until one side ends, and ends the other.
async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut seen: Receiver<Wire>,
    way: Way,
) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let flow = *seen.borrow_and_update().flow(way);
        tokio::time::sleep(flow.held(read)).await;
        if seen.wait_for(|wire| wire.flow(way).open).await.is_err() {
            return;
        }
        let piece = buffer.get(..read).unwrap_or_default();
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
    // The end of a stream is passed on like its bytes.
    if seen.wait_for(|wire| wire.flow(way).open).await.is_ok() {
        let _gone = to.shutdown().await;
    }
}

impl Flow {
    /// How long a piece of this size is on its way.
    fn held(&self, bytes: usize) -> Duration {
        let size = u32::try_from(bytes).unwrap_or(u32::MAX);
        let passing = self.rate.map_or(Duration::ZERO, |rate| {
            Duration::from_secs(1) * size / rate.max(1)
        });
        self.delay + passing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{Clock, Micros, ambient::SystemClock};
    use std::{
        io::{ErrorKind, Read, Write},
        net::TcpListener as Listener,
        net::TcpStream as Stream,
    };

    /// A server that sends back what it gets.
    fn echo() -> SocketAddr {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut back = stream.try_clone().unwrap();
                    let _gone = std::io::copy(&mut stream, &mut back);
                });
            }
        });
        address
    }

    fn client(proxy: &Proxy) -> Stream {
        let stream = Stream::connect(proxy.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        stream
    }

    fn answered(stream: &mut Stream, text: &[u8]) -> std::io::Result<Vec<u8>> {
        stream.write_all(text)?;
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn a_cut_resets_old_and_new_and_healing_lets_new_ones_pass() {
        let proxy = Proxy::to(echo());
        let mut old = client(&proxy);
        assert_eq!(answered(&mut old, b"one").unwrap(), b"one");
        proxy.cut();
        let told = answered(&mut old, b"two").unwrap_err().kind();
        assert!(
            matches!(
                told,
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
            ),
            "{told}"
        );
        let told = answered(&mut client(&proxy), b"three").unwrap_err().kind();
        assert!(
            matches!(
                told,
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
            ),
            "{told}"
        );
        proxy.heal();
        assert_eq!(answered(&mut client(&proxy), b"four").unwrap(), b"four");
    }

    #[test]
    fn silence_tells_nobody_and_what_was_sent_arrives_afterwards() {
        let proxy = Proxy::to(echo());
        let mut stream = client(&proxy);
        assert_eq!(answered(&mut stream, b"one").unwrap(), b"one");
        proxy.set(
            Way::Back,
            Flow {
                open: false,
                ..Flow::default()
            },
        );
        let told = answered(&mut stream, b"two").unwrap_err().kind();
        assert_eq!(told, ErrorKind::WouldBlock, "nobody says anything");
        proxy.silence();
        let told = answered(&mut client(&proxy), b"new").unwrap_err().kind();
        assert_eq!(told, ErrorKind::WouldBlock, "a new one is taken and hangs");
        proxy.heal();
        let mut late = [0; 3];
        stream.read_exact(&mut late).unwrap();
        assert_eq!(&late, b"two");
    }

    #[test]
    fn a_delay_and_a_rate_take_the_time_they_say() {
        let proxy = Proxy::to(echo());
        let mut stream = client(&proxy);
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let timed = |stream: &mut Stream, text: &[u8]| {
            let began = SystemClock.boot();
            answered(stream, text).unwrap();
            SystemClock.boot().since(began)
        };
        let slow = Flow {
            delay: Duration::from_millis(150),
            ..Flow::default()
        };
        proxy.set(Way::Out, slow);
        assert!(timed(&mut stream, b"x") >= Micros::new(150_000));
        proxy.heal();
        proxy.set(
            Way::Back,
            Flow {
                rate: Some(10_000),
                ..Flow::default()
            },
        );
        assert!(timed(&mut stream, &[7; 2_000]) >= Micros::new(190_000));
    }

    #[test]
    fn it_leads_elsewhere_and_names_itself_in_a_url() {
        let proxy = Proxy::to_port(1);
        let told = answered(&mut client(&proxy), b"one").unwrap_err().kind();
        assert!(
            matches!(
                told,
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
            ),
            "nobody listens there: {told}"
        );
        proxy.aim(echo());
        assert_eq!(answered(&mut client(&proxy), b"two").unwrap(), b"two");
        let url = proxy.url("postgres://postgres@127.0.0.1:5432/test?x=y");
        assert_eq!(
            url,
            format!("postgres://postgres@{}/test?x=y", proxy.address())
        );
    }
}
