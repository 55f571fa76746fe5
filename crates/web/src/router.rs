//! All doors in one router: routes of every door, what answers where there is none, and the outermost layer.

use crate::{
    answer, api,
    arrival::Arrival,
    authzen,
    door::Door,
    enter::{Entrance, enter},
    fga, health,
    host::Hosts,
    oauth, pages,
    series::Series,
    tools,
    turn::Lateness,
};
use axum::{Router, extract::Request, middleware, response::Response};
use kernel::Code;
use service::Error;
use std::sync::Arc;

/// Every door. The metrics recorder must be installed before, so that metrics are described in it.
///
/// Requests are expected to carry a [`crate::Socket`] extension; without one nobody is a trusted proxy.
pub fn router(door: Arc<Door>) -> Router {
    let hosts = Hosts::new(&door.platform.public_url);
    let entrance = Arc::new(Entrance {
        door: door.clone(),
        hosts,
        series: Series::describe(),
        late: Lateness::default(),
    });
    Router::new()
        .merge(api::routes(&door))
        .merge(oauth::routes())
        .merge(authzen::routes())
        .merge(fga::routes())
        .merge(tools::routes(&door))
        .merge(health::routes())
        .merge(pages::routes())
        .fallback(nothing)
        .method_not_allowed_fallback(other_method)
        .layer(middleware::from_fn_with_state(entrance, enter))
        .with_state(door)
}

async fn nothing(mut request: Request) -> Response {
    answer::problem(
        &answer::nothing_here(),
        &Arrival::take(&mut request).peer.request_id,
    )
}

/// The router adds `Allow`.
async fn other_method(mut request: Request) -> Response {
    let detail = "this path does not answer that method; the header `Allow` names those it does";
    let error = Error::new(Code::MethodNotAllowed, detail);
    answer::problem(&error, &Arrival::take(&mut request).peer.request_id)
}
