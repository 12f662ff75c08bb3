//! A request that wants an answer: what its method is, and whether it may go on.

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::egress::call::{Asked, Verdict};
use crate::egress::exact;
use crate::egress::handle::Caller;
use crate::egress::limit::Uses;
use crate::egress::link;
use crate::egress::refusal;
use crate::egress::relay::OutBody;
use crate::egress::upstream::Outgoing;
use crate::protocol::mcp::code;
use crate::protocol::mcp::family::Family;
use crate::protocol::mcp::method::{self, Kind, PROMPT, READ};
use crate::provenance::Call;

const UNKNOWN_FIELDS: &str = "`params` has fields that are not known here";

/// A request that wants an answer.
pub(super) struct Wanted<'a> {
    pub(super) family: Family,
    pub(super) headers: &'a HeaderMap,
    /// The server's own id of the session.
    pub(super) session: Option<&'a str>,
    pub(super) id: &'a Value,
    pub(super) method: &'a str,
    pub(super) params: &'a Map<String, Value>,
    pub(super) body: Bytes,
}

impl Wanted<'_> {
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).and_then(Value::as_str)
    }

    pub(super) fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            method: Method::POST,
            family: self.family,
            headers: self.headers,
            session: self.session,
            body: self.body.clone(),
        }
    }
}

impl Caller {
    pub(super) async fn request(&self, wanted: &Wanted<'_>) -> Response<OutBody> {
        let Some(kind) = method::of_client(wanted.family, wanted.method) else {
            return refusal::no_method(wanted.family, wanted.id, wanted.method);
        };
        // Actions that are stopped by order are refused where they are decided, with a record.
        let is_action = matches!(kind, Kind::Call | Kind::Action(_));
        let closed = if is_action { self.unable() } else { self.closed() };
        if let Some(why) = closed {
            return match kind {
                Kind::Call => refusal::call(wanted.family, wanted.id, &why),
                _ => refusal::not_now(wanted.id, &why),
            };
        }
        match kind {
            Kind::Plain | Kind::ListTools => self.forward(wanted, None, kind).await,
            Kind::About(action) => self.about(wanted, action, kind).await,
            Kind::Complete => {
                let of = wanted.params.get("ref").and_then(|of| of.get("type")?.as_str());
                match of {
                    Some("ref/prompt") => self.about(wanted, PROMPT, kind).await,
                    Some("ref/resource") => self.about(wanted, READ, kind).await,
                    _ => invalid(wanted.id, "`ref` is neither a prompt nor a resource"),
                }
            }
            Kind::Call => self.call(wanted).await,
            Kind::Action(action) => self.action(wanted, action).await,
        }
    }

    /// Something about an action that passes if the action could be permitted.
    async fn about(&self, wanted: &Wanted<'_>, action: &str, kind: Kind) -> Response<OutBody> {
        if !self.egress.permits(&self.identity, &self.server, action) {
            return refusal::no_method(wanted.family, wanted.id, wanted.method);
        }
        self.forward(wanted, None, kind).await
    }

    async fn call(&self, wanted: &Wanted<'_>) -> Response<OutBody> {
        let Some(name) = wanted.param("name") else {
            return invalid(wanted.id, "`name` is missing, or no text");
        };
        let arguments = match wanted.params.get("arguments") {
            None => &json!({}),
            Some(arguments @ Value::Object(_)) => arguments,
            Some(_) => return invalid(wanted.id, "`arguments` is not an object"),
        };
        if wanted.params.contains_key("task") {
            return invalid(wanted.id, "calls that run as tasks are not forwarded");
        }
        if !method::has_only_known(wanted.family, wanted.params) {
            return invalid(wanted.id, UNKNOWN_FIELDS);
        }
        if !method::is_tool_name(name) {
            return refusal::unknown_tool(wanted.id, name);
        }
        match self.decide(wanted, name, arguments).await {
            Verdict::Go(open) => self.forward(wanted, Some(open), Kind::Call).await,
            Verdict::Hidden => refusal::unknown_tool(wanted.id, name),
            Verdict::Refused(why) => refusal::call(wanted.family, wanted.id, &why),
        }
    }

    async fn action(&self, wanted: &Wanted<'_>, action: &'static str) -> Response<OutBody> {
        let field = if action == READ { "uri" } else { "name" };
        if wanted.param(field).is_none() {
            return invalid(wanted.id, "what it is about is missing, or no text");
        }
        if !method::has_only_known(wanted.family, wanted.params) {
            return invalid(wanted.id, UNKNOWN_FIELDS);
        }
        let mut arguments = Map::new();
        for field in [field, "arguments"] {
            if let Some(value) = wanted.params.get(field) {
                arguments.insert(field.to_owned(), value.clone());
            }
        }
        match self.decide(wanted, action, &Value::Object(arguments)).await {
            Verdict::Go(open) => self.forward(wanted, Some(open), Kind::Action(action)).await,
            Verdict::Hidden => refusal::no_method(wanted.family, wanted.id, wanted.method),
            Verdict::Refused(why) => refusal::action(wanted.id, &why),
        }
    }

    async fn decide(&self, wanted: &Wanted<'_>, action: &str, arguments: &Value) -> Verdict {
        let linked = link::of(wanted.headers, wanted.params);
        let call = Call { tool: &self.server.name, action, arguments };
        let belongs = self.egress.core.provenance.find_call(&self.identity, &linked, &call);
        let asked = Asked {
            identity: &self.identity,
            server: &self.server,
            request: wanted.id,
            action,
            arguments,
            exact: &|| exact::params(&wanted.body),
            linked: &linked,
            belongs: &belongs,
            under_way: &self.under_way,
            uses: &|| Uses::NOTHING,
        };
        asked.decide(&self.egress).await
    }
}

fn invalid(id: &Value, message: &str) -> Response<OutBody> {
    refusal::error(StatusCode::OK, id, code::INVALID_PARAMS, message, None)
}
