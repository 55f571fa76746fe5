//! Who may ask what: every kind of credential at every endpoint.

use super::scene::{EVALUATION, Scene, question};
use crate::world::bare;
use axum::body::Body;
use serde_json::json;

const PATHS: [&str; 5] = [
    "evaluation",
    "evaluations",
    "search/subject",
    "search/resource",
    "search/action",
];

#[tokio::test]
async fn every_kind_of_caller_at_every_endpoint() {
    let scene = Scene::new().await;
    let ada = scene.person("ada", &["member"]).await;
    let eve = scene.person("eve", &["owner"]).await;
    let (agent, control) = scene.agent(&ada, "bot", &[]).await;
    let suspended = scene.token_of(&eve, &[]).await;
    scene
        .done("POST", &format!("/users/{eve}/suspend"), json!({}))
        .await;
    let (foreign, _) = scene.other("beta").await;
    let about_ada = question(("user", &ada), "read", ("orders", "1"));
    let about_bot = question(("agent", &agent), "read", ("orders", "1"));
    let nobody = question(
        ("agent", "agt_00000000000000000000000000"),
        "read",
        ("orders", "1"),
    );
    let evaluates = scene.token(&["decisions.evaluate"]).await;
    let searches = scene.token(&["decisions.search"]).await;
    let others = scene
        .token(&["users.read", "audit.read", "tokens.introspect"])
        .await;
    let bearer = |token: &str| format!("Bearer {token}");
    let (id, _) = scene.orders.clone();
    let guessed = format!("Basic {}", base64_of(&format!("{id}:cda_guessed")));
    let table = [
        ("anonymous", String::new(), &about_ada, [401; 5]),
        (
            "evaluates",
            bearer(&evaluates),
            &about_ada,
            [200, 200, 403, 403, 403],
        ),
        (
            "searches",
            bearer(&searches),
            &about_ada,
            [403, 403, 200, 200, 200],
        ),
        ("all three", bearer(&scene.asker), &about_ada, [200; 5]),
        ("other permissions", bearer(&others), &about_ada, [403; 5]),
        (
            "a member",
            bearer(&scene.token_of(&ada, &[]).await),
            &about_ada,
            [403; 5],
        ),
        (
            "a suspended owner",
            bearer(&suspended),
            &about_ada,
            [401; 5],
        ),
        (
            "another organization's owner",
            bearer(&foreign),
            &about_ada,
            [401; 5],
        ),
        ("no token of ours", bearer("cdt_x"), &about_ada, [401; 5]),
        (
            "an agent about itself",
            bearer(&control),
            &about_bot,
            [200, 200, 403, 403, 403],
        ),
        (
            "an agent about its owner",
            bearer(&control),
            &about_ada,
            [403; 5],
        ),
        ("an agent about nobody", bearer(&control), &nobody, [403; 5]),
        (
            "a connection",
            scene.basic(),
            &about_ada,
            [200, 200, 403, 403, 403],
        ),
        ("a guessed secret", guessed, &about_ada, [401; 5]),
    ];
    for (caller, authorization, body, wanted) in table {
        for (path, wanted) in PATHS.iter().zip(wanted) {
            let path = format!("/o/acme/access/v1/{path}");
            let answer = scene.sent(&path, &authorization, &body.to_string()).await;
            assert_eq!(answer.status, wanted, "{caller} {path}: {}", answer.text);
            if wanted == 401 {
                assert!(
                    !answer.header("www-authenticate").is_empty(),
                    "{caller} {path}"
                );
            }
        }
    }
}

fn base64_of(text: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD as B64};
    B64.encode(text)
}

#[tokio::test]
async fn a_connection_asks_about_its_own_scopes_alone() {
    let scene = Scene::new().await;
    let asked =
        |action: &str, of: &str| question(("user", "owner@acme.example"), action, (of, "1"));
    for (action, of, wanted) in [
        ("read", "orders", true),
        ("list", "orders", true),
        ("send", "mail", false),
        ("read", "nothing", false),
    ] {
        let answer = scene
            .sent(EVALUATION, &scene.basic(), &asked(action, of).to_string())
            .await;
        assert_eq!(
            answer.body["decision"],
            json!(wanted),
            "{action} {of}: {}",
            answer.text
        );
    }
    assert!(
        scene.decides(&asked("send", "mail")).await,
        "others may know"
    );
    // A declaration that goes takes the questions with it.
    let path = format!("/connections/{}", scene.orders.0);
    scene
        .done("PATCH", &path, json!({ "scopes": ["orders:write"] }))
        .await;
    let answer = scene
        .sent(
            EVALUATION,
            &scene.basic(),
            &asked("read", "orders").to_string(),
        )
        .await;
    assert_eq!(answer.body["decision"], json!(false));
    assert!(!scene.decides(&asked("read", "orders")).await);
}

