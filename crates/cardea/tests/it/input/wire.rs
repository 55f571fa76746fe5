//! The wire: paths are taken as they are, methods mean what they say, hosts and proxies' words are not believed, and
//! a token is read from one header only.

use super::{assert_names, assert_problem, bearer, port};
use crate::{
    calls::Stage,
    heads::heads,
    raw,
    world::{Engine, World},
};
use kernel::ExposeSecret;
use serde_json::json;
use service::OPERATIONS;
use std::collections::{BTreeMap, BTreeSet};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_e5_a_path_is_taken_as_it_is() {
    let world = World::start(Engine::Sqlite).await.unwrap();
    let auth = bearer(&world);
    let good = raw::send(
        port(&world),
        "GET /api/v1/orgs/acme/users",
        &[("Authorization", &auth)],
        b"",
    )
    .await;
    assert_eq!(good.status, 200);
    for path in [
        "/api/v1/orgs/acme/users/",
        "//api/v1/orgs/acme/users",
        "/api//v1/orgs/acme/users",
        "/api/v1/orgs//acme/users",
        "/api/v1/./orgs/acme/users",
        "/api/v1/orgs/acme/roles/../users",
        "/api/v1/orgs/other/../acme/users",
        "/api/v1/orgs/acme%2fusers",
        "/api/v1/orgs/acme%2Fusers",
        "/api/v1/orgs/acme/%75sers",
        "/api/v1/orgs/%61cme/users",
        "/o/%61cme/jwks.json",
        "/o/ac%6De/.well-known/openid-configuration",
        "/api/v1/orgs/acme/users%00",
        "/api/v1/orgs/acme/users;a=b",
        "/api/v1/orgs;x/acme/users",
        "/api/v1/orgs/acme/..;/acme/users",
        "/api/v1/orgs/acme\\users",
        "/API/v1/orgs/acme/users",
        "/api/v1/ORGS/acme/users",
        "/api/v1/orgs/acme/Users",
        "/api/v1/orgs/acme/users.json",
        "/api/v2/orgs/acme/users",
        "/o/acme/../../api/v1/orgs/acme/users",
    ] {
        let reply = raw::send(
            port(&world),
            &format!("GET {path}"),
            &[("Authorization", &auth)],
            b"",
        )
        .await;
        assert_problem(&reply, 404, "not_found", path);
    }
    // The slug in another case is no organization.
    let upper = raw::send(
        port(&world),
        "GET /api/v1/orgs/ACME/users",
        &[("Authorization", &auth)],
        b"",
    )
    .await;
    assert_problem(&upper, 404, "not_found", "an upper-case slug");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_e5_methods_mean_what_they_say() {
    let world = World::start(Engine::Sqlite).await.unwrap();
    let stage = Stage::acme(&world, "sam").await;
    let mut routes: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for operation in OPERATIONS {
        let meta = operation.meta();
        let segment = |segment: &str| match segment {
            "{org}" => "acme".to_owned(),
            other if other.starts_with('{') => "x".to_owned(),
            other => other.to_owned(),
        };
        let path = meta
            .path
            .split('/')
            .map(segment)
            .collect::<Vec<_>>()
            .join("/");
        routes
            .entry(format!("/api/v1{path}"))
            .or_default()
            .insert(meta.method.as_str());
    }
    for (path, methods) in [
        ("/o/acme/oauth2/token", "POST"),
        ("/o/acme/oauth2/introspect", "POST"),
        ("/o/acme/oauth2/revoke", "POST"),
        ("/o/acme/jwks.json", "GET"),
        ("/health/live", "GET"),
        ("/metrics", "GET"),
        ("/setup", "GET"),
    ] {
        routes.insert(path.into(), BTreeSet::from([methods]));
    }
    let auth = bearer(&world);
    let before = heads(&world.owner.api).await;
    for (path, known) in &routes {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
            if known.contains(method) {
                continue;
            }
            let reply = raw::send(
                port(&world),
                &format!("{method} {path}"),
                &[("Authorization", &auth)],
                b"",
            )
            .await;
            assert_problem(
                &reply,
                405,
                "method_not_allowed",
                &format!("{method} {path}"),
            );
            let allowed: BTreeSet<&str> = reply
                .header("allow")
                .unwrap_or_default()
                .split(',')
                .map(str::trim)
                .collect();
            let missing: Vec<_> = known.difference(&allowed).collect();
            assert!(
                missing.is_empty() && !allowed.contains(method),
                "{method} {path}: Allow is {allowed:?}"
            );
        }
    }
    let user = format!("/api/v1/orgs/acme/users/{}", stage.holder.id);
    for header in [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
    ] {
        for method in ["DELETE", "PATCH", "POST"] {
            let reply = raw::send(
                port(&world),
                &format!("GET {user}"),
                &[("Authorization", &auth), (header, method)],
                b"",
            )
            .await;
            assert_eq!(reply.status, 200, "{header}: {method} on a read");
            let path = format!("GET {user}/suspend");
            let reply = raw::send(
                port(&world),
                &path,
                &[("Authorization", &auth), (header, method)],
                b"",
            )
            .await;
            assert_problem(
                &reply,
                405,
                "method_not_allowed",
                &format!("{header}: {method}"),
            );
        }
    }
    assert_eq!(
        heads(&world.owner.api).await,
        before,
        "something was written"
    );
}

