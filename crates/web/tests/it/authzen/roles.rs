//! What roles permit: scopes as connections declare them, people by id and address, agents through the hinge, and
//! nobody whose state says no.

use super::scene::{EVALUATION, EVALUATIONS, Scene, question};
use serde_json::json;

#[tokio::test]
async fn a_role_permits_what_a_connection_declares_by_either_spelling() {
    let scene = Scene::new().await;
    scene.role("reader", &["orders:read", "list:orders"]).await;
    let ada = scene.person("ada", &["reader"]).await;
    for (action, resource, wanted) in [
        ("read", "orders", true),
        ("list", "orders", true),
        ("orders", "read", true),
        ("write", "orders", false),
        ("Read", "orders", false),
        ("read", "Orders", false),
        ("send", "mail", false),
        ("delete", "orders", false),
        ("read", "invoices", false),
    ] {
        for subject in [ada.as_str(), "ada@acme.example", "ADA@Acme.example"] {
            let asked = question(("user", subject), action, (resource, "17"));
            assert_eq!(scene.decides(&asked).await, wanted, "{asked}");
        }
    }
    let asked = question(("user", &ada), "read", ("orders", "17"));
    let answer = scene.ask(EVALUATION, &asked).await;
    assert_eq!(answer.body["context"]["reasons"], json!(["role"]));
    assert_eq!(
        answer.header("cardea-revision"),
        answer.body["context"]["revision"].to_string()
    );
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    // A wildcard means what is declared when it is asked; the owner holds every scope that is.
    scene.role("all-orders", &["orders:*"]).await;
    let bea = scene.person("bea", &["all-orders"]).await;
    let write = question(("user", &bea), "write", ("orders", "1"));
    let delete = question(("user", &bea), "delete", ("orders", "1"));
    assert!(scene.decides(&write).await && !scene.decides(&delete).await);
    let owner = question(("user", "owner@acme.example"), "send", ("mail", "1"));
    assert!(scene.decides(&owner).await);
}

#[tokio::test]
async fn a_role_that_is_taken_away_permits_nothing_on_the_next_request() {
    let scene = Scene::new().await;
    scene.role("reader", &["orders:read"]).await;
    let ada = scene.person("ada", &[]).await;
    let given = scene.assign(&ada, "reader").await;
    let asked = question(("user", "ada@acme.example"), "read", ("orders", "1"));
    assert!(scene.decides(&asked).await);
    let path = format!("/api/v1/orgs/acme/role-assignments/{given}");
    assert!(
        scene
            .world
            .json("DELETE", &path, "")
            .await
            .status
            .is_success()
    );
    assert!(!scene.decides(&asked).await);
}

#[tokio::test]
async fn an_agent_may_do_what_is_left_of_its_ceiling_and_its_owner() {
    let scene = Scene::new().await;
    scene.role("reader", &["orders:read"]).await;
    scene.role("writer", &["orders:write"]).await;
    let ada = scene.person("ada", &["member", "reader"]).await;
    let writing = scene.assign(&ada, "writer").await;
    let (agent, control) = scene
        .agent(&ada, "bot", &["orders:read", "orders:write"])
        .await;
    let may = |action: &'static str| question(("agent", &agent), action, ("orders", "1"));
    assert!(scene.decides(&may("read")).await && scene.decides(&may("write")).await);
    assert!(!scene.decides(&may("list")).await, "not in its ceiling");
    // It may ask about itself, and hears the same.
    let own = scene
        .sent(
            EVALUATION,
            &format!("Bearer {control}"),
            &may("write").to_string(),
        )
        .await;
    assert_eq!(
        (own.status.as_u16(), &own.body["decision"]),
        (200, &json!(true))
    );
    let path = format!("/api/v1/orgs/acme/role-assignments/{writing}");
    assert!(
        scene
            .world
            .json("DELETE", &path, "")
            .await
            .status
            .is_success()
    );
    assert!(scene.decides(&may("read")).await && !scene.decides(&may("write")).await);
    let own = scene
        .sent(
            EVALUATION,
            &format!("Bearer {control}"),
            &may("write").to_string(),
        )
        .await;
    assert_eq!(own.body["decision"], json!(false));
    // Trust below what the scope's class wants.
    scene
        .done(
            "PATCH",
            &format!("/connections/{}", scene.orders.0),
            json!({ "min_trust": 60 }),
        )
        .await;
    assert!(!scene.decides(&may("read")).await);
    assert_eq!(scene.explained(&may("read")).await, "trust_too_low");
    scene
        .done(
            "PATCH",
            &format!("/connections/{}", scene.orders.0),
            json!({ "min_trust": 20 }),
        )
        .await;
    assert!(scene.decides(&may("read")).await);
    scene
        .done("POST", &format!("/users/{ada}/suspend"), json!({}))
        .await;
    assert!(!scene.decides(&may("read")).await);
    assert_eq!(scene.explained(&may("read")).await, "owner_inactive");
}

