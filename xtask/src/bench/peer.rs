//! A peer in the same run: the npm package `oidc-provider`, issuing ES256 JWT access tokens by client credentials
//! from memory. Left out with a line when it cannot be installed.

use super::{
    Load,
    figures::{self, DONE, Figure},
};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Command, Stdio};

const VERSION: &str = "oidc-provider@9.13.3";

const PROGRAM: &str = r#"
import Provider from 'oidc-provider';
import { generateKeyPairSync } from 'node:crypto';
const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const provider = new Provider('http://127.0.0.1:18110', {
  clients: [{ client_id: 'app', client_secret: 'secretsecretsecretsecret', grant_types: ['client_credentials'], id_token_signed_response_alg: 'ES256', redirect_uris: [], response_types: [] }],
  jwks: { keys: [{ ...jwk, kid: 'k', alg: 'ES256', use: 'sig' }] },
  scopes: ['api:read'],
  features: { devInteractions: { enabled: false }, clientCredentials: { enabled: true }, resourceIndicators: { enabled: true,
    defaultResource: () => 'urn:api', getResourceServerInfo: () => ({ scope: 'api:read', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }) } },
});
provider.listen(18110, '127.0.0.1');
"#;

/// The peer's client credentials, measured as ours are.
pub fn measure(root: &Path, seconds: u32, connections: u32) -> Result<Option<Figure>> {
    let folder = root.join("target/bench-peer");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(
        folder.join("package.json"),
        "{\"type\":\"module\",\"private\":true}",
    )?;
    std::fs::write(folder.join("peer.mjs"), PROGRAM)?;
    if !folder.join("node_modules/oidc-provider").exists() {
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
    let mut node = Command::new("node")
        .arg("peer.mjs")
        .current_dir(&folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let outcome = load(&folder, node.id(), seconds, connections);
    node.kill()?;
    node.wait()?;
    outcome.map(Some)
}

fn load(folder: &Path, pid: u32, seconds: u32, connections: u32) -> Result<Figure> {
    std::thread::sleep(std::time::Duration::from_secs(3));
    let script = folder.join("token.lua");
    let body = "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/x-www-form-urlencoded'\nwrk.headers['Authorization'] = 'Basic YXBwOnNlY3JldHNlY3JldHNlY3JldHNlY3JldA=='\nwrk.body = 'grant_type=client_credentials&scope=api:read&resource=urn:api'";
    std::fs::write(&script, format!("{body}\n{DONE}")).context("writing the peer's script")?;
    let load = Load {
        name: "peer: oidc-provider, client credentials from memory",
        url: "http://127.0.0.1:18110/token".into(),
        script,
    };
    figures::measure(&load, Some(pid), seconds, connections)
}
