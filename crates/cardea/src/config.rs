//! What a process is told: flags over environment over file over defaults, with one schema. A key that is not in
//! the schema is an error, and a secret never stands in the file: it is named by another file.

mod file;
mod named;

pub use file::{ConfigError, File, Problem, TlsFiles};

use ipnet::IpNet;
use kernel::{ExposeSecret, Micros, SecretString, limits};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// How long a server that was told to stop goes on answering when nothing is said, in seconds: longer than two looks
/// of a balancer that looks every two seconds.
const GRACE: u64 = 5;
/// Where to listen when nothing is said.
pub const LISTEN: &str = "127.0.0.1:8080";

/// What flags and environment said; `None` leaves it to the file.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// `--config`, `CARDEA_CONFIG`.
    pub config: Option<PathBuf>,
    /// `--data`, `CARDEA_DATA`.
    pub data: Option<PathBuf>,
    /// `--listen`, `CARDEA_LISTEN`.
    pub listen: Option<SocketAddr>,
    /// `--public-url`, `CARDEA_PUBLIC_URL`.
    pub public_url: Option<String>,
    /// `--database-url`, `CARDEA_DATABASE_URL`.
    pub database_url: Option<SecretString>,
    /// `--redis-url`, `CARDEA_REDIS_URL`.
    pub redis_url: Option<SecretString>,
    /// `--tls-certificate`, `CARDEA_TLS_CERTIFICATE`.
    pub tls_certificate: Option<PathBuf>,
    /// `--tls-key`, `CARDEA_TLS_KEY`.
    pub tls_key: Option<PathBuf>,
}

/// What holds after everything was put together.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The public origin that somebody asked for, without a slash at the end.
    pub public_url: Option<String>,
    /// The database server; absent for the embedded database.
    pub database_url: Option<SecretString>,
    /// The shared fast state.
    pub redis_url: Option<SecretString>,
    /// The listener's certificate and key; without them it speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The instance key, where it is not in the data folder.
    pub instance_key: Option<PathBuf>,
    /// Networks of proxies that are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How old a view may be when a permit leaves.
    pub max_staleness: Micros,
    /// How long requests are still taken after the server was told to stop.
    pub grace: Duration,
    /// Who is given checkpoints.
    pub witness: service::witness::Config,
}

impl Settings {
    /// Puts together what was told and what the file says.
    ///
    /// # Errors
    /// Everything that is wrong with the file, or the first flag that is wrong.
    pub fn gather(told: Told) -> Result<Self, ConfigError> {
        let file = told
            .config
            .as_deref()
            .map(File::read)
            .transpose()?
            .unwrap_or_default();
        let public_url = told.public_url.or(file.public_url.clone());
        let settings = Self {
            data: told.data.or(file.data).map_or_else(user_data, Ok)?,
            listen: told
                .listen
                .or(file.listen)
                .map_or_else(default_listen, Ok)?,
            public_url: public_url.as_deref().map(public_origin).transpose()?,
            database_url: told.database_url.map_or_else(
                || secret(file.database.url_file.as_deref()),
                |url| Ok(Some(url)),
            )?,
            redis_url: told.redis_url.map_or_else(
                || secret(file.redis.url_file.as_deref()),
                |url| Ok(Some(url)),
            )?,
            tls: tls(
                told.tls_certificate.or(file.tls.certificate),
                told.tls_key.or(file.tls.key),
            )?,
            instance_key: file.keys.instance_file,
            trusted_proxies: file.proxy.trusted.iter().map(|network| network.0).collect(),
            max_staleness: file.live.max_staleness.unwrap_or(limits::STALENESS),
            grace: Duration::from_secs(file.drain.grace_seconds.map_or(GRACE, u64::from)),
            witness: service::witness::Config {
                file: file.witness.file,
                url: file.witness.url,
            },
        };
        Ok(settings)
    }
}

fn tls(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<TlsFiles>, ConfigError> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (Some(_), None) => Err(ConfigError::flag(
            "tls.key",
            "is needed beside `tls.certificate`",
        )),
        (None, Some(_)) => Err(ConfigError::flag(
            "tls.certificate",
            "is needed beside `tls.key`",
        )),
    }
}

fn default_listen() -> Result<SocketAddr, ConfigError> {
    LISTEN
        .parse()
        .map_err(|_| ConfigError::flag("listen", "is not an address and port"))
}