#[tokio::test]
async fn who_is_not_known_or_does_not_stand_is_denied_in_one_way() {
    let scene = Scene::new().await;
    scene.role("reader", &["orders:read"]).await;
    let ada = scene.person("ada", &["reader"]).await;
    scene
        .done("POST", &format!("/users/{ada}/suspend"), json!({}))
        .await;
    let (_, stranger) = scene.other("beta").await;
    let never = "usr_00000000000000000000000000";
    let denied = [
        (("user", ada.as_str()), "subject_inactive"),
        (("user", "ada@acme.example"), "subject_inactive"),
        (("user", &*stranger), "subject_unknown"),
        (("user", never), "subject_unknown"),
        (("user", "owner@beta.example"), "no_permit"),
        (("user", "nobody@acme.example"), "no_permit"),
        (("user", "ada"), "no_permit"),
        (
            ("agent", "agt_00000000000000000000000000"),
            "subject_unknown",
        ),
        (("agent", "bot"), "subject_unknown"),
        (("spaceship", "1"), "no_permit"),
    ];
    let mut told = Vec::new();
    for (subject, why) in denied {
        let asked = question(subject, "read", ("orders", "1"));
        told.push(scene.ask(EVALUATION, &asked).await.text);
        assert_eq!(scene.explained(&asked).await, why, "{asked}");
    }
    let resources = [("invoices", "1"), ("connection", scene.orders.0.as_str())];
    for resource in resources {
        let asked = question(("user", "owner@acme.example"), "read", resource);
        told.push(scene.ask(EVALUATION, &asked).await.text);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    scene
        .done("POST", &format!("/users/{ada}/resume"), json!({}))
        .await;
    let asked = question(("user", &ada), "read", ("orders", "1"));
    assert!(scene.decides(&asked).await);
}

#[tokio::test]
async fn an_address_is_somebody_as_soon_as_they_are_added() {
    let scene = Scene::new().await;
    scene.role("reader", &["orders:read"]).await;
    let asked = question(("user", "ada@acme.example"), "read", ("orders", "1"));
    assert!(
        !scene.decides(&asked).await,
        "nobody yet, and that is remembered"
    );
    scene.person("ada", &["reader"]).await;
    assert!(scene.decides(&asked).await);
}

#[tokio::test]
async fn what_a_caller_claims_overrides_nothing() {
    let scene = Scene::new().await;
    scene.role("reader", &["orders:read"]).await;
    let ada = scene.person("ada", &["reader"]).await;
    let mut asked = question(("user", &ada), "write", ("orders", "1"));
    for claims in ["subject", "action", "resource"] {
        asked[claims]["properties"] = json!({ "role": "owner", "roles": ["owner"], "scopes": ["orders:write"], "status": "active" });
    }
    asked["context"] =
        json!({ "auth": { "level": 9 }, "trust": 100, "delegation": [], "explain": true });
    assert!(!scene.decides(&asked).await);
    scene
        .done("POST", &format!("/users/{ada}/suspend"), json!({}))
        .await;
    asked["action"]["name"] = json!("read");
    asked["subject"]["properties"] = json!({ "status": "active" });
    assert!(!scene.decides(&asked).await);
}

#[tokio::test]
async fn a_batch_is_answered_in_order_up_to_what_settles_it() {
    let scene = Scene::new().await;
    scene.role("reader", &["orders:read"]).await;
    let ada = scene.person("ada", &["reader"]).await;
    let batch = |semantic: &str, actions: &[&str]| {
        let questions: Vec<_> = actions
            .iter()
            .map(|action| match *action {
                "" => json!({ "action": {} }),
                action => json!({ "action": { "name": action } }),
            })
            .collect();
        json!({ "subject": { "type": "user", "id": ada }, "resource": { "type": "orders", "id": "1" },
            "options": { "evaluations_semantic": semantic }, "evaluations": questions })
    };
    let decisions = async |body: serde_json::Value| {
        let answer = scene.ask(EVALUATIONS, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let all = answer.body["evaluations"].as_array().unwrap().clone();
        let revisions: Vec<_> = all.iter().map(|one| &one["context"]["revision"]).collect();
        assert!(
            revisions.windows(2).all(|two| two[0] == two[1]),
            "one revision"
        );
        all.iter()
            .map(|one| one["decision"].as_bool().unwrap())
            .collect::<Vec<_>>()
    };
    let three = ["read", "write", "read"];
    assert_eq!(
        decisions(batch("execute_all", &three)).await,
        [true, false, true]
    );
    assert_eq!(
        decisions(batch("deny_on_first_deny", &three)).await,
        [true, false]
    );
    assert_eq!(
        decisions(batch("permit_on_first_permit", &["write", "read", "read"])).await,
        [false, true]
    );
    assert_eq!(
        decisions(batch("execute_all", &["read", "", "read"])).await,
        [true, false, true]
    );
    assert_eq!(
        decisions(batch("deny_on_first_deny", &["read", "", "read"])).await,
        [true, false]
    );
    let broken = scene.ask(EVALUATIONS, &batch("execute_all", &[""])).await;
    let error = &broken.body["evaluations"][0]["context"]["error"];
    assert_eq!(
        (&error["status"], error["message"].as_str()),
        (&json!(400), Some("`action.name`: is required"))
    );
}
