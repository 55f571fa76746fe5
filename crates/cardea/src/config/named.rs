//! What a configuration file names: other files, opened as a start would open them, and nothing made or changed. A
//! problem names the line and the field of whoever named the file, and never repeats what is in one.

use super::file::{ConfigError, File, Problem, TlsFiles, line_of};
use crate::{
    certificate::Certificate,
    data::{self, KeyError},
};
use egress::Redis;
use kernel::SecretString;
use std::{
    fs,
    path::{Path, PathBuf},
};
use store::Store;

impl File {
    /// Everything that is wrong with what the file names; its text tells the lines.
    pub fn look(&self, text: &str) -> Vec<Problem> {
        let redis = |url: &SecretString| {
            Redis::new(url)
                .map(|_| ())
                .map_err(|error| error.to_string())
        };
        let looks = [
            (
                "database.url_file",
                address(self.database.url_file.as_deref(), database),
            ),
            (
                "redis.url_file",
                address(self.redis.url_file.as_deref(), redis),
            ),
            (
                "keys.instance_file",
                instance_key(self.keys.instance_file.as_deref()),
            ),
            (
                "tls.certificate",
                certificate(&self.tls.certificate, &self.tls.key),
            ),
            ("witness.file", witness(self.witness.file.as_deref())),
            ("data", folder(self.data.as_deref())),
        ];
        let wrong = looks
            .into_iter()
            .filter_map(|(field, look)| Some((field, look.err()?)));
        let problem = |(field, detail): (&str, String)| Problem {
            line: line_of(text, field),
            field: field.into(),
            detail,
        };
        wrong.map(problem).collect()
    }
}

fn database(url: &SecretString) -> Result<(), String> {
    Store::reads_as_postgres(kernel::ExposeSecret::expose_secret(url))
        .map_err(|error| error.to_string())
}

fn address(
    path: Option<&Path>,
    sound: impl Fn(&SecretString) -> Result<(), String>,
) -> Result<(), String> {
    match super::secret(path) {
        Ok(None) => Ok(()),
        Ok(Some(url)) => {
            sound(&url).map_err(|why| format!("names a file that cannot be used: {why}"))
        }
        Err(ConfigError::Flag(_, why)) => Err(why),
        Err(error) => Err(format!("names a file that cannot be used: {error}")),
    }
}

/// One that is missing is made by the first start.
fn instance_key(path: Option<&Path>) -> Result<(), String> {
    let Some(path) = path else { return Ok(()) };
    match data::load(path) {
        Ok(_) => Ok(()),
        Err(KeyError::Missing(_)) => parent(path),
        Err(error) => Err(format!("cannot be used: {error}")),
    }
}

fn certificate(certificate: &Option<PathBuf>, key: &Option<PathBuf>) -> Result<(), String> {
    let files = match (certificate.clone(), key.clone()) {
        (None, None) => return Ok(()),
        (Some(certificate), Some(key)) => TlsFiles { certificate, key },
        _ => return Err("and `tls.key` are needed beside each other".into()),
    };
    let loaded = Certificate::load(files).map(|_| ());
    loaded.map_err(|error| format!("cannot be used: {error}"))
}

/// A witness's file is made with its first checkpoint.
fn witness(path: Option<&Path>) -> Result<(), String> {
    let Some(path) = path else { return Ok(()) };
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Err("names what is no file".into()),
        Ok(_) => fs::OpenOptions::new()
            .append(true)
            .open(path)
            .map(|_| ())
            .map_err(|error| format!("cannot be written: {error}")),
        Err(_) => parent(path),
    }
}

fn folder(path: Option<&Path>) -> Result<(), String> {
    match path {
        Some(path) if path.exists() && !path.is_dir() => Err("names what is no folder".into()),
        _ => Ok(()),
    }
}

fn parent(path: &Path) -> Result<(), String> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Err(format!(
            "names a file in {}, which is no folder",
            folder.display()
        )),
        _ => Ok(()),
    }
}