/// `$XDG_DATA_HOME/cardea`, or `~/.local/share/cardea`.
fn user_data() -> Result<PathBuf, ConfigError> {
    let named = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base =
        named("XDG_DATA_HOME").or_else(|| named("HOME").map(|home| home.join(".local/share")));
    let missing = || {
        ConfigError::flag(
            "data",
            "is needed: neither XDG_DATA_HOME nor HOME is set; name a folder with `--data`",
        )
    };
    base.map(|base| base.join("cardea")).ok_or_else(missing)
}

/// The public origin in the one form in which it is stored and compared.
///
/// # Errors
/// When it is not an absolute URL of a web server without user, query or fragment.
pub fn public_origin(text: &str) -> Result<String, ConfigError> {
    let wrong = |why: &str| ConfigError::flag("public_url", why);
    let url = Url::parse(text)
        .map_err(|_| wrong("must be an absolute URL such as `https://id.example.com`"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong(
            "must begin with `https://`, or with `http://` on a machine of its own",
        ));
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(wrong("must not hold a user, a query or a fragment"));
    }
    if url.path() != "/" {
        return Err(wrong(
            "must not hold a path; give the server a host name of its own",
        ));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// A secret that the file names by another file.
fn secret(path: Option<&Path>) -> Result<Option<SecretString>, ConfigError> {
    let Some(path) = path else { return Ok(None) };
    let text = SecretString::from(
        std::fs::read_to_string(path).map_err(|error| ConfigError::Read(path.to_owned(), error))?,
    );
    let trimmed = text.expose_secret().trim();
    if trimmed.is_empty() {
        return Err(ConfigError::flag(
            "url_file",
            &format!("names {}, which is empty", path.display()),
        ));
    }
    Ok(Some(SecretString::from(trimmed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cardea.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_defaults() {
        let (_folder, path) = file(
            "listen = \"127.0.0.1:1\"\ndata = \"/from/file\"\n[proxy]\ntrusted = [\"10.0.0.0/8\"]\n",
        );
        let told = |data: Option<&str>| Told {
            config: Some(path.clone()),
            data: data.map(PathBuf::from),
            ..Told::default()
        };
        let from_file = Settings::gather(told(None)).unwrap();
        assert_eq!(
            (from_file.listen.port(), from_file.data),
            (1, PathBuf::from("/from/file"))
        );
        assert_eq!(from_file.trusted_proxies.len(), 1);
        assert_eq!(from_file.max_staleness, limits::STALENESS);
        assert_eq!(
            Settings::gather(told(Some("/from/flag"))).unwrap().data,
            PathBuf::from("/from/flag")
        );
        let bare = Settings::gather(Told {
            data: Some("/d".into()),
            ..Told::default()
        })
        .unwrap();
        assert_eq!(
            (bare.listen.to_string(), bare.public_url),
            (LISTEN.to_owned(), None)
        );
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let told = |certificate: Option<&str>, key: Option<&str>| {
            let settings = Settings::gather(Told {
                data: Some("/d".into()),
                tls_certificate: certificate.map(PathBuf::from),
                tls_key: key.map(PathBuf::from),
                ..Told::default()
            });
            settings
                .map(|settings| settings.tls)
                .map_err(|error| error.to_string())
        };
        assert_eq!(told(None, None), Ok(None));
        assert!(told(Some("/c"), Some("/k")).unwrap().is_some());
        assert!(told(Some("/c"), None).unwrap_err().contains("tls.key"));
        assert!(
            told(None, Some("/k"))
                .unwrap_err()
                .contains("tls.certificate")
        );
    }

    #[test]
    fn a_secret_is_read_from_the_file_that_is_named_and_never_printed() {
        let (folder, _) = file("");
        let url = folder.path().join("url");
        std::fs::write(&url, "postgres://u:hunter2@db/x\n").unwrap();
        let (_other, path) = file(&format!("[database]\nurl_file = \"{}\"\n", url.display()));
        let settings = Settings::gather(Told {
            config: Some(path),
            data: Some("/d".into()),
            ..Told::default()
        })
        .unwrap();
        assert_eq!(
            settings.database_url.as_ref().unwrap().expose_secret(),
            "postgres://u:hunter2@db/x"
        );
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn public_urls_have_one_form() {
        assert_eq!(
            public_origin("https://Id.Example.com/").unwrap(),
            "https://id.example.com"
        );
        assert_eq!(
            public_origin("https://id.example.com:443").unwrap(),
            "https://id.example.com"
        );
        assert_eq!(
            public_origin("http://localhost:8080").unwrap(),
            "http://localhost:8080"
        );
        for wrong in [
            "id.example.com",
            "ftp://x",
            "https://u@x",
            "https://x/?a",
            "https://x/#a",
            "https://x/a",
            "",
        ] {
            assert!(public_origin(wrong).is_err(), "{wrong}");
        }
    }
}
