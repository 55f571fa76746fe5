//! What tokens say and to whom they may be addressed (CAP-1, CAP-5, OAU-5): one audience that is never ours, a near
//! end, scopes that are echoed, and a refusal instead of less than was asked for by name.

use crate::scene::{Scene, claims, connection, secret};
use crate::world::{AgentClient, text};
use kernel::{Clock, ExposeSecret, ambient::SystemClock};
use serde_json::json;

const TOKEN: &str = "/o/acme/oauth2/token";

on_both_engines!(cap_1_a_capability_says_one_audience_and_a_near_end, world => {
    let scene = Scene::new(&world, "cap").await;
    let agent = scene.agent("cap").await;
    let control = world.control(&agent).await;
    let (run, within) = scene.run(&control, &agent, json!({ "deadline_seconds": 60 })).await;
    let now = SystemClock.now().seconds();
    let dispatched = text(&scene.dispatch(&within, &agent, "write", None).await.ok(), "capability_token");
    let issued = text(&scene.issue(&agent, &[("run_id", &run)]).await.ok(), "access_token");
    let access = text(&scene.issue(&agent, &[]).await.ok(), "access_token");
    for (token, life, cap) in [(&dispatched, 60, true), (&issued, 60, true), (&access, 300, false)] {
        let said = claims(token);
        assert_eq!(said["aud"], json!(scene.audience), "exactly one, as text");
        assert_eq!(said["iss"], json!(format!("{}/o/acme", world.url)));
        assert_eq!((&said["sub"], &said["client_id"]), (&json!(agent.id), &json!(agent.id)));
        let (from, to) = (said["iat"].as_i64().unwrap(), said["exp"].as_i64().unwrap());
        assert!(from <= to && to - from <= life && to - now <= life + 2, "{said}");
        assert_eq!(said["cap"].as_bool().unwrap_or_default(), cap);
        assert_eq!(said["run_id"].is_string(), cap);
        assert!(said["lin"].as_array().unwrap().len() >= 2 && said["trust"]["score"].is_u64() && said["jti"].is_string());
        let introspected = world.introspect(token).await;
        assert_eq!((&introspected["aud"], &introspected["exp"]), (&said["aud"], &said["exp"]));
    }
    let (_, longer) = scene.run(&control, &agent, json!({ "deadline_seconds": 600 })).await;
    let full = text(&scene.dispatch(&longer, &agent, "write", None).await.ok(), "capability_token");
    assert!(claims(&full)["exp"].as_i64().unwrap() - claims(&full)["iat"].as_i64().unwrap() <= 120);
    // An empty remainder is an error, never an empty token.
    scene.human.api.patch(&format!("/agents/{}", agent.id), json!({ "scope_ceiling": [] , "connections": [scene.connection] })).await.ok();
    for more in [vec![], vec![("run_id", run.as_str())]] {
        assert_eq!(scene.issue(&agent, &more).await.refused(400), "invalid_scope");
    }
});

