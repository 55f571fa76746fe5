//! The file of requests that a load sends: a line of tab-separated method, path, `Authorization`, `Content-Type` and
//! body, where `-` stands for no header. The Lua script for wrk reads the same file.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use std::path::Path;

/// A request, ready to be sent any number of times.
#[derive(Clone, Debug)]
pub struct Wanted {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Wanted {
    fn read(line: &str, host: &HeaderValue) -> Result<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [method, path, authorization, kind, body] = fields.as_slice() else {
            bail!("a request has five fields");
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.clone());
        for (name, value) in [
            (header::AUTHORIZATION, *authorization),
            (header::CONTENT_TYPE, *kind),
        ] {
            if value != "-" {
                headers.insert(name, value.parse()?);
            }
        }
        Ok(Self {
            method: method.parse()?,
            uri: path.parse()?,
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
        })
    }

    /// The request for one sending.
    pub fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// Reads a file of requests for the server at `host:port`.
///
/// # Errors
/// When it cannot be read, names the line that is no request, or is empty.
pub fn read(path: &Path, address: &str) -> Result<Vec<Wanted>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let host = HeaderValue::from_str(address)?;
    let read = |(number, line)| {
        Wanted::read(line, &host)
            .with_context(|| format!("line {} of {}", number + 1, path.display()))
    };
    let wanted: Vec<_> = text.lines().enumerate().map(read).collect::<Result<_>>()?;
    if wanted.is_empty() {
        bail!("{} holds no request", path.display());
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_request_and_another_is_refused() {
        let host = HeaderValue::from_static("localhost:1");
        let wanted = Wanted::read("POST\t/a?b\tBearer x\t-\tq=1", &host).unwrap();
        let request = wanted.request();
        assert_eq!(
            (request.method(), request.uri().path()),
            (&Method::POST, "/a")
        );
        assert_eq!(request.headers()[header::AUTHORIZATION], "Bearer x");
        assert!(!request.headers().contains_key(header::CONTENT_TYPE));
        assert!(Wanted::read("POST\t/a", &host).is_err());
    }
}
