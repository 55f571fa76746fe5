//! The OpenFGA HTTP API of each organization: a request is let in, its caller known, its body read, its question handed
//! on, its answer written in that API's form. Nothing is decided here.

mod answers;
mod endpoints;
mod query;

use crate::door::Door;
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::{MethodFilter, any},
};
use endpoints::{Ask, serve};
use service::gate::Class;
use std::sync::Arc;

pub(crate) fn routes() -> Router<Arc<Door>> {
    let get = |ask| serve(MethodFilter::GET, Class::Management, ask);
    let post = |ask| serve(MethodFilter::POST, Class::Management, ask);
    let put = |ask| serve(MethodFilter::PUT, Class::Management, ask);
    let delete = |ask| serve(MethodFilter::DELETE, Class::Management, ask);
    let decide = |ask| serve(MethodFilter::POST, Class::Decision, ask);
    let assertions = get(Ask::ReadAssertions).merge(put(Ask::WriteAssertions));
    Router::new()
        .route(
            "/o/{org}/fga/stores",
            get(Ask::ListStores).merge(post(Ask::CreateStore)),
        )
        .route(
            "/o/{org}/fga/stores/{store}",
            get(Ask::GetStore).merge(delete(Ask::DeleteStore)),
        )
        .route(
            "/o/{org}/fga/stores/{store}/authorization-models",
            get(Ask::ReadModels).merge(post(Ask::WriteModel)),
        )
        .route(
            "/o/{org}/fga/stores/{store}/authorization-models/{model}",
            get(Ask::ReadModel),
        )
        .route("/o/{org}/fga/stores/{store}/write", post(Ask::Write))
        .route("/o/{org}/fga/stores/{store}/read", post(Ask::Read))
        .route("/o/{org}/fga/stores/{store}/changes", get(Ask::ReadChanges))
        .route("/o/{org}/fga/stores/{store}/check", decide(Ask::Check))
        .route(
            "/o/{org}/fga/stores/{store}/batch-check",
            decide(Ask::BatchCheck),
        )
        .route("/o/{org}/fga/stores/{store}/expand", decide(Ask::Expand))
        .route(
            "/o/{org}/fga/stores/{store}/list-objects",
            decide(Ask::ListObjects),
        )
        .route(
            "/o/{org}/fga/stores/{store}/streamed-list-objects",
            decide(Ask::StreamedListObjects),
        )
        .route(
            "/o/{org}/fga/stores/{store}/list-users",
            decide(Ask::ListUsers),
        )
        .route("/o/{org}/fga/stores/{store}/assertions/{model}", assertions)
        .route("/o/{org}/fga/{*rest}", any(nothing))
}

/// What this API says of a path that it does not have.
async fn nothing(State(_door): State<Arc<Door>>, _request: Request) -> Response {
    answers::nothing()
}
