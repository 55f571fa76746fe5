//! Two organizations on one server: identifiers, tokens and clients of one mean nothing in the other, are told so
//! exactly as what never existed is, and change nothing in either.

use crate::{
    calls::{self, Stage},
    heads::heads,
    world::{Answer, Api, World, client, text},
};
use egress::Request;
use kernel::SecretString;
use serde_json::{Value, json};
use service::{Erased, OPERATIONS};
use std::collections::BTreeMap;

/// Fields that name things and are not typed identifiers in the schema, with what they name.
const BY_TEXT: [(&str, &str, &str); 6] = [
    ("role_assignments.create", "role", "rol"),
    ("role_assignments.list", "role", "rol"),
    ("users.create", "roles.0", "rol"),
    ("kill_switches.set", "scope", "con"),
    ("kill_switches.set", "scope", "agt"),
    ("agents.revoke_secret", "key_id", "secret"),
];

/// Where a field of an operation names something, and of what kind: typed identifiers of the schema, and the above.
fn places(operation: &dyn Erased) -> Vec<(String, String)> {
    let schema = operation.input_schema().to_value();
    let mut found = Vec::new();
    for (field, shape) in schema["properties"].as_object().into_iter().flatten() {
        found.extend(prefix_of(shape).map(|prefix| (field.clone(), prefix)));
        found.extend(prefix_of(&shape["items"]).map(|prefix| (format!("{field}.0"), prefix)));
    }
    let name = operation.meta().name;
    let by_text = BY_TEXT.iter().filter(|(of, _, _)| *of == name);
    found.extend(by_text.map(|(_, field, prefix)| ((*field).to_owned(), (*prefix).to_owned())));
    found
}

fn prefix_of(shape: &Value) -> Option<String> {
    let choices = shape["anyOf"].as_array().cloned().unwrap_or_default();
    let pattern = std::iter::once(shape)
        .chain(&choices)
        .find_map(|shape| shape["pattern"].as_str());
    pattern?
        .strip_prefix('^')?
        .split_once('_')
        .map(|(prefix, _)| prefix.to_owned())
        .filter(|prefix| prefix.len() <= 4)
}

fn put(input: &Value, field: &str, value: &str) -> Value {
    let mut input = input.clone();
    match field.strip_suffix(".0") {
        Some(list) => input[list] = json!([value]),
        None => input[field] = json!(value),
    }
    input
}

/// One thing of each kind that an operation can name.
async fn things(world: &World, stage: &Stage) -> BTreeMap<&'static str, String> {
    let mut things = BTreeMap::new();
    for (prefix, label, field) in [
        ("agt", "agents.read", "id"),
        ("con", "connections.read", "id"),
        ("run", "runs.read", "id"),
        ("tok", "tokens.revoke", "id"),
        ("asg", "role_assignments.delete", "id"),
        ("rot", "agents.promote_rotation", "id"),
        ("rol", "role_assignments.create", "role"),
        ("usr", "users.read", "id"),
        ("secret", "agents.revoke_secret", "key_id"),
    ] {
        things.insert(prefix, text(&stage.input(world, label).await, field));
    }
    let organization = stage.owner.api.get("").await.ok();
    things.insert("org", text(&organization, "id"));
    things
}

/// An identifier of the same kind that nothing ever had.
fn never_made(prefix: &str) -> String {
    if prefix == "secret" {
        "zzzzzzzz".into()
    } else {
        format!("{prefix}_01m0000000e000000000000000")
    }
}

/// What an answer says, with the identifier it was about taken out.
fn told(answer: &Answer, id: &str) -> String {
    let (code, errors) = (&answer.body["code"], &answer.body["errors"]);
    let said = if answer.status < 300 {
        answer.body["items"].to_string()
    } else {
        answer.body["detail"].to_string()
    };
    format!("{} {code} {errors} {said}", answer.status).replace(id, "…")
}