const METADATA: [&str; 6] = [
    "/o/acme/.well-known/openid-configuration",
    "/o/acme/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration/o/acme",
    "/.well-known/oauth-authorization-server/o/acme",
    "/.well-known/oauth-protected-resource/o/acme/mcp",
    "/api/v1/openapi.json",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_a4_no_header_moves_the_issuer_or_a_link() {
    let world = World::start(Engine::Sqlite).await.unwrap();
    let auth = bearer(&world);
    let hostile = [
        ("Forwarded", "for=127.0.0.1;host=evil.example;proto=https"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Forwarded-Port", "666"),
        ("X-Original-URL", "/evil"),
        ("X-Rewrite-URL", "/evil"),
        ("X-Host", "evil.example"),
        ("X-Forwarded-Server", "evil.example"),
        ("Cardea-Organization", "beta"),
    ];
    for path in METADATA {
        let plain = raw::send(port(&world), &format!("GET {path}"), &[], b"").await;
        assert_eq!(plain.status, 200, "{path}");
        let moved = raw::send(port(&world), &format!("GET {path}"), &hostile, b"").await;
        assert_eq!((moved.status, &moved.body), (200, &plain.body), "{path}");
        for host in ["localhost", "127.0.0.1:1", "[::1]"] {
            let by_host =
                raw::send(port(&world), &format!("GET {path}"), &[("Host", host)], b"").await;
            assert_eq!(
                (by_host.status, &by_host.body),
                (200, &plain.body),
                "{path} by {host}"
            );
        }
    }
    let made = |more: Vec<(&'static str, &'static str)>, slug: &'static str| {
        let (auth, world) = (auth.clone(), &world);
        async move {
            let mut headers = vec![
                ("Content-Type", "application/json"),
                ("Authorization", auth.as_str()),
            ];
            headers.extend(more);
            let body = json!({ "slug": slug }).to_string();
            raw::send(port(world), "POST /api/v1/orgs", &headers, body.as_bytes()).await
        }
    };
    let org = made(hostile.to_vec(), "linked").await;
    assert_eq!(org.status, 201, "{}", org.json());
    assert_eq!(org.json()["issuer"], format!("{}/o/linked", world.url));
    let challenged = raw::send(port(&world), "POST /o/acme/mcp", &hostile, b"").await;
    let challenge = challenged.header("www-authenticate").unwrap();
    assert!(
        challenged.status == 401 && challenge.contains(&world.url) && !challenge.contains("evil"),
        "{challenge}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_a4_another_host_is_not_answered_for() {
    let world = World::start(Engine::Sqlite).await.unwrap();
    let auth = bearer(&world);
    let before = heads(&world.owner.api).await;
    for host in [
        "evil.example",
        "localhost.evil.example",
        "localhost@evil.example",
        "169.254.169.254",
        "localhost:80:80",
        "",
    ] {
        for line in [
            "GET /o/acme/.well-known/openid-configuration",
            "GET /api/v1/orgs/acme",
            "GET /",
            "POST /o/acme/oauth2/token",
            "POST /o/acme/mcp",
        ] {
            let reply = raw::send(
                port(&world),
                line,
                &[("Host", host), ("Authorization", &auth)],
                b"",
            )
            .await;
            assert_problem(&reply, 421, "misdirected", &format!("{line} at {host:?}"));
            assert!(
                !String::from_utf8_lossy(&reply.body).contains("evil"),
                "the host is echoed"
            );
        }
    }
    let local = format!("localhost:{}", port(&world));
    let twice = raw::send(
        port(&world),
        "GET /api/v1/orgs/acme",
        &[
            ("Host", &local),
            ("Host", "evil.example"),
            ("Authorization", &auth),
        ],
        b"",
    )
    .await;
    assert!(
        matches!(twice.status, 400 | 421),
        "two hosts: {}",
        twice.status
    );
    let absolute = raw::send(
        port(&world),
        "GET http://evil.example/api/v1/orgs/acme",
        &[("Host", &local), ("Authorization", &auth)],
        b"",
    )
    .await;
    assert_problem(&absolute, 421, "misdirected", "an absolute request target");
    assert_eq!(
        heads(&world.owner.api).await,
        before,
        "something was written"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_c5_a_token_is_one_whole_bearer_header() {
    let world = World::start(Engine::Sqlite).await.unwrap();
    let stage = Stage::acme(&world, "sam").await;
    let agent = world.agent(&stage.holder, "bot", &[]).await;
    let control = world.control(&agent).await;
    let path = format!("GET /api/v1/orgs/acme/agents/{}", agent.id);
    let before = heads(&world.owner.api).await;
    for token in [
        world.owner.api.token.expose_secret(),
        control.token.expose_secret(),
    ] {
        let whole = format!("Bearer {token}");
        let good = raw::send(port(&world), &path, &[("Authorization", &whole)], b"").await;
        assert_eq!(good.status, 200, "{}", good.json());
        for place in [4, token.len() / 3, token.len() / 2, token.len() - 3] {
            let mut turned = token.as_bytes().to_vec();
            if !turned[place].is_ascii_alphanumeric() {
                continue;
            }
            turned[place] = if turned[place] == b'a' { b'b' } else { b'a' };
            let turned = format!("Bearer {}", String::from_utf8(turned).unwrap());
            let reply = raw::send(port(&world), &path, &[("Authorization", &turned)], b"").await;
            assert_problem(
                &reply,
                401,
                "unauthenticated",
                &format!("changed at {place}"),
            );
        }
        let (cut, padded, quoted) = (
            &whole[..whole.len() - 1],
            format!("{whole}A"),
            format!("Bearer \"{token}\""),
        );
        for wrong in [
            cut,
            &padded,
            &quoted,
            &format!("Basic {token}"),
            &format!("Token {token}"),
            token,
            &format!("{whole}, {whole}"),
        ] {
            let reply = raw::send(port(&world), &path, &[("Authorization", wrong)], b"").await;
            assert_problem(&reply, 401, "unauthenticated", "another form of the header");
            assert!(
                !String::from_utf8_lossy(&reply.body).contains(&token[token.len() - 20..]),
                "the token is echoed"
            );
        }
        let twice = raw::send(
            port(&world),
            &path,
            &[("Authorization", &whole), ("Authorization", &whole)],
            b"",
        )
        .await;
        assert_problem(&twice, 401, "unauthenticated", "two headers");
        for name in ["access_token", "token", "api_key"] {
            let line = format!("{path}?{name}={token}");
            let reply = raw::send(port(&world), &line, &[], b"").await;
            assert_problem(
                &reply,
                401,
                "unauthenticated",
                &format!("in the query as {name}"),
            );
            let reply = raw::send(port(&world), &line, &[("Authorization", &whole)], b"").await;
            assert_names(&reply, name, &format!("in header and query as {name}"));
        }
        for header in [
            "X-Api-Key",
            "Cookie",
            "X-Access-Token",
            "Proxy-Authorization",
        ] {
            let reply = raw::send(port(&world), &path, &[(header, &whole)], b"").await;
            assert_problem(&reply, 401, "unauthenticated", header);
        }
    }
    assert_eq!(
        heads(&world.owner.api).await,
        before,
        "something was written"
    );
}