on_both_engines!(cap_5_an_audience_is_never_ours_and_a_scope_never_ambiguous, world => {
    let scene = Scene::new(&world, "own").await;
    let port = world.server.address().port();
    let own = [
        world.url.clone(),
        format!("{}/o/acme", world.url),
        format!("{}/o/acme/", world.url),
        format!("{}/o/acme/mcp", world.url),
        format!("{}/elsewhere", world.url),
        format!("https://localhost:{port}"),
        format!("http://127.0.0.1:{port}/o/acme"),
        format!("http://[::1]:{port}"),
        format!("http://LOCALHOST.:{port}/O/ACME"),
        format!("http://user@localhost:{port}"),
    ];
    for audience in &own {
        let body = json!({ "name": "self", "audience": audience, "min_trust": 20, "scopes": ["self:read"] });
        let answer = world.owner.api.post("/connections", body).await;
        assert_eq!((answer.refused(400), &answer.body["errors"][0]["field"]), ("invalid_input", &json!("audience")), "{audience}");
        let path = format!("/connections/{}", scene.connection);
        assert_eq!(world.owner.api.patch(&path, json!({ "audience": audience })).await.refused(400), "invalid_input", "{audience}");
    }
    for odd in ["", "orders", "/relative", "https://a.example#part"] {
        let body = json!({ "name": "odd", "audience": odd, "min_trust": 20, "scopes": ["odd:read"] });
        assert_eq!(world.owner.api.post("/connections", body).await.refused(400), "invalid_input", "{odd}");
    }
    let second = connection(&world, "second", "https://second.example", &[&scene.read()]).await;
    let register = |connections: Option<&str>| {
        let mut body = json!({ "name": "which", "owner": scene.human.id, "scope_ceiling": [scene.read()], "auth": { "method": "client_secret" } });
        if let Some(connection) = connections {
            body["connections"] = json!([connection]);
        }
        body
    };
    let answer = scene.human.api.post("/agents", register(None)).await;
    answer.refused(400);
    assert_eq!((&answer.body["errors"][0]["field"], &answer.body["errors"][0]["code"]), (&json!("scope_ceiling.0"), &json!("ambiguous_scope")));
    let made = scene.human.api.post("/agents", register(Some(&second))).await.ok();
    let agent = AgentClient { id: text(&made, "id"), secret: secret(&text(&made, "client_secret")) };
    assert_eq!(scene.issue(&agent, &[]).await.refused(400), "invalid_target", "the pair is of the second");
    world.token(&agent, &[("resource", "https://second.example")]).await.ok();
});

on_both_engines!(oau_5_what_is_had_is_said_and_what_may_not_be_had_is_refused, world => {
    let scene = Scene::new(&world, "echo").await;
    let (read, write) = (scene.read(), scene.write());
    let agent = scene.agent("echo").await;
    let said = scene.issue(&agent, &[]).await;
    assert_eq!(said.response.header("cache-control"), Some("no-store"));
    let said = said.ok();
    assert_eq!((text(&said, "scope"), text(&said, "token_type")), (format!("{read} {write}"), "Bearer".to_owned()));
    assert_eq!(claims(&text(&said, "access_token"))["scope"], said["scope"]);
    for (asked, given) in [(write.clone(), write.clone()), (format!("{write} {read}"), format!("{read} {write}")), (format!("{read} {read}"), read.clone())] {
        assert_eq!(text(&scene.issue(&agent, &[("scope", &asked)]).await.ok(), "scope"), given, "{asked}");
    }
    let long = vec![read.as_str(); 300].join(" ");
    for wrong in [format!("{read} echo:never"), "echo:never".into(), "read".into(), format!("{read}\u{1}"), "self".into(), "openid".into(), long] {
        assert_eq!(scene.issue(&agent, &[("scope", &wrong)]).await.refused(400), "invalid_scope", "{wrong}");
    }
    // Without a target there is none, unless there is only one to mean.
    assert_eq!(claims(&text(&world.token(&agent, &[]).await.ok(), "access_token"))["aud"], json!(scene.audience));
    connection(&world, "further", "https://further.example", &["further:read"]).await;
    let wide = world.agent(&scene.widely().await, "wide", &[&read, "further:read"]).await;
    assert_eq!(world.token(&wide, &[]).await.refused(400), "invalid_target");
    for target in ["https://unknown.example", "echo", "https://echo.example#x", "https://echo.example/"] {
        let answer = world.token(&agent, &[("resource", target)]).await;
        assert!(answer.status == 200 && target.ends_with('/') || answer.refused(400) == "invalid_target", "{target}");
    }
    let two = [("resource", scene.audience.as_str()), ("audience", "https://further.example")];
    assert_eq!(world.token(&wide, &two).await.refused(400), "invalid_target", "two targets");
    world.token(&agent, &[("audience", &scene.audience)]).await.ok();
    for (kind, error) in [("password", "unsupported_grant_type"), ("", "invalid_request")] {
        let form = [("grant_type", kind), ("client_id", agent.id.as_str()), ("client_secret", agent.secret.expose_secret())];
        assert_eq!(world.form(TOKEN, &form).await.refused(400), error, "{kind}");
    }
});
