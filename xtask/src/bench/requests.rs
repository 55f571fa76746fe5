//! The files of requests that a load sends: a line of tab-separated method, path, `Authorization`, `Content-Type`
//! and body. Tokens and runs that a load needs are asked of the server first; they live five minutes.

use super::{
    Bench,
    scenario::Kind,
    seed::PUBLIC_URL,
    stage::{Credential, Stage},
};
use crate::shell;
use anyhow::{Context, Result, bail};
use data_encoding::BASE64;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const WARM: usize = 10_000;
const COLD: usize = 200_000;
const REVOKED: usize = 100_000;

/// Makes the file for one sort of request, over every organization of the stage in turn.
pub fn file(bench: &Bench, stage: &Stage, kind: Kind) -> Result<PathBuf> {
    let asked = Asked { bench, stage };
    let lines = match kind {
        Kind::Health => vec![line("GET", "/health/live", "-", "-", "")],
        Kind::Token => asked.tokens(|credential| credential.audience.clone()),
        Kind::Warm => asked.introspections(WARM)?,
        Kind::Cold => asked.introspections(COLD)?,
        Kind::DispatchNew => asked.dispatches()?,
        Kind::DispatchRun => asked.dispatches_in_runs()?,
        Kind::Evaluate => stage.credentials.iter().map(evaluation).collect(),
        Kind::Revoke => asked.revocations()?,
    };
    let path = stage.folder.join(format!("{kind:?}.tsv").to_lowercase());
    save(&path, &lines)?;
    Ok(path)
}

/// What two organizations ask of one server.
pub struct Neighbours {
    /// Tokens for the first.
    pub steady: PathBuf,
    /// Runs that the second starts.
    pub writes: PathBuf,
    /// Tokens that the second asks for with a secret that is not the agent's.
    pub wrong: PathBuf,
}

/// The files for two organizations of the stage.
pub fn neighbours(bench: &Bench, stage: &Stage) -> Result<Neighbours> {
    let asked = Asked { bench, stage };
    let tokens = asked.tokens(|credential| credential.audience.clone());
    let [first, second, ..] = tokens.as_slice() else {
        bail!("it takes two organizations");
    };
    let writes = asked.starts()?;
    let wrong = second.replace("client_secret=", "client_secret=x");
    let one = |name: &str, line: &String| -> Result<PathBuf> {
        let path = stage.folder.join(name);
        save(&path, std::slice::from_ref(line))?;
        Ok(path)
    };
    Ok(Neighbours {
        steady: one("steady.tsv", first)?,
        writes: one("writes.tsv", writes.get(1).context("a second start")?)?,
        wrong: one("wrong.tsv", &wrong)?,
    })
}

fn save(path: &Path, lines: &[String]) -> Result<()> {
    let mut text = lines.join("\n");
    text.push('\n');
    fs::write(path, text).context("writing requests")
}

pub fn line(method: &str, path: &str, authorization: &str, kind: &str, body: &str) -> String {
    [method, path, authorization, kind, body].join("\t")
}

/// Letters, digits and a few signs stay; everything else becomes `%` and two digits.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(one).collect()
}

fn endpoint(credential: &Credential, name: &str, client: (&str, &str), rest: &str) -> String {
    let path = format!("/o/{}/oauth2/{name}", credential.org);
    let (id, secret) = client;
    let body = format!("client_id={id}&client_secret={secret}&{rest}");
    line("POST", &path, "-", FORM, &body)
}

fn agent(credential: &Credential) -> (&str, &str) {
    (&credential.agent, &credential.secret)
}

struct Asked<'a> {
    bench: &'a Bench,
    stage: &'a Stage,
}