#[tokio::test]
async fn a_proof_names_every_step() {
    let scene = Scene::new().await;
    scene.role("reader", &["orders:*"]).await;
    let ada = scene.person("ada", &["member"]).await;
    let given = scene.assign(&ada, "reader").await;
    let (agent, _) = scene.agent(&ada, "bot", &["orders:read"]).await;
    let proof = async |subject: (&str, &str)| {
        let asked = question(subject, "read", ("orders", "1"));
        let answer = scene.explain(&asked).await;
        assert_eq!(answer.body["decision"], json!(true), "{}", answer.text);
        answer.body["context"]["proof"].clone()
    };
    let orders = &scene.orders.0;
    let of_ada = proof(("user", "ada@acme.example")).await;
    assert_eq!(of_ada["principal"], json!(ada));
    let scopes = json!([{ "scope": "orders:read", "connection": orders }]);
    assert_eq!(of_ada["scopes"], scopes);
    assert_eq!(
        (
            &of_ada["roles"][0]["assignment"],
            &of_ada["roles"][0]["scope"]
        ),
        (&json!(given), &json!("orders:read"))
    );
    let of_bot = proof(("agent", &agent)).await;
    assert_eq!(of_bot["owner"], of_ada);
    assert_eq!(of_bot["agent"]["trust"], json!(48));
    assert_eq!(
        of_bot["agent"]["ceiling"],
        json!([{ "scope": "orders:read", "connection": orders, "connection_minimum": 20, "class_minimum": 20 }])
    );
    let plain = scene
        .ask(
            EVALUATION,
            &question(("user", &ada), "read", ("orders", "1")),
        )
        .await;
    assert_eq!(plain.body["context"].get("proof"), None);
}

#[tokio::test]
async fn only_who_may_be_told_is_told_why() {
    let scene = Scene::new().await;
    let evaluates = scene.token(&["decisions.evaluate"]).await;
    let asked = question(
        ("user", "usr_00000000000000000000000000"),
        "read",
        ("orders", "1"),
    );
    assert_eq!(scene.explained(&asked).await, "subject_unknown");
    for (token, explain, wanted) in [
        (&evaluates, "true", 403),
        (&evaluates, "false", 200),
        (&scene.asker, "yes", 400),
    ] {
        let request = bare("POST", EVALUATION)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("cardea-explain", explain);
        let request = request.body(Body::from(asked.to_string())).unwrap();
        let answer = scene.world.send(request).await;
        assert_eq!(answer.status, wanted, "{explain}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_explanation_shows_nobody_what_they_may_not_read() {
    let scene = Scene::new().await;
    scene.role("reader", &["orders:read"]).await;
    let ada = scene.person("ada", &["member", "reader"]).await;
    let gone = scene.person("gone", &["reader"]).await;
    scene
        .done("POST", &format!("/users/{gone}/suspend"), json!({}))
        .await;
    let (agent, _) = scene.agent(&ada, "bot", &["orders:read"]).await;
    let may = async |more: &[&str]| {
        let mut all = vec!["decisions.evaluate", "decisions.explain"];
        all.extend(more);
        scene.token(&all).await
    };
    let told = async |token: &str, subject: (&str, &str)| {
        let asked = question(subject, "read", ("orders", "1"));
        let answer = scene.explain_to(token, &asked).await;
        let context = answer.body["context"].clone();
        (context["reasons"][0].clone(), context["proof"].clone())
    };
    let blind = may(&[]).await;
    let never = "usr_00000000000000000000000000";
    for subject in [("user", never), ("user", gone.as_str())] {
        assert_eq!(told(&blind, subject).await.0, json!("no_permit"));
        let seeing = may(&["users.read"]).await;
        assert_ne!(told(&seeing, subject).await.0, json!("no_permit"));
    }
    let (reason, proof) = told(&blind, ("user", &ada)).await;
    assert_eq!(reason, json!("role"));
    for part in ["principal", "roles", "tuples", "agent", "owner"] {
        assert_eq!(proof.get(part), None, "{part} in {proof}");
        let (_, proof) = told(&blind, ("agent", &agent)).await;
        assert_eq!(proof.get(part), None, "{part} in {proof}");
    }
    let (_, proof) = told(&may(&["agents.read"]).await, ("agent", &agent)).await;
    assert!(proof.get("agent").is_some() && proof.get("owner").is_none());
    let (_, proof) = told(&may(&["users.read"]).await, ("user", &ada)).await;
    assert!(proof.get("principal").is_some() && proof.get("roles").is_none());
    let (_, proof) = told(&may(&["users.read", "roles.read"]).await, ("user", &ada)).await;
    assert!(proof.get("roles").is_some());
}

#[tokio::test]
async fn a_client_is_believed_before_its_body_and_waits_for_the_revision_it_names() {
    let scene = Scene::new().await;
    let (id, _) = scene.orders.clone();
    let guessed = format!("Basic {}", base64_of(&format!("{id}:cda_guessed")));
    for (authorization, wanted) in [(guessed, 401), (scene.basic(), 400)] {
        let answer = scene.sent(EVALUATION, &authorization, "no JSON").await;
        assert_eq!(answer.status, wanted, "{}", answer.text);
    }
    let asked = question(("user", "owner@acme.example"), "read", ("orders", "1"));
    for (revision, wanted) in [("1", 200), ("999999999", 503), ("soon", 400)] {
        let request = bare("POST", EVALUATION)
            .header("authorization", scene.basic())
            .header("content-type", "application/json")
            .header("cardea-at-least", revision);
        let request = request.body(Body::from(asked.to_string())).unwrap();
        let answer = scene.world.send(request).await;
        assert_eq!(answer.status, wanted, "{revision}: {}", answer.text);
    }
}