on_both_engines!(neg_e2_an_identifier_of_another_organization_is_one_that_never_existed, world => {
    let (acme, beta) = (Stage::acme(&world, "sam").await, Stage::second(&world, "beta").await);
    let strange = things(&world, &beta).await;
    let mut tries = Vec::new();
    for operation in OPERATIONS.iter().filter(|operation| operation.meta().path.contains("{org}")) {
        let input = acme.input(&world, operation.meta().name).await;
        for (field, prefix) in places(*operation) {
            let id = strange.get(prefix.as_str()).unwrap_or_else(|| panic!("no thing `{prefix}` for {}", operation.meta().name));
            tries.push((operation.meta(), field, prefix, id.clone(), input.clone()));
        }
    }
    assert!(tries.len() > 40, "only {} places were found", tries.len());
    let before = (heads(&acme.owner.api).await, heads(&beta.owner.api).await);
    for (meta, field, prefix, id, input) in &tries {
        let what = format!("{} `{field}`", meta.name);
        let never = never_made(prefix);
        let foreign = calls::call(&world.url, Some(&acme.owner.api), meta, "acme", &put(input, field, id)).await;
        let unknown = calls::call(&world.url, Some(&acme.owner.api), meta, "acme", &put(input, field, &never)).await;
        assert_eq!(told(&foreign, id), told(&unknown, &never), "{what}: foreign and unknown are told apart");
        let named_by_path = meta.path.contains(&format!("{{{field}}}"));
        match foreign.status {
            404 => assert_eq!(foreign.refused(404), "not_found", "{what}"),
            400 => assert!(!named_by_path && foreign.body["errors"][0]["field"].as_str().unwrap().starts_with(field.as_str()), "{what}"),
            200 if meta.is_read() => assert_eq!(foreign.body["items"], json!([]), "{what}"),
            200 => assert_eq!(foreign.body["outcome"], "block", "{what}"),
            _ => panic!("{what}: {} {}", foreign.status, foreign.response.text()),
        }
    }
    for filter in ["actor", "resource"] {
        let found = acme.owner.api.get(&format!("/audit/events?{filter}={}", strange["usr"])).await.ok();
        assert_eq!(found["items"], json!([]), "the log of `acme`, by {filter}");
    }
    assert_eq!((heads(&acme.owner.api).await, heads(&beta.owner.api).await), before, "something changed");
});

on_both_engines!(neg_e2_a_token_of_another_organization_is_no_token, world => {
    let (acme, beta) = (Stage::acme(&world, "sam").await, Stage::second(&world, "beta").await);
    // A person known in both is no door between them either.
    beta.owner.api.post("/users", json!({ "email": "owner@acme.example", "name": "guest", "roles": ["owner"] })).await.ok();
    let control = world.control(&world.agent(&acme.holder, "bot", &[]).await).await;
    let garbage = Api::new(&world.url, "beta", SecretString::from("cdt_garbage"));
    let mut tries = Vec::new();
    for operation in OPERATIONS.iter().filter(|operation| operation.meta().path.contains("{org}")) {
        tries.push((operation.meta(), beta.input(&world, operation.meta().name).await));
    }
    let before = (heads(&acme.owner.api).await, heads(&beta.owner.api).await);
    for (meta, input) in &tries {
        let expected = calls::call(&world.url, Some(&garbage), meta, "beta", input).await;
        assert_eq!(expected.refused(401), "unauthenticated", "{}", meta.name);
        for (who, api) in [("an owner", &acme.owner.api), ("a member", &acme.holder.api), ("an agent", &control)] {
            let answer = calls::call(&world.url, Some(api), meta, "beta", input).await;
            assert_eq!(told(&answer, ""), told(&expected, ""), "{}: {who} of `acme`", meta.name);
        }
    }
    for path in ["/o/beta/mcp", "/o/beta/mcp/"] {
        for api in [&acme.owner.api, &control] {
            let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
            assert_eq!(api.send("POST", &format!("!{path}"), Some(&hello), &[]).await.status, 401, "{path}");
        }
    }
    assert_eq!((heads(&acme.owner.api).await, heads(&beta.owner.api).await), before, "something changed");
});

/// Posts a form to an organization's endpoint with a bearer token or without.
async fn form(
    world: &World,
    slug: &str,
    endpoint: &str,
    fields: &[(&str, &str)],
    bearer: Option<&SecretString>,
) -> Answer {
    let mut request = Request::post(&format!("{}/o/{slug}/oauth2/{endpoint}", world.url))
        .unwrap()
        .form(&fields)
        .unwrap();
    if let Some(token) = bearer {
        request = request.bearer(token).unwrap();
    }
    client().send(request).await.unwrap().into()
}

