//! A peer in the same run: the npm package `oidc-provider`, issuing ES256 JWT access tokens by client credentials
//! from memory. Left out with a line when it cannot be installed.

use super::{
    Bench,
    closed::{self, Figure, Named, Target},
    requests,
};
use anyhow::{Context, Result, bail};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const VERSION: &str = "oidc-provider@9.13.3";

const PROGRAM: &str = r#"
import Provider from 'oidc-provider';
import { generateKeyPairSync } from 'node:crypto';
const port = Number(process.argv[2]);
const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'app', client_secret: 'secretsecretsecretsecret', grant_types: ['client_credentials'], id_token_signed_response_alg: 'ES256', redirect_uris: [], response_types: [] }],
  jwks: { keys: [{ ...jwk, kid: 'k', alg: 'ES256', use: 'sig' }] },
  scopes: ['api:read'],
  features: { devInteractions: { enabled: false }, clientCredentials: { enabled: true }, resourceIndicators: { enabled: true,
    defaultResource: () => 'urn:api', getResourceServerInfo: () => ({ scope: 'api:read', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }) } },
});
provider.listen(port, '127.0.0.1');
"#;

const BASIC: &str = "Basic YXBwOnNlY3JldHNlY3JldHNlY3JldHNlY3JldA==";

/// The peer's client credentials, measured as ours are.
pub fn measure(bench: &Bench) -> Result<Option<Figure>> {
    let folder = bench.root.join("target/bench-peer");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(
        folder.join("package.json"),
        "{\"type\":\"module\",\"private\":true}",
    )?;
    std::fs::write(folder.join("peer.mjs"), PROGRAM)?;
    if !folder.join("node_modules/oidc-provider").exists() {
        eprintln!("installing {VERSION} with npm into {}", folder.display());
        let done = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", VERSION])
            .current_dir(&folder)
            .stdout(Stdio::null())
            .status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("the peer {VERSION} could not be installed; its line is left out");
            return Ok(None);
        }
    }
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut node = program(bench)
        .args(["peer.mjs", &port.to_string()])
        .current_dir(&folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let outcome = load(bench, &folder, node.id(), port);
    node.kill()?;
    node.wait()?;
    outcome.map(Some)
}

fn program(bench: &Bench) -> Command {
    if !bench.pinned {
        return Command::new("node");
    }
    let mut command = Command::new("taskset");
    command.args(["-c", "0", "node"]);
    command
}

fn load(bench: &Bench, folder: &Path, pid: u32, port: u16) -> Result<Figure> {
    let address = format!("127.0.0.1:{port}");
    wait(&address)?;
    let file = folder.join("requests.tsv");
    let body = "grant_type=client_credentials&scope=api:read&resource=urn:api";
    let kind = "application/x-www-form-urlencoded";
    let line = requests::line("POST", "/token", BASIC, kind, body);
    std::fs::write(&file, line + "\n").context("writing the peer's request")?;
    let target = Target {
        address: &address,
        server: pid,
        database: None,
        pinned: bench.pinned,
    };
    let named = Named {
        name: "peer",
        about: "oidc-provider, client credentials from memory",
        organizations: 1,
    };
    closed::measure(bench, &target, &file, 1, named)
}

fn wait(address: &str) -> Result<()> {
    for _ in 0..200 {
        if TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("the peer does not listen")
}