impl Asked<'_> {
    fn tokens(&self, resource: impl Fn(&Credential) -> String) -> Vec<String> {
        let request = |credential: &Credential| {
            let resource = escaped(&resource(credential));
            let rest = format!("grant_type=client_credentials&resource={resource}");
            endpoint(credential, "token", agent(credential), &rest)
        };
        self.stage.credentials.iter().map(request).collect()
    }

    /// Sends these requests, `count` in all, and gives a member of each answer with the credential of its request.
    fn collect(
        &self,
        requests: &[String],
        member: &str,
        count: usize,
    ) -> Result<Vec<(&Credential, String)>> {
        let (file, out) = (
            self.stage.folder.join("asked.tsv"),
            self.stage.folder.join("answered.txt"),
        );
        save(&file, requests)?;
        let mut command = Command::new(&self.bench.loadkit);
        command
            .args(["collect", "--address", &self.stage.address])
            .args(["--member", member, "--count", &count.to_string()])
            .arg("--requests")
            .arg(&file)
            .arg("--out")
            .arg(&out);
        shell::run(&mut command)?;
        let text = fs::read_to_string(&out)?;
        let given = text.lines().map(str::to_owned);
        Ok(self.stage.credentials.iter().cycle().zip(given).collect())
    }

    fn access(&self, count: usize) -> Result<Vec<(&Credential, String)>> {
        let requests = self.tokens(|credential| credential.audience.clone());
        self.collect(&requests, "access_token", count)
    }

    fn introspections(&self, count: usize) -> Result<Vec<String>> {
        let request = |(credential, token): (&Credential, String)| {
            let client = (
                credential.connection.as_str(),
                credential.connection_secret.as_str(),
            );
            endpoint(credential, "introspect", client, &format!("token={token}"))
        };
        Ok(self.access(count)?.into_iter().map(request).collect())
    }

    fn revocations(&self) -> Result<Vec<String>> {
        let request = |(credential, token): (&Credential, String)| {
            endpoint(
                credential,
                "revoke",
                agent(credential),
                &format!("token={token}"),
            )
        };
        Ok(self.access(REVOKED)?.into_iter().map(request).collect())
    }

    /// Control tokens: their audience is the issuer.
    fn control(&self) -> Result<Vec<(&Credential, String)>> {
        let issuer = |credential: &Credential| format!("{PUBLIC_URL}/o/{}", credential.org);
        let requests = self.tokens(issuer);
        self.collect(&requests, "access_token", requests.len())
    }

    fn dispatches(&self) -> Result<Vec<String>> {
        let request = |(credential, token): (&Credential, String)| dispatch(credential, &token);
        Ok(self.control()?.into_iter().map(request).collect())
    }

    fn starts(&self) -> Result<Vec<String>> {
        let start = |(credential, token): (&Credential, String)| {
            let body = serde_json::json!({ "agent": credential.agent, "purpose": "bench", "deadline_seconds": 3_600 });
            let path = format!("/api/v1/orgs/{}/runs", credential.org);
            let bearer = format!("Bearer {token}");
            line("POST", &path, &bearer, JSON, &body.to_string())
        };
        Ok(self.control()?.into_iter().map(start).collect())
    }

    /// A run's own token says which run it is.
    fn dispatches_in_runs(&self) -> Result<Vec<String>> {
        let starts = self.starts()?;
        let runs = self.collect(&starts, "run_token", starts.len())?;
        let request = |(credential, token): (&Credential, String)| dispatch(credential, &token);
        Ok(runs.into_iter().map(request).collect())
    }
}

fn dispatch(credential: &Credential, token: &str) -> String {
    let body = serde_json::json!({
        "agent": credential.agent, "connection": credential.connection, "operation": "orders.list"
    });
    let path = format!("/api/v1/orgs/{}/dispatch", credential.org);
    let bearer = format!("Bearer {token}");
    line("POST", &path, &bearer, JSON, &body.to_string())
}

/// Asked by the connection with its own credential, about a scope that it declares.
fn evaluation(credential: &Credential) -> String {
    let client = format!("{}:{}", credential.connection, credential.connection_secret);
    let authorization = format!("Basic {}", BASE64.encode(client.as_bytes()));
    let body = serde_json::json!({
        "subject": { "type": "agent", "id": credential.agent },
        "action": { "name": "read" },
        "resource": { "type": "orders", "id": "1" },
    });
    let path = format!("/o/{}/access/v1/evaluation", credential.org);
    line("POST", &path, &authorization, JSON, &body.to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_form_cannot_hold_is_escaped() {
        assert_eq!(super::escaped("https://a.b/c"), "https%3A%2F%2Fa.b%2Fc");
    }
}
