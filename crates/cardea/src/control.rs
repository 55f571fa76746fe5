//! The way from the command line into a running server on the same machine: a socket in the private data folder
//! that only its owner may use. It takes what `local` knows and nothing else, one request a connection.

use crate::{
    data::{CONTROL_SOCKET, Data},
    local::{self, Done, Refusal, Request},
};
use serde::{Deserialize, Serialize};
use service::Platform;
use std::{
    fs::{self, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
    time::timeout,
};

const LONGEST: u64 = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Done(Done),
    Refused(Refusal),
}

/// The listening side. Ends when dropped.
pub struct Control {
    task: JoinHandle<()>,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Control {
    /// Listens in a data folder that this process holds, so that an old socket is nobody's.
    ///
    /// # Errors
    /// When the system refuses, as for a path that is too long.
    pub fn listen(data: &Data, platform: Arc<Platform>) -> io::Result<Self> {
        data.remove(CONTROL_SOCKET).map_err(io::Error::other)?;
        let path = data.file(CONTROL_SOCKET);
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let platform = platform.clone();
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, &platform).await {
                        tracing::debug!(%error, "a request on the control socket ended early");
                    }
                });
            }
        });
        Ok(Self { task })
    }
}

async fn serve(mut stream: UnixStream, platform: &Platform) -> io::Result<()> {
    let own = rustix::process::geteuid().as_raw();
    if !matches!(stream.peer_cred()?.uid(), uid if uid == own || uid == 0) {
        return Ok(());
    }
    let mut text = Vec::new();
    let (reader, mut writer) = stream.split();
    timeout(PATIENCE, reader.take(LONGEST).read_to_end(&mut text)).await??;
    let answer = match serde_json::from_slice::<Request>(&text) {
        Ok(request) => match local::perform(platform, request).await {
            Ok(done) => Answer::Done(done),
            Err(refusal) => Answer::Refused(refusal),
        },
        Err(error) => {
            let detail = format!(
                "the running server does not know this request: {error}; use its own version of the command"
            );
            Answer::Refused(Refusal {
                code: "malformed_body".into(),
                detail,
            })
        }
    };
    writer.write_all(&serde_json::to_vec(&answer)?).await?;
    writer.shutdown().await
}

/// Asks the server that holds the data folder. Blocks.
///
/// # Errors
/// When no server answers there.
pub fn ask(data: &Data, request: &Request) -> io::Result<Result<Done, Refusal>> {
    let mut stream = std::os::unix::net::UnixStream::connect(data.file(CONTROL_SOCKET))?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(&serde_json::to_vec(request)?)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut text = Vec::new();
    stream.take(LONGEST).read_to_end(&mut text)?;
    match serde_json::from_slice(&text)? {
        Answer::Done(done) => Ok(Ok(done)),
        Answer::Refused(refusal) => Ok(Err(refusal)),
    }
}
