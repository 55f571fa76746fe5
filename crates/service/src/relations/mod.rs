//! Relation stores as the OpenFGA API has them: stores, versions of models, tuples, questions. An organization's stores
//! are part of its state: one view answers who may ask and what is true. No transport, and no decision of the platform's.

mod asked;
mod assertions;
mod changes;
mod checks;
mod conditions;
mod fault;
mod lists;
mod models;
mod read;
mod scopes;
mod stores;
mod token;
mod tree;
mod write;

pub use assertions::{read_assertions, write_assertions};
pub use changes::{ChangesRequest, read_changes};
pub use checks::{batch_check, check};
pub(crate) use conditions::Given;
pub use fault::{Answered, Fault};
pub use lists::{list_objects, list_users};
pub use models::{read_model, read_models, write_model};
pub use read::read;
pub use stores::{PageRequest, create_store, delete_store, get_store, list_stores};
pub use tree::expand;
pub use write::write;

use crate::{Cx, Error, again::Again, audit, pipeline};
use authz::Access;
use domain::{Permission, Stream};
use kernel::{Id, RelationStore, limits};
use live::View;
use proto::fga::ErrorName;

/// Refuses unless the caller holds the permission on everything of the organization. A refusal is in the log.
async fn permit(cx: &Cx, name: &'static str, permission: Permission) -> Answered<()> {
    if cx.reaches(permission) == Access::All {
        return Ok(());
    }
    let refusal = Error::denied(permission.as_str());
    audit::record_refusal(cx, name, &refusal).await;
    Err(refusal.into())
}

/// The store with this id, if the organization has it, and a view in which it has. Another node may have made it a
/// moment ago: this one catches up once before it says unknown.
async fn store_of(cx: &Cx, view: &View, text: &str) -> Answered<(View, Id<RelationStore>)> {
    let unknown = || Fault::new(ErrorName::StoreNotFound, "there is no such store here");
    let id = Id::from_ulid(text).ok_or_else(unknown)?;
    if view.org.relation_store(id).is_some() {
        return Ok((view.clone(), id));
    }
    let node = &cx.platform.node;
    node.reach_head(Stream::org(view.id())).await?;
    let view = node.view(view.id()).await?;
    let known = view.org.relation_store(id).is_some();
    known.then_some((view, id)).ok_or_else(unknown)
}

/// A write: permitted, done, and decided again when the ground moved before the commit.
macro_rules! decided {
    ($cx:ident, $name:expr, $permission:expr, $done:expr) => {{
        let mut tries = $crate::relations::Tries::begin($cx).await?;
        loop {
            $crate::relations::permit($cx, $name, $permission).await?;
            match $done {
                Err($crate::relations::Fault::Other(error)) if error.moved => {
                    tries.again($cx, error).await?;
                }
                done => break done,
            }
        }
    }};
}
use decided;

/// The attempts of one write.
struct Tries {
    again: Again,
    stream: Stream,
    left: usize,
}

impl Tries {
    async fn begin(cx: &mut Cx) -> Answered<Self> {
        let mut again = Again::default();
        let stream = cx.stream()?;
        if again.line_up(&cx.platform, stream).await {
            pipeline::decide_again(cx).await?;
        }
        Ok(Self {
            again,
            stream,
            left: limits::DECIDE_ATTEMPTS,
        })
    }

    /// Another view to decide on, unless there were too many.
    async fn again(&mut self, cx: &mut Cx, error: Error) -> Answered<()> {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            return Err(error.into());
        }
        self.again.wait(&cx.platform, self.stream).await;
        Ok(pipeline::decide_again(cx).await?)
    }
}
