//! TLS towards a real server: who proves itself is believed, and nobody else.

use std::{path::PathBuf, sync::Arc};
use store::{Options, Store};
use testkit::{
    certificates::Authority,
    clock::{MockClock, SeededEntropy},
    postgres::{Cluster, psql},
    tools::{Tool, require},
};

/// A server with TLS for `localhost`, and the folder with its authority's certificate and a stranger's.
struct Encrypted {
    _cluster: Cluster,
    folder: tempfile::TempDir,
    url: String,
}

/// Changes a setting and waits until new connections are met with it.
fn switch(url: &str, name: &str, value: &str) {
    psql(url, &format!("ALTER SYSTEM SET {name} = '{value}'"));
    psql(url, "SELECT pg_reload_conf()");
    for _ in 0..500 {
        if psql(url, &format!("SHOW {name}")) == format!("{value}\n") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("`{name}` is not {value}");
}

impl Encrypted {
    fn start() -> Option<Self> {
        require(Tool::Postgres)?;
        let cluster = Cluster::alone();
        let (own, stranger) = (Authority::new(), Authority::new());
        let pair = own.issue(&["localhost"]);
        let url = cluster.first.database();
        for (name, text) in [("server.crt", &pair.certificate), ("server.key", &pair.key)] {
            let sql = format!(
                "COPY (SELECT convert_from('\\x{}', 'UTF8')) TO PROGRAM 'umask 077; base64 -d > {name}'",
                hex(&base64(text))
            );
            psql(&url, &sql);
        }
        switch(&url, "ssl", "on");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("own.pem"), own.certificate()).unwrap();
        std::fs::write(folder.path().join("stranger.pem"), stranger.certificate()).unwrap();
        Some(Self {
            _cluster: cluster,
            folder,
            url,
        })
    }

    /// Tries an address on this host with these parameters.
    fn open(&self, host: &str, parameters: &str) -> Result<Store, String> {
        let path = |name: &str| -> PathBuf { self.folder.path().join(name) };
        let parameters = parameters
            .replace("OWN", path("own.pem").to_str().unwrap())
            .replace("STRANGER", path("stranger.pem").to_str().unwrap());
        let url = format!("{}?{parameters}", self.url.replace("127.0.0.1", host));
        let options = Options {
            clock: Arc::new(MockClock::default()),
            entropy: Arc::new(SeededEntropy::new(1)),
            connections: 1,
        };
        Store::postgres(&url, options).map_err(|error| error.to_string())
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(text: &str) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_proves_its_name_or_is_refused() {
    let Some(server) = Encrypted::start() else {
        return;
    };
    let store = server
        .open("localhost", "sslmode=verify-full&sslrootcert=OWN")
        .unwrap();
    store.heads(None).await.unwrap();
    let used = "SELECT DISTINCT s.version FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
        WHERE a.application_name = 'cardea' AND a.datname = current_database() AND s.ssl";
    assert_eq!(psql(&server.url, used), "TLSv1.3\n");
    store.close();
    server
        .open("localhost", "sslmode=require&sslrootcert=OWN")
        .unwrap()
        .close();
    server
        .open("127.0.0.1", "sslmode=verify-ca&sslrootcert=OWN")
        .unwrap()
        .close();

    let refused = |host: &str, parameters: &str, remedy: &str| {
        let told = server.open(host, parameters).err().unwrap_or_default();
        assert!(told.contains(remedy), "{host} {parameters}: {told}");
    };
    refused(
        "127.0.0.1",
        "sslmode=verify-full&sslrootcert=OWN",
        "by a name that the server's certificate holds",
    );
    refused(
        "localhost",
        "sslmode=verify-full&sslrootcert=STRANGER",
        "in `sslrootcert`",
    );
    refused("localhost", "sslmode=verify-full", "in `sslrootcert`");
    refused(
        "127.0.0.1",
        "sslmode=verify-ca&sslrootcert=STRANGER",
        "in `sslrootcert`",
    );
}

#[test]
fn an_older_version_is_spoken_only_where_it_is_named() {
    let Some(server) = Encrypted::start() else {
        return;
    };
    switch(&server.url, "ssl_max_protocol_version", "TLSv1.2");
    let base = "sslmode=verify-full&sslrootcert=OWN";
    let told = server.open("localhost", base).err().unwrap_or_default();
    assert!(told.contains("ssl_min_protocol_version=TLSv1.2"), "{told}");
    let older = format!("{base}&ssl_min_protocol_version=TLSv1.2");
    server.open("localhost", &older).unwrap().close();

    switch(&server.url, "ssl", "off");
    let told = server.open("localhost", &older).err().unwrap_or_default();
    assert!(told.contains("switch `ssl` on"), "{told}");
}
