//! The thin road from end to end: a human, an agent of theirs, a token that shrinks with its owner, a dispatch that
//! is gated, a revocation that takes effect at once.

use crate::world::text;
use serde_json::json;

on_both_engines!(an_agent_never_holds_more_than_its_owner, world => {
    let audience = "https://orders.example";
    let orders = world.orders(audience, 30).await;
    let (reader, writer) = (world.role("orders-reader", &["orders:read"]).await, world.role("orders-writer", &["orders:write"]).await);
    let member = world.member("ada@acme.example", &["member", &reader]).await;
    let given = world.owner.api.post("/role-assignments", json!({ "subject": member.id, "role": writer })).await.ok();
    let agent = world.agent(&member, "order bot", &["orders:read", "orders:write"]).await;

    let before = world.token(&agent, &[("resource", audience)]).await.ok();
    assert_eq!(text(&before, "scope"), "orders:read orders:write");
    world.owner.api.delete(&format!("/role-assignments/{}", text(&given, "id"))).await.ok();
    let after = world.token(&agent, &[("resource", audience)]).await.ok();
    assert_eq!(text(&after, "scope"), "orders:read", "the owner lost `orders:write`");
    let named = world.token(&agent, &[("resource", audience), ("scope", "orders:write")]).await;
    assert_eq!(named.refused(400), "invalid_scope");
    let old = world.introspect(&text(&before, "access_token")).await;
    assert_eq!((&old["active"], &old["scope"]), (&json!(true), &json!("orders:read")), "the older token shrank too");

    let control = world.control(&agent).await;
    let ask = json!({ "agent": agent.id, "connection": orders, "operation": "orders.list" });
    let allowed = control.post("/dispatch", &ask).await.ok();
    assert_eq!(allowed["outcome"], "allow", "{allowed}");
    let capability = text(&allowed, "capability_token");
    assert_eq!(world.introspect(&capability).await["active"], true);
    for n in 0..3 {
        let report = json!({ "type": "guardrail.blocked", "severity": "major" });
        let told = world.owner.api.post(&format!("/agents/{}/events", agent.id), report).await.ok();
        assert!(told["trust"]["after"].as_u64() < told["trust"]["before"].as_u64(), "report {n}: {told}");
    }
    let blocked = control.post("/dispatch", &ask).await.ok();
    assert_eq!(blocked["outcome"], "block");
    assert_eq!(blocked["reasons"], json!(["trust_below_connection_min"]));
    assert_eq!(blocked["gates"], json!([
        { "gate": "connection", "required": 30, "actual": 27, "pass": false },
        { "gate": "policy", "required": 20, "actual": 27, "pass": true },
        { "gate": "org_floor", "required": 20, "actual": 27, "pass": true },
    ]));
    assert_eq!(world.introspect(&capability).await["active"], false, "trust fell below the connection's minimum");

    world.owner.api.post(&format!("/users/{}/suspend", member.id), json!({})).await.ok();
    assert_eq!(world.token(&agent, &[("resource", audience)]).await.refused(400), "invalid_scope");
    assert_eq!(control.post("/dispatch", &ask).await.refused(401), "unauthenticated");
});
