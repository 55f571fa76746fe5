//! The configuration file, read strictly: every problem names the file, the line and the field, and none repeats
//! a value, which may be a secret.

use ipnet::IpNet;
use kernel::{Micros, limits};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use url::Url;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {cause}", path = .0.display(), cause = .1)]
    Read(PathBuf, io::Error),
    /// What the file says is wrong.
    #[error("{path}:{problem}", path = .0.display(), problem = .1)]
    File(PathBuf, Problem),
    /// A flag or variable is wrong.
    #[error("`{0}` {1}")]
    Flag(String, String),
}

impl ConfigError {
    pub(super) fn flag(name: &str, why: &str) -> Self {
        Self::Flag(name.into(), why.into())
    }
}

/// What is wrong in a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The field with its table, when it is known.
    pub field: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => write!(f, "{}: {}", self.line, self.detail),
            field => write!(f, "{}: `{field}` {}", self.line, self.detail),
        }
    }
}

/// The schema.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// Where to listen; takes effect at the next start.
    pub listen: Option<SocketAddr>,
    /// The public origin; takes effect at the first start and never changes.
    pub public_url: Option<String>,
    /// The data folder; takes effect at the next start.
    pub data: Option<PathBuf>,
    /// The database server; takes effect at the next start.
    pub database: Located,
    /// Counts that nodes would share; nothing uses it yet.
    pub redis: Located,
    /// Keys; takes effect at the next start.
    pub keys: Keys,
    /// Proxies in front; takes effect at the next start.
    pub proxy: Proxy,
    /// Live state; takes effect at the next start.
    pub live: Live,
    /// The end; takes effect at the next start.
    pub drain: Drain,
    /// The listener's certificate; the names take effect at the next start, what the files hold at once.
    pub tls: Tls,
    /// Witnesses of the log; takes effect at the next start.
    pub witness: Witness,
}

/// The listener's certificate.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// The chain, PEM, the server's own first.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
}

/// Where the listener's certificate and key lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, PEM, the server's own first.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// Something at a URL that may hold a password.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Located {
    /// A file that holds the URL.
    pub url_file: Option<PathBuf>,
    /// Never accepted: in the schema so that the refusal can name the remedy.
    #[serde(deserialize_with = "refuse_inline")]
    url: (),
}

/// Keys.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// The instance key, where it is not in the data folder.
    pub instance_file: Option<PathBuf>,
}

/// Proxies.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted: Vec<Network>,
}

/// A network in CIDR form.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(pub IpNet);

impl TryFrom<String> for Network {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
            .map(Self)
            .map_err(|_| "must be a network such as `10.0.0.0/8`")
    }
}

/// Where checkpoints of the log are kept outside the operator's reach.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Witness {
    /// A file that is only appended to.
    pub file: Option<PathBuf>,
    /// An address that is posted each checkpoint.
    #[serde(deserialize_with = "address")]
    pub url: Option<String>,
}

/// Live state.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Live {
    /// How old a view may be when a permit leaves, such as `"2s"` or `"500ms"`.
    #[serde(deserialize_with = "staleness")]
    pub max_staleness: Option<Micros>,
}

/// The end.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// For how many seconds requests are still taken after a SIGTERM, while readiness says `draining`.
    pub grace_seconds: Option<u8>,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let known = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    match Url::parse(&text).ok().filter(known) {
        Some(_) => Ok(Some(text)),
        None => Err(D::Error::custom(
            "must be an address that begins with `https://`",
        )),
    }
}

fn refuse_inline<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    let url = String::deserialize(deserializer)?;
    let secret = Url::parse(&url).is_ok_and(|url| url.password().is_some());
    let what = if secret {
        "holds a password, which does not belong in this file"
    } else {
        "does not belong in this file"
    };
    Err(D::Error::custom(format!(
        "{what}; write the URL to a file of mode 600 and name it in `url_file`"
    )))
}

fn staleness<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Micros>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || D::Error::custom("must be a duration from 500ms to 2s, such as `1s`");
    let millis = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(millis), _) => millis.parse::<i64>().map_err(|_| wrong())?,
        (None, Some(seconds)) => seconds
            .parse::<i64>()
            .ok()
            .and_then(|s| s.checked_mul(1_000))
            .ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    let bound = Micros::new(millis.checked_mul(1_000).ok_or_else(wrong)?);
    // The heads are asked for four times a second: less could not be kept.
    let kept = bound >= Micros::new(500_000) && bound <= limits::STALENESS;
    if kept { Ok(Some(bound)) } else { Err(wrong()) }
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or says something that is not in the schema.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Read(path.to_owned(), error))?;
        Self::parse(&text).map_err(|problem| ConfigError::File(path.to_owned(), problem))
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// The first problem.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let at = |span: Option<std::ops::Range<usize>>| {
            let before = span
                .and_then(|span| text.get(..span.start))
                .unwrap_or_default();
            before.matches('\n').count() + 1
        };
        let plain = |error: &toml::de::Error| {
            error
                .message()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let syntax = |error: toml::de::Error| Problem {
            line: at(error.span()),
            field: String::new(),
            detail: plain(&error),
        };
        let source = toml::Deserializer::parse(text).map_err(syntax)?;
        let file: Self = serde_path_to_error::deserialize(source).map_err(|error| {
            let (line, message) = (at(error.inner().span()), plain(error.inner()));
            problem(line, &error.path().to_string(), &message)
        })?;
        match file.public_url.as_deref().map(super::public_origin) {
            Some(Err(ConfigError::Flag(field, detail))) => Err(Problem {
                line: line_of(text, &field),
                field,
                detail,
            }),
            _ => Ok(file),
        }
    }
}

