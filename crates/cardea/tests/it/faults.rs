//! A scripted road on which every COMMIT goes wrong once in each of four ways: refused before the engine has it, its
//! answer lost after it, the process gone before, the process gone after. Nothing that was acknowledged is lost, and
//! nothing happens twice: sending again under the same key gives the one result, the chain is whole, and what the node
//! decides on is what the store holds.

mod child;
mod plan;
mod road;
mod walk;

use plan::{Plan, What, When};
use testkit::{
    postgres::Postgres,
    tools::{Tool, require},
};
use walk::{Asked, Walk};

/// Fewer COMMITs than this is not the road.
const COMMITS: usize = 20;

async fn walked(database_url: Option<String>, what: What, when: When) -> usize {
    let mut walk = Walk::begin(
        database_url,
        Plan {
            serial: 0,
            what,
            when,
            at: 0,
        },
    )
    .await;
    road::all(&mut walk).await;
    let hit = walk.end().await;
    assert!(hit >= COMMITS, "only {hit} commits went wrong");
    hit
}

macro_rules! walks {
    (sqlite: $($name:ident: $what:ident $when:ident;)*) => {
        mod sqlite { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { println!("{} commits went wrong", walked(None, What::$what, When::$when).await); }
        )* }
    };
    (postgres: $($name:ident: $what:ident $when:ident;)*) => {
        mod postgres { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if require(Tool::Postgres).is_some() {
                    let database = Some(Postgres::shared().database());
                    println!("{} commits went wrong", walked(database, What::$what, When::$when).await);
                }
            }
        )* }
    };
}

walks! {
    sqlite:
    neg_f4_refused_before_every_commit: Fail Before;
    neg_f4_the_answer_lost_after_every_commit: Fail After;
    neg_f4_gone_before_every_commit: Crash Before;
    neg_f4_gone_after_every_commit: Crash After;
}

walks! {
    postgres:
    neg_f4_refused_before_every_commit: Fail Before;
    neg_f4_the_answer_lost_after_every_commit: Fail After;
    neg_f4_gone_before_every_commit: Crash Before;
    neg_f4_gone_after_every_commit: Crash After;
}

/// An engine that finds no room at a COMMIT: what was asked for is refused by name and can be sent again under its key.
async fn without_room(database_url: Option<String>) {
    let plan = Plan {
        serial: 0,
        what: What::Full,
        when: When::Before,
        at: 0,
    };
    let mut walk = Walk::begin(database_url, plan).await;
    let embedded = walk.is_embedded();
    walk.no_room(road::new_person("ada"), Some("storage_full"))
        .await;
    road::prepare(&mut walk).await;
    let agent = road::agent(&mut walk, "bot").await;
    let path = format!("/agents/{}/revoke", agent.id);
    // What takes authority away is carried out again with the reserve; a server's disk has none.
    let taking = if embedded { None } else { Some("storage_full") };
    walk.no_room(Asked::api("POST", path, serde_json::json!({})), taking)
        .await;
    walk.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g12_sqlite_without_room_refuses_by_name_and_lets_take_away() {
    without_room(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g12_postgres_without_room_refuses_by_name() {
    if require(Tool::Postgres).is_some() {
        without_room(Some(Postgres::shared().database())).await;
    }
}