/// An agent of the stage's holder with its secret, whose only connection takes opaque tokens.
async fn opaque(stage: &Stage) -> (String, String) {
    let connection = json!({
        "name": "sealed", "audience": "https://sealed.example", "min_trust": 0, "scopes": ["mail:read"], "format": "opaque",
    });
    let made = stage.owner.api.post("/connections", connection).await.ok();
    let body = json!({
        "name": "sealed bot", "owner": stage.holder.id, "connections": [made["id"]], "scope_ceiling": ["mail:read"],
        "auth": { "method": "client_secret" },
    });
    let made = stage.holder.api.post("/agents", body).await.ok();
    (text(&made, "id"), text(&made, "client_secret"))
}

on_both_engines!(neg_c10_tokens_and_clients_end_at_their_organization, world => {
    let (acme, beta) = (Stage::acme(&world, "sam").await, Stage::second(&world, "beta").await);
    // Owners hold every scope, so that their agents get tokens.
    let (acme, beta) = (acme.about(&acme.owner).await, beta.about(&beta.owner).await);
    let (ours, theirs) = (acme.registered(&["orders:read"]).await, beta.registered(&["orders:read"]).await);
    let (our_id, our_secret) = (text(&ours, "id"), text(&ours, "client_secret"));
    let (their_id, their_secret) = (text(&theirs, "id"), text(&theirs, "client_secret"));
    let our_client = [("client_id", our_id.as_str()), ("client_secret", our_secret.as_str())];
    let their_client = [("client_id", their_id.as_str()), ("client_secret", their_secret.as_str())];
    let asked = |client: &[(&'static str, &str); 2], resource: &str| {
        let mut fields = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
        fields.extend(client.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        if !resource.is_empty() {
            fields.push(("resource".to_owned(), resource.to_owned()));
        }
        fields
    };
    let post = |slug: &'static str, endpoint: &'static str, fields: Vec<(String, String)>| {
        let world = &world;
        async move {
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            form(world, slug, endpoint, &fields, None).await
        }
    };
    let their_token = text(&post("beta", "token", asked(&their_client, "")).await.ok(), "access_token");
    let sealed = opaque(&beta).await;
    let sealed_client = [("client_id", sealed.0.as_str()), ("client_secret", sealed.1.as_str())];
    let sealed_token = text(&post("beta", "token", asked(&sealed_client, "")).await.ok(), "access_token");
    assert!(sealed_token.starts_with("cdx_"), "an opaque token");
    let issuer = format!("{}/o/beta", world.url);
    let their_control = text(&post("beta", "token", asked(&their_client, &issuer)).await.ok(), "access_token");
    let before = (heads(&acme.owner.api).await, heads(&beta.owner.api).await);

    let about = |client: &[(&'static str, &str); 2], token: &str| {
        let mut fields: Vec<(String, String)> = client.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        fields.push(("token".to_owned(), token.to_owned()));
        fields
    };
    assert_eq!(post("acme", "token", asked(&their_client, "")).await.refused(401), "invalid_client");
    let crossed = [("client_id", our_id.as_str()), ("client_secret", their_secret.as_str())];
    assert_eq!(post("acme", "token", asked(&crossed, "")).await.refused(401), "invalid_client");
    assert_eq!(post("acme", "token", asked(&our_client, &issuer)).await.refused(400), "invalid_target");
    for endpoint in ["introspect", "revoke"] {
        assert_eq!(post("acme", endpoint, about(&their_client, &their_token)).await.refused(401), "invalid_client", "{endpoint}");
    }
    for token in [&their_token, &their_control, &sealed_token] {
        let inactive = json!({ "active": false });
        assert_eq!(form(&world, "acme", "introspect", &[("token", token)], Some(&acme.owner.api.token)).await.ok(), inactive);
        assert_eq!(post("acme", "introspect", about(&our_client, token)).await.ok(), inactive);
        assert_eq!(post("acme", "revoke", about(&our_client, token)).await.status, 200, "an unknown token is no error");
        let there = form(&world, "beta", "introspect", &[("token", token)], Some(&beta.owner.api.token)).await.ok();
        assert_eq!(there["active"], true, "nothing was revoked where it lives");
        let bearer = SecretString::from(token.as_str());
        let wrong = form(&world, "acme", "introspect", &[("token", &their_token)], Some(&bearer)).await;
        assert_eq!(wrong.status, 401, "a foreign bearer at introspection");
        let api = Api::new(&world.url, "acme", bearer);
        assert_eq!(api.get(&format!("/agents/{their_id}")).await.refused(401), "unauthenticated");
        assert_eq!(api.get(&format!("/agents/{our_id}")).await.refused(401), "unauthenticated");
    }
    assert_eq!((heads(&acme.owner.api).await, heads(&beta.owner.api).await), before, "something changed");
});
