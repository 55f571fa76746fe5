//! Trust: reports take at once, and nothing an agent says gives.

use super::ISSUER;
use crate::{directory::code, world::World};
use kernel::Code;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trust_falls_by_reports_and_rises_by_nothing_an_agent_says() {
    let world = World::new().await;
    let connection = world.orders().await;
    let agent = world.agent("a", &["orders:read", "orders:write"]).await;
    let control = world.control(&agent).await;
    let ask =
        json!({ "agent": agent["id"], "connection": connection["id"], "operation": "orders.put" });
    let allowed = world
        .call(&control, "dispatch.evaluate", ask.clone())
        .await
        .unwrap();
    let run_token = world
        .token(
            &agent,
            json!({ "resource": ISSUER, "run_id": allowed["run"] }),
        )
        .await
        .unwrap();
    let ended = json!({ "id": allowed["run"], "outcome": "completed" });
    world.call(&run_token, "runs.end", ended).await.unwrap();
    let trust = world
        .owner_calls("trust.read", json!({ "id": agent["id"] }))
        .await
        .unwrap();
    assert_eq!(
        trust["components"][1]["value"], 61,
        "one clean dispatched run"
    );

    let report = |severity: &str, run: Option<&Value>| json!({ "id": agent["id"], "type": "guardrail.blocked", "severity": severity, "run": run, "evidence": { "rule": 7 } });
    assert_eq!(
        world
            .call(&control, "agents.report_event", report("minor", None))
            .await
            .unwrap_err()
            .errors[0]
            .field,
        "run"
    );
    let own = world
        .call(
            &control,
            "agents.report_event",
            report("minor", Some(&allowed["run"])),
        )
        .await
        .unwrap();
    assert!(
        own["trust"]["after"].as_u64() < own["trust"]["before"].as_u64(),
        "{own}"
    );
    let again = world
        .call(
            &control,
            "agents.report_event",
            report("minor", Some(&allowed["run"])),
        )
        .await;
    assert_eq!(code(&again), Some(Code::AlreadyExists));
    let praise = world
        .call(
            &control,
            "agents.report_event",
            report("clean", Some(&allowed["run"])),
        )
        .await;
    assert_eq!(praise.unwrap_err().errors[0].field, "severity");
    world
        .owner_calls("agents.report_event", report("major", None))
        .await
        .unwrap();
    let major = world
        .owner_calls("agents.report_event", report("major", None))
        .await
        .unwrap();
    assert!(major["trust"]["after"].as_u64() < Some(40), "{major}");
    let blocked = world
        .call(&control, "dispatch.evaluate", ask.clone())
        .await
        .unwrap();
    let gates = json!(["trust_below_connection_min", "trust_below_policy_gate"]);
    assert_eq!(
        (&blocked["outcome"], &blocked["reasons"]),
        (&json!("block"), &gates),
        "the very next dispatch"
    );
    let critical = world
        .owner_calls("agents.report_event", report("critical", None))
        .await
        .unwrap();
    assert!(critical["trust"]["after"].as_u64() <= Some(19));
    assert_eq!(
        code(&world.call(&control, "dispatch.evaluate", ask).await),
        Some(Code::Unauthenticated),
        "below the floor"
    );
    let log = world
        .owner_calls("audit.events", json!({ "type": "agent.event_reported" }))
        .await
        .unwrap();
    assert_eq!(
        log["items"][0]["context"]["claimed"]["evidence"],
        "{\"rule\":7}"
    );
}
