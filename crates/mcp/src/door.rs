//! What the SDK asks and how the door answers: who it is, which tools this caller can use, and one call of one.
//! Every answer starts from a fresh view; a credential that ended since it was believed is believed no more.

use crate::{Session, answer, arguments, catalogue, catalogue::Entry};
use http::request::Parts;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, Implementation, ListToolsResult,
        PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
};
use serde_json::Value;
use service::{Answer, Cx, Envelope, Erased, Error, Peer, Platform, Result};
use std::{borrow::Cow, sync::Arc};

/// The revisions of the protocol that are spoken, oldest first; the last has no `initialize`.
const REVISIONS: &[ProtocolVersion] = &[
    ProtocolVersion::V_2025_06_18,
    ProtocolVersion::V_2025_11_25,
    ProtocolVersion::V_2026_07_28,
];

const INSTRUCTIONS: &str = "Cardea keeps the identities, permissions and runs of an organization's people and AI \
    agents and records every change under the name of the caller. Only tools that your credential may use are \
    listed, and a refusal names what to change before you try again.";

/// The door's answers. Clones share the same tools.
#[derive(Clone)]
pub struct Door {
    platform: Arc<Platform>,
    tools: Arc<[Entry]>,
}

impl Door {
    pub(crate) fn new(platform: Arc<Platform>, operations: &[&'static dyn Erased]) -> Self {
        Self {
            platform,
            tools: catalogue::of(operations).into(),
        }
    }

    /// The context of one request: the caller as it stands on a view of this moment.
    async fn enter(&self, session: &Session, envelope: Envelope) -> Result<Cx> {
        let view = self.platform.node.view(session.view.id()).await?;
        let caller = service::still(&view, &session.caller)?;
        let peer = Peer {
            door: "mcp",
            ..session.peer.clone()
        };
        Ok(Cx::new(self.platform.clone(), peer, envelope, caller, view))
    }

    async fn call(
        &self,
        session: &Session,
        entry: &Entry,
        sent: Option<crate::schema::Object>,
    ) -> Result<Answer> {
        let mut arguments = sent.unwrap_or_default();
        let envelope = arguments::take(&entry.offered, &mut arguments)?;
        let cx = self.enter(session, envelope).await?;
        entry.operation.call(cx, Value::Object(arguments)).await
    }
}

/// Who calls. A request without it did not come through the layer that authenticates.
fn session(context: &RequestContext<RoleServer>) -> Result<&Session, ErrorData> {
    let parts = context.extensions.get::<Parts>();
    let session = parts.and_then(|parts| parts.extensions.get::<Session>());
    session.ok_or_else(|| failure(&Error::unauthenticated()))
}

/// Where there is no result that could carry a refusal.
fn failure(error: &Error) -> ErrorData {
    ErrorData::internal_error(
        error.detail.clone(),
        Some(serde_json::json!({ "code": error.code.as_str() })),
    )
}

impl ServerHandler for Door {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("cardea", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(REVISIONS)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let entered = self.enter(session(&context)?, Envelope::default()).await;
        let cx = entered.map_err(|error| failure(&error))?;
        let usable = self
            .tools
            .iter()
            .filter(|entry| entry.operation.usable_by(&cx));
        let tools = usable.map(|entry| entry.tool.clone()).collect();
        // What one caller sees is nobody else's, and a role may change before the next question.
        Ok(ListToolsResult::with_all_items(tools)
            .with_ttl_ms(0)
            .with_cache_scope(CacheScope::Private))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let session = session(&context)?;
        let Some(entry) = self
            .tools
            .iter()
            .find(|entry| entry.tool.name == request.name)
        else {
            return Err(ErrorData::invalid_params(
                "no such tool; ask `tools/list` for those you can use",
                None,
            ));
        };
        let answer = self.call(session, entry, request.arguments).await;
        Ok(answer::result(answer, &session.peer.request_id).into())
    }
}
