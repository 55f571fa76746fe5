//! People and what they hold: nobody gives more than they hold, an owner always stays, and what ends takes what was
//! under it along.

use crate::world::World;
use kernel::Code;
use serde_json::{Value, json};

impl World {
    pub async fn owner_calls(&self, name: &str, input: Value) -> Result<Value, service::Error> {
        self.call(&self.token, name, input).await
    }

    /// A person with a role, and an API token of theirs with these permissions.
    pub async fn person(&self, email: &str, role: &str, permissions: &[&str]) -> (String, String) {
        let made = self
            .owner_calls(
                "users.create",
                json!({ "email": email, "name": "Some One", "roles": [role] }),
            )
            .await;
        let id = made.unwrap()["id"].as_str().unwrap().to_owned();
        let input = json!({ "name": "t", "principal": id, "permissions": permissions });
        let token = self.owner_calls("tokens.create", input).await.unwrap();
        (id, token["token"].as_str().unwrap().to_owned())
    }
}

pub fn code(outcome: &Result<Value, service::Error>) -> Option<Code> {
    outcome.as_ref().err().map(|error| error.code)
}

const ADMINISTRATOR: &[&str] = &[
    "users.read",
    "users.create",
    "users.suspend",
    "roles.read",
    "roles.create",
    "roles.assign",
    "tokens.create",
    "tokens.read",
    "settings.update",
    "settings.read",
    "kill_switches.update",
    "audit.read",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_added_changed_stopped_and_ended() {
    let world = World::new().await;
    let (id, token) = world
        .person("Ada@Example.com", "member", &["users.read", "tokens.read"])
        .await;
    let again = world
        .owner_calls(
            "users.create",
            json!({ "email": "ada@example.com", "name": "A" }),
        )
        .await;
    assert_eq!(code(&again), Some(Code::AlreadyExists));
    assert_eq!(again.unwrap_err().errors[0].field, "email");

    let own = world.call(&token, "users.list", json!({})).await.unwrap();
    assert_eq!(
        own["items"].as_array().unwrap().len(),
        1,
        "a member sees only themselves"
    );
    let stranger = world
        .call(&token, "users.read", json!({ "id": world.owner }))
        .await;
    assert_eq!(code(&stranger), Some(Code::NotFound));
    let found = world
        .owner_calls(
            "users.list",
            json!({ "email": "ADA@example.com", "total": true }),
        )
        .await
        .unwrap();
    assert_eq!(
        (&found["items"][0]["id"], &found["total"]),
        (&json!(id), &json!(1))
    );

    let renamed = world
        .owner_calls("users.update", json!({ "id": id, "name": "Ada L" }))
        .await
        .unwrap();
    assert_eq!(
        (&renamed["name"], &renamed["roles"]),
        (&json!("Ada L"), &json!(["member"]))
    );
    let suspended = world
        .owner_calls("users.suspend", json!({ "id": id, "reason": "leave" }))
        .await
        .unwrap();
    assert_eq!(suspended["status"], "suspended");
    assert_eq!(
        code(&world.call(&token, "users.list", json!({})).await),
        Some(Code::Unauthenticated)
    );
    world
        .owner_calls("users.resume", json!({ "id": id }))
        .await
        .unwrap();
    assert!(world.call(&token, "users.list", json!({})).await.is_ok());

    let ended = world
        .owner_calls("users.deactivate", json!({ "id": id }))
        .await
        .unwrap();
    assert_eq!(
        ended["cascaded"],
        json!({ "tokens": 1, "role_assignments": 1 })
    );
    assert_eq!(
        code(&world.call(&token, "users.list", json!({})).await),
        Some(Code::Unauthenticated)
    );
    let back = world
        .owner_calls(
            "users.create",
            json!({ "email": "ada@example.com", "name": "Ada" }),
        )
        .await
        .unwrap();
    assert_eq!(
        (&back["id"], &back["status"], &back["roles"]),
        (&json!(id), &json!("active"), &json!([]))
    );
    assert_eq!(
        code(&world.call(&token, "users.list", json!({})).await),
        Some(Code::Unauthenticated),
        "revoked for good"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_of_another_organization_joins_pending_and_foreign_ids_are_unknown() {
    let world = World::new().await;
    let other = service::setup::init(&world.platform, "other", "eve@other.example", false)
        .await
        .unwrap();
    let foreign = other.owner.to_string();
    for (name, input) in [
        ("users.read", json!({ "id": foreign })),
        ("users.suspend", json!({ "id": foreign })),
        (
            "role_assignments.create",
            json!({ "subject": foreign, "role": "viewer" }),
        ),
        (
            "tokens.create",
            json!({ "name": "t", "principal": foreign, "permissions": [] }),
        ),
    ] {
        assert_eq!(
            code(&world.owner_calls(name, input).await),
            Some(Code::NotFound),
            "{name}"
        );
    }
    let joined = json!({ "email": "eve@other.example", "name": "Eve", "roles": ["viewer"] });
    assert_eq!(
        world
            .owner_calls("users.create", joined.clone())
            .await
            .unwrap()["status"],
        "pending"
    );
    let held = world
        .owner_calls("users.effective_permissions", json!({ "id": foreign }))
        .await
        .unwrap();
    assert_eq!(
        (&held["active"], &held["permissions"]),
        (&json!(false), &json!([]))
    );
    world
        .owner_calls("users.deactivate", json!({ "id": foreign }))
        .await
        .unwrap();
    let again = world.owner_calls("users.create", joined).await.unwrap();
    assert_eq!(
        again["status"], "pending",
        "leaving and coming back is no acceptance"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gives_more_than_they_hold_by_any_path() {
    let world = World::new().await;
    let (admin, token) = world
        .person("admin@acme.example", "administrator", ADMINISTRATOR)
        .await;
    let owner = world.owner.clone();
    let refused = [
        (
            "role_assignments.create",
            json!({ "subject": admin, "role": "owner" }),
            Code::BeyondOwnPermissions,
        ),
        (
            "users.create",
            json!({ "email": "x@acme.example", "name": "X", "roles": ["owner"] }),
            Code::BeyondOwnPermissions,
        ),
        (
            "role_assignments.create",
            json!({ "subject": admin, "role": "billing_administrator" }),
            Code::BeyondOwnPermissions,
        ),
        (
            "roles.create",
            json!({ "name": "r", "permissions": ["billing.update"] }),
            Code::BeyondOwnPermissions,
        ),
        (
            "roles.create",
            json!({ "name": "r", "scopes": ["orders:*"] }),
            Code::BeyondOwnPermissions,
        ),
        (
            "roles.create",
            json!({ "name": "r", "permissions": ["instance.kill"] }),
            Code::InvalidInput,
        ),
        (
            "roles.create",
            json!({ "name": "r", "scopes": ["orders:read"] }),
            Code::InvalidInput,
        ),
        (
            "tokens.create",
            json!({ "name": "t", "permissions": ["agents.revoke"] }),
            Code::BeyondOwnPermissions,
        ),
        (
            "tokens.create",
            json!({ "name": "t", "permissions": ["instance.kill"] }),
            Code::BeyondOwnPermissions,
        ),
        (
            "tokens.create",
            json!({ "name": "t", "principal": owner, "permissions": [] }),
            Code::SudoRequired,
        ),
        (
            "users.deactivate",
            json!({ "id": owner }),
            Code::BeyondOwnPermissions,
        ),
        (
            "settings.update",
            json!({ "agents": { "trust_floor": 10 } }),
            Code::SudoRequired,
        ),
        (
            "kill_switches.set",
            json!({ "scope": "org", "on": false, "reason": "r" }),
            Code::SudoRequired,
        ),
        (
            "kill_switches.set_instance",
            json!({ "on": true, "reason": "r" }),
            Code::PermissionDenied,
        ),
    ];
    for (name, input, expected) in refused {
        assert_eq!(
            code(&world.call(&token, name, input.clone()).await),
            Some(expected),
            "{name} {input}"
        );
    }
    let small = world
        .call(
            &token,
            "roles.create",
            json!({ "name": "Reader", "permissions": ["users.read"] }),
        )
        .await
        .unwrap();
    assert_eq!(small["permissions"], json!(["users.read"]));
    let twice = world
        .call(&token, "roles.create", json!({ "name": "reader" }))
        .await;
    assert_eq!(code(&twice), Some(Code::AlreadyExists));
    let given = json!({ "subject": admin, "role": "reader" });
    assert_eq!(
        world
            .call(&token, "role_assignments.create", given.clone())
            .await
            .unwrap()["role_name"],
        "Reader"
    );
    assert_eq!(
        code(&world.call(&token, "role_assignments.create", given).await),
        Some(Code::AlreadyExists)
    );
    let held = world
        .owner_calls("users.effective_permissions", json!({ "id": admin }))
        .await
        .unwrap();
    let read = held["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|held| held["permission"] == "users.read")
        .unwrap();
    let mut names: Vec<_> = read["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        (&read["reach"], names),
        (&json!("all"), vec!["Reader", "administrator"])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_owner_stays_whoever_asks_at_the_same_moment() {
    let world = World::new().await;
    let (admin, token) = world
        .person("admin@acme.example", "administrator", ADMINISTRATOR)
        .await;
    for name in ["users.suspend", "users.deactivate"] {
        assert_eq!(
            code(&world.owner_calls(name, json!({ "id": world.owner })).await),
            Some(Code::LastOwner),
            "{name}"
        );
    }
    let mine = world
        .owner_calls("role_assignments.list", json!({ "subject": world.owner }))
        .await
        .unwrap();
    let mine = json!({ "id": mine["items"][0]["id"] });
    assert_eq!(
        code(
            &world
                .owner_calls("role_assignments.delete", mine.clone())
                .await
        ),
        Some(Code::LastOwner)
    );

    let later = kernel::Timestamp::from_seconds(4_000_000_000).to_string();
    let temporary = json!({ "subject": admin, "role": "owner", "expires_at": later });
    let temporary = world
        .owner_calls("role_assignments.create", temporary)
        .await
        .unwrap();
    assert_eq!(
        code(&world.owner_calls("role_assignments.delete", mine).await),
        Some(Code::LastOwner),
        "one that ends does not count"
    );
    world
        .owner_calls("role_assignments.delete", json!({ "id": temporary["id"] }))
        .await
        .unwrap();

    let second = json!({ "email": "second@acme.example", "name": "Second", "roles": ["owner"] });
    let second = world.owner_calls("users.create", second).await.unwrap()["id"].clone();
    for _ in 0..10 {
        let (one, two) = tokio::join!(
            world.call(&token, "users.suspend", json!({ "id": world.owner })),
            world.call(&token, "users.suspend", json!({ "id": second })),
        );
        let refused: Vec<_> = [&one, &two].into_iter().filter_map(code).collect();
        assert!(matches!(refused[..], [Code::LastOwner]), "{one:?} {two:?}");
        if two.is_ok() {
            world
                .owner_calls("users.resume", json!({ "id": second }))
                .await
                .unwrap();
            continue;
        }
        let not_by_admin = world
            .call(&token, "users.resume", json!({ "id": world.owner }))
            .await;
        assert_eq!(code(&not_by_admin), Some(Code::BeyondOwnPermissions));
        break;
    }
}