/// The field in full, and a text that repeats no value.
fn problem(line: usize, path: &str, message: &str) -> Problem {
    let named = message.split('`').nth(1).unwrap_or_default();
    if message.starts_with("unknown field") {
        let outer = path
            .strip_suffix(named)
            .unwrap_or(path)
            .trim_end_matches('.');
        let field = if matches!(outer, "" | "?") {
            named.to_owned()
        } else {
            format!("{outer}.{named}")
        };
        return Problem {
            line,
            field,
            detail: "is not a field of the configuration; remove it or correct its name".into(),
        };
    }
    let field = path.to_owned();
    if let Some((_, expected)) = message
        .strip_prefix("invalid type")
        .and_then(|rest| rest.split_once(", expected "))
    {
        return Problem {
            line,
            field,
            detail: format!("must be {expected}"),
        };
    }
    Problem {
        line,
        field,
        detail: message.to_owned(),
    }
}

/// The line on which a field is set, by its name with its table.
pub(super) fn line_of(text: &str, field: &str) -> usize {
    let (table, name) = field.rsplit_once('.').unwrap_or(("", field));
    let mut within = String::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            within = header
                .split(']')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned();
        }
        let set = line.split('=').next().unwrap_or_default().trim();
        if (within == table && set == name) || (within.is_empty() && set == field) {
            return at + 1;
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_file_is_read() {
        let text = "listen = \"127.0.0.1:8080\"\npublic_url = \"https://id.example.com\"\ndata = \"/var/lib/cardea\"\n\
            [database]\nurl_file = \"/run/db\"\n[redis]\nurl_file = \"/run/redis\"\n[keys]\ninstance_file = \"/run/key\"\n\
            [proxy]\ntrusted = [\"10.0.0.0/8\"]\n[live]\nmax_staleness = \"2s\"\n\
            [tls]\ncertificate = \"/run/tls.crt\"\nkey = \"/run/tls.key\"\n";
        let file = File::parse(text).unwrap();
        assert_eq!(file.live.max_staleness, Some(limits::STALENESS));
        assert_eq!(file.keys.instance_file, Some("/run/key".into()));
    }

    #[test]
    fn every_problem_names_line_and_field() {
        let table = [
            ("liste = \"127.0.0.1:1\"", 1, "liste"),
            ("\n\n[proxy]\ntrust = []", 4, "proxy.trust"),
            ("[live]\nmax_staleness = \"9s\"", 2, "live.max_staleness"),
            ("[live]\nmax_staleness = \"1\"", 2, "live.max_staleness"),
            ("[live]\nmax_staleness = \"10ms\"", 2, "live.max_staleness"),
            ("data = 1", 1, "data"),
            ("listen = \"nowhere\"", 1, "listen"),
            (
                "[proxy]\ntrusted = [\"10.0.0.0/8\", \"x\"]",
                2,
                "proxy.trusted[1]",
            ),
            ("[databas]\n", 1, "databas"),
            ("\npublic_url = \"id.example.com\"", 2, "public_url"),
            ("[database]\nurl = \"postgres://db/x\"", 2, "database.url"),
            ("data = \"/a\"\ndata = \"/b\"", 2, ""),
            ("= 1", 1, ""),
        ];
        for (text, line, field) in table {
            let problem = File::parse(text).unwrap_err();
            assert_eq!(
                (problem.line, problem.field.as_str()),
                (line, field),
                "{text}: {problem}"
            );
        }
    }

    #[test]
    fn an_inline_secret_is_refused_with_the_remedy_and_not_repeated() {
        for table in ["database", "redis"] {
            let problem = File::parse(&format!(
                "[{table}]\nurl = \"postgres://cardea:hunter2@db/x\""
            ))
            .unwrap_err();
            assert_eq!(problem.field, format!("{table}.url"));
            assert!(problem.detail.contains("url_file"), "{problem}");
            assert!(!problem.to_string().contains("hunter2"), "{problem}");
        }
    }
}
