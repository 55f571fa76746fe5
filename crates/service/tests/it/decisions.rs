//! Decisions beneath the door: an answer leaves while its state is current, and a relation store that cannot be loaded
//! permits nothing and holds up nothing else.

use crate::world::World;
use domain::{
    AuthorizationModel, AuthorizationModelCore, RelationStore, RelationStoreCore, Stream,
};
use kernel::{Code, Id, Micros, Steady, Timestamp};
use proto::authzen::{Action, Entity, Question};
use serde_json::json;
use service::{
    Act, Cx,
    decisions::{self, Asker, Credential},
};
use std::sync::Arc;
use store::Plan;
use testkit::clock::MockClock;

fn entity(of: &str, id: &str) -> Entity {
    Entity {
        type_name: of.into(),
        id: id.into(),
        properties: None,
    }
}

/// Whether the owner may read an order, asked on a view.
async fn decided(world: &World, view: &service::View) -> Result<bool, Code> {
    let platform = &*world.platform;
    let peer = World::peer();
    let caller = service::authenticate(platform, view, &world.token, &peer).await;
    let credential = Credential::Caller(Box::new(caller.unwrap()));
    let asker = Asker::of(platform, (view, view), &peer, credential).await;
    let (subject, resource) = (entity("user", &world.owner), entity("orders", "1"));
    let question = Question {
        subject: &subject,
        action: &Action {
            name: "read".into(),
            properties: None,
        },
        resource: &resource,
        context: None,
    };
    let decision = decisions::evaluate(platform, view, &asker.unwrap(), &question, false).await;
    decision
        .map(|told| told.decision)
        .map_err(|error| error.code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_leaves_only_while_its_state_is_current() {
    let clock = Arc::new(MockClock::at(Timestamp::from_seconds(1_790_000_000)));
    let world = World::still(Arc::new(Steady::over(clock.clone()))).await;
    world.orders().await;
    world.platform.node.poll().await.unwrap();
    let org = world.platform.node.view_of("acme").await.unwrap().id();
    let view = decisions::view(&world.platform, org).await.unwrap();
    clock.advance(Micros::new(1_900_000));
    assert_eq!(decided(&world, &view).await, Ok(true));
    clock.advance(Micros::new(200_000));
    assert_eq!(decided(&world, &view).await, Err(Code::StaleState));
    world.platform.node.poll().await.unwrap();
    let stale = "the node is current, and what was decided on is not";
    assert_eq!(
        decided(&world, &view).await,
        Err(Code::StaleState),
        "{stale}"
    );
    let view = decisions::view(&world.platform, org).await.unwrap();
    assert_eq!(decided(&world, &view).await, Ok(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_loaded_permits_nothing_and_holds_up_no_role() {
    let world = World::new().await;
    world.orders().await;
    let org = world.platform.node.view_of("acme").await.unwrap().id();
    let stream = Stream::org(org);
    let (store, at) = (Id::from_bytes([7; 16]), Timestamp::from_seconds(0));
    let own = RelationStore {
        core: RelationStoreCore {
            id: store,
            main: true,
            deleted: false,
        },
        name: "main".into(),
        created_at: at,
    };
    let broken = AuthorizationModel {
        core: AuthorizationModelCore {
            id: Id::from_bytes([8; 16]),
            store,
            model: json!({ "schema_version": "none" }).to_string(),
        },
        created_at: at,
    };
    let cx = Cx::anonymous(world.platform.clone(), World::peer());
    let act = Act::create("relation_store.created");
    let entry = cx.prepare(stream, act).await.unwrap();
    let written = world.platform.node.commit(Plan::new(stream), move |tx| {
        tx.insert(stream, &own)?;
        tx.insert(stream, &broken)?;
        tx.entry(stream, entry.clone())
    });
    written.await.unwrap();
    let view = world.platform.node.view(org).await.unwrap();
    assert_eq!(view.own_store(), Some(store));
    let load = world.platform.node.relations(&view, store).await;
    assert!(load.is_err(), "it cannot be loaded");
    let view = decisions::view(&world.platform, org).await.unwrap();
    assert_eq!(decided(&world, &view).await, Ok(true));
}
