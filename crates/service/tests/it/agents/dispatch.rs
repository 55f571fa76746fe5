//! Dispatch: a permit for whoever stands behind the agent, a decision for everybody else, and nothing once it falls.

use super::{ISSUER, text};
use crate::{directory::code, world::World};
use kernel::Code;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_dispatched_and_falls_with_everything_under_it() {
    let world = World::new().await;
    let connection = world.orders().await;
    assert_eq!(connection["audience"], "https://orders.example.com");
    assert!(connection["client_secret"].is_string());
    let agent = world
        .agent("Order bot", &["orders:read", "orders:write", "orders:read"])
        .await;
    assert_eq!(
        (&agent["state"], &agent["trust"]["score"]),
        (&json!("active"), &json!(48))
    );
    assert_eq!(
        agent["scope_ceiling"],
        json!(["orders:read", "orders:write"])
    );

    let control = world.control(&agent).await;
    let ask = |operation: &str| {
        json!({
            "agent": agent["id"], "connection": connection["id"], "operation": operation, "arguments": { "b": 1, "a": [] },
        })
    };
    let allowed = world
        .call(&control, "dispatch.evaluate", ask("orders.put"))
        .await
        .unwrap();
    assert_eq!(
        (&allowed["outcome"], &allowed["scope"]),
        (&json!("allow"), &json!("orders:read orders:write")),
        "{allowed}"
    );
    assert_eq!(allowed["gates"].as_array().unwrap().len(), 3);
    let capability = text(&allowed["capability_token"]).to_owned();
    assert!(world.is_active(&capability).await);
    let read = world
        .call(&control, "dispatch.evaluate", ask("orders.list"))
        .await
        .unwrap();
    assert_eq!(
        read["scope"], "orders:read",
        "no more than the operation's class needs"
    );

    for (operation, gate) in [("orders.pay", 60), ("read:orders.drop", 80)] {
        let blocked = world
            .call(&control, "dispatch.evaluate", ask(operation))
            .await
            .unwrap();
        assert_eq!(
            (&blocked["outcome"], &blocked["gates"][1]["required"]),
            (&json!("block"), &json!(gate))
        );
        assert_eq!(blocked["reasons"], json!(["trust_below_policy_gate"]));
        assert!(
            blocked.get("capability_token").is_none() && blocked.get("run").is_none(),
            "{blocked}"
        );
    }

    let run = world
        .call(
            &control,
            "runs.start",
            json!({ "agent": agent["id"], "purpose": "nightly", "deadline_seconds": 3600 }),
        )
        .await
        .unwrap();
    assert_eq!(run["state"], "running");
    let revoked = world
        .owner_calls(
            "agents.revoke",
            json!({ "id": agent["id"], "reason": "drill" }),
        )
        .await
        .unwrap();
    // The control token, two capabilities and the run's own token; two dispatched runs and the one it started.
    assert_eq!(
        revoked["cascaded"],
        json!({ "tokens": 4, "runs": 3, "delegations": 0 })
    );
    assert!(!world.is_active(&capability).await && !world.is_active(text(&run["run_token"])).await);
    assert_eq!(
        code(
            &world
                .call(&control, "agents.read", json!({ "id": agent["id"] }))
                .await
        ),
        Some(Code::Unauthenticated)
    );
    assert_eq!(
        world.token(&agent, json!({ "resource": ISSUER })).await,
        Err("invalid_client".into())
    );
    let after = world
        .owner_calls("runs.read", json!({ "id": run["id"] }))
        .await
        .unwrap();
    assert_eq!(after["state"], "terminated");
    let entry = world
        .owner_calls("audit.events", json!({ "type": "agent.revoked" }))
        .await
        .unwrap();
    let covered = &entry["items"][0]["action"]["details"]["after"]["covered"];
    assert_eq!(covered["cascaded"], revoked["cascaded"]);
    assert_eq!(
        code(
            &world
                .owner_calls("agents.revoke", json!({ "id": agent["id"] }))
                .await
        ),
        Some(Code::InvalidState)
    );
    world.agent("Order bot", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_stand_behind_an_agent_gets_the_decision_alone() {
    let world = World::new().await;
    let connection = world.orders().await;
    let agent = world.agent("a", &["orders:read"]).await;
    let ask =
        json!({ "agent": agent["id"], "connection": connection["id"], "operation": "orders.list" });
    let role = json!({ "name": "watch", "permissions": ["dispatch.evaluate", "agents.read", "runs.create"] });
    let role = world.owner_calls("roles.create", role).await.unwrap();
    let (_, watcher) = world
        .person(
            "w@acme.example",
            "guest",
            &["dispatch.evaluate", "agents.read", "runs.create"],
        )
        .await;
    let (member, stranger) = world
        .person(
            "m@acme.example",
            "member",
            &["dispatch.evaluate", "runs.create", "agents.act_for"],
        )
        .await;
    let id = world
        .owner_calls("users.list", json!({ "email": "w@acme.example" }))
        .await
        .unwrap()["items"][0]["id"]
        .clone();
    world
        .owner_calls(
            "role_assignments.create",
            json!({ "subject": id, "role": role["id"] }),
        )
        .await
        .unwrap();

    let decision = world
        .call(&watcher, "dispatch.evaluate", ask.clone())
        .await
        .unwrap();
    assert_eq!(decision["outcome"], "allow");
    assert!(
        decision.get("capability_token").is_none() && decision.get("run").is_none(),
        "{decision}"
    );
    let start = json!({ "agent": agent["id"], "purpose": "p", "deadline_seconds": 60 });
    assert_eq!(
        code(&world.call(&watcher, "runs.start", start.clone()).await),
        Some(Code::PermissionDenied)
    );
    for operation in ["dispatch.evaluate", "runs.start"] {
        let input = if operation == "runs.start" {
            start.clone()
        } else {
            ask.clone()
        };
        assert_eq!(
            code(&world.call(&stranger, operation, input).await),
            Some(Code::NotFound),
            "{operation}"
        );
    }

    // The owner of the organization may act for any agent; their own authority joins, under their own run.
    let own = world
        .owner_calls("dispatch.evaluate", ask.clone())
        .await
        .unwrap();
    assert!(own["capability_token"].is_string());
    let control = world.control(&agent).await;
    let run = world.call(&control, "runs.start", start).await.unwrap();
    let mut within = ask.clone();
    within["run"] = run["id"].clone();
    let foreign = world
        .owner_calls("dispatch.evaluate", within.clone())
        .await
        .unwrap();
    assert_eq!(foreign["outcome"], "allow");
    assert!(
        foreign.get("capability_token").is_none(),
        "a run the agent started is not bounded by this human"
    );
    within["run"] = json!(own["run"]);
    assert!(
        world
            .owner_calls("dispatch.evaluate", within.clone())
            .await
            .unwrap()["capability_token"]
            .is_string()
    );
    within["run"] = json!("run_00000000000000000000000000");
    let unknown = world
        .owner_calls("dispatch.evaluate", within)
        .await
        .unwrap();
    assert_eq!(
        (&unknown["outcome"], &unknown["reasons"]),
        (&json!("block"), &json!(["run_not_open"]))
    );

    // A member who owns an agent and holds no scope: the hinge leaves nothing, whoever asks.
    let theirs = json!({ "name": "b", "owner": member, "scope_ceiling": ["orders:read"], "auth": { "method": "client_secret" } });
    let theirs = world.owner_calls("agents.register", theirs).await.unwrap();
    assert_eq!(
        (&theirs["state"], &theirs["trust"]["score"]),
        (&json!("draft"), &json!(0))
    );
    assert_eq!(
        world.token(&theirs, json!({ "resource": ISSUER })).await,
        Err("invalid_client".into())
    );
    let accept = json!({ "id": theirs["id"] });
    assert_eq!(
        code(&world.owner_calls("agents.accept", accept.clone()).await),
        Some(Code::PermissionDenied)
    );
    let more = json!({ "name": "more", "principal": member, "permissions": ["agents.create", "agents.read"] });
    let more = world.owner_calls("tokens.create", more).await.unwrap();
    let accepted = world
        .call(text(&more["token"]), "agents.accept", accept)
        .await
        .unwrap();
    assert_eq!(accepted["state"], "active");
    let ask = json!({ "agent": theirs["id"], "connection": connection["id"], "operation": "orders.list" });
    let nothing = world
        .call(&stranger, "dispatch.evaluate", ask)
        .await
        .unwrap();
    assert_eq!(
        (&nothing["outcome"], &nothing["reasons"]),
        (&json!("block"), &json!(["no_scope_left"]))
    );
}
