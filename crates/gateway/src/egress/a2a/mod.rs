//! Calls of other agents, at `/a2a/NAME`: JSON-RPC and REST are read into the same actions, each is decided and recorded
//! like a call of any tool, and the other agent's card leads its readers here.

mod answer;
mod card;
mod failure;
pub(crate) mod peer;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use lockgate_model::identity::Identity;
use lockgate_model::tool::ToolProtocol;
use serde_json::{Map, Value};

use crate::clock;
use crate::egress::call::{self, Verdict};
use crate::egress::calls::{self, UnderWay};
use crate::egress::delegation::DELEGATION;
use crate::egress::delegation::callers::{CALLER, Call};
use crate::egress::exact;
use crate::egress::handle::{authenticate, read};
use crate::egress::known::Server;
use crate::egress::limit::Uses;
use crate::egress::link;
use crate::egress::listener::Egress;
use crate::egress::outcome::Open;
use crate::egress::refusal;
use crate::egress::relay::OutBody;
use crate::egress::standing;
use crate::egress::upstream::{self, Plain};
use crate::protocol::a2a::action::Action;
use crate::protocol::a2a::rest::Place;
use crate::protocol::a2a::rpc::{Rpc, Wrong};
use crate::protocol::a2a::{Asked, Unclear, Version};

use answer::Answer;
use failure::{Failure, Form, MEDIA_TYPE};
use peer::{CameIn, Manner};

/// Where other agents are.
pub(crate) const PATH: &str = "/a2a/";
/// The largest request.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What of a request says nothing of what it asks for: clients make up an id for every message, and say whose it is; what
/// a push notification is to show where it arrives is a secret, and nobody is to be shown it who is asked.
const SAID_ABOUT: [&[&str]; 13] = [
    &["token"],
    &["authentication", "credentials"],
    &["pushNotificationConfig", "token"],
    &["pushNotificationConfig", "authentication", "credentials"],
    &["configuration", "taskPushNotificationConfig", "token"],
    &["configuration", "taskPushNotificationConfig", "authentication", "credentials"],
    &["configuration", "pushNotificationConfig", "token"],
    &["configuration", "pushNotificationConfig", "authentication", "credentials"],
    &["message", "messageId"],
    &["message", "metadata", "lockgate-interaction"],
    &["message", "metadata", "traceparent"],
    &["metadata", "lockgate-interaction"],
    &["metadata", "traceparent"],
];

/// Answers one request.
pub(crate) async fn handle(
    egress: Arc<Egress>,
    parts: &Parts,
    body: Incoming,
) -> Response<OutBody> {
    let identity = match authenticate(&egress, &parts.headers) {
        Ok(identity) => identity,
        Err(refused) => return refusal::unauthenticated(refused),
    };
    if parts.headers.contains_key(header::ORIGIN) {
        return refusal::browser();
    }
    let Some((server, path)) = find(&egress, parts.uri.path()) else { return nothing() };
    let under_way = match calls::begin(&egress, &identity, &server.name) {
        Ok(under_way) => under_way,
        Err(refused) => return refusal::unauthenticated(refused),
    };
    let caller = Caller { egress, identity, server, under_way: Arc::clone(&under_way) };
    let is_seen = caller.is_permitted_any();
    let form = if is_rpc(path) { Form::Rpc(Value::Null) } else { Form::Rest };
    let stopped = || Failure::stopped().answer(&form);
    let answer = under_way.unless_cut(caller.answer(parts, path, body)).await;
    let answer = answer.unwrap_or_else(stopped);
    // An agent of which nothing could ever be allowed is not there, whatever is asked of it.
    if is_seen { answer } else { nothing() }
}

fn nothing() -> Response<OutBody> {
    let why = "other agents are at /a2a/NAME, by their names in the configuration";
    Failure::of_http(StatusCode::NOT_FOUND, why).answer(&Form::Rest)
}

/// The agent that a path names, and the rest of the path.
fn find<'p>(egress: &Egress, path: &'p str) -> Option<(Arc<Server>, &'p str)> {
    let rest = path.strip_prefix(PATH)?;
    let (name, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let server = egress.core.table.load().known.server(&name.parse().ok()?)?.clone();
    (server.protocol == ToolProtocol::A2a).then_some((server, path))
}

fn is_rpc(path: &str) -> bool {
    matches!(path, "" | "/")
}

/// Somebody who is known, and the agent that is meant.
struct Caller {
    egress: Arc<Egress>,
    identity: Identity,
    server: Arc<Server>,
    under_way: Arc<UnderWay>,
}

/// A request that was read.
struct Wanted<'a> {
    form: Form,
    version: Version,
    action: Action,
    method: Method,
    /// After the agent's own URL.
    target: String,
    headers: &'a HeaderMap,
    body: Option<Bytes>,
    came_in: Option<CameIn>,
    /// What the other agent may do for the caller.
    handover: Option<HeaderValue>,
}

impl Caller {
    fn permits(&self, action: Action) -> bool {
        self.egress.permits(&self.identity, &self.server, action.as_str())
    }

    async fn answer(&self, parts: &Parts, path: &str, body: Incoming) -> Response<OutBody> {
        if path == card::PATH {
            return self.card(parts).await.unwrap_or_else(|failure| failure.answer(&Form::Rest));
        }
        let answered = if is_rpc(path) {
            self.rpc(parts, body).await
        } else {
            self.rest(parts, path, body).await.map_err(|failure| (failure, Form::Rest))
        };
        answered.unwrap_or_else(|(failure, form)| failure.answer(&form))
    }

    async fn rpc(
        &self,
        parts: &Parts,
        body: Incoming,
    ) -> Result<Response<OutBody>, (Failure, Form)> {
        let unread = |failure| (failure, Form::Rpc(Value::Null));
        if parts.method != Method::POST {
            let why = "JSON-RPC is sent by POST.";
            let failure = Failure::of_http(StatusCode::METHOD_NOT_ALLOWED, why);
            return Err((failure, Form::Rest));
        }
        self.open().map_err(unread)?;
        let query = parts.uri.query().map(|query| query.strip_prefix("A2A-Version=").ok_or(()));
        let query = query.transpose().map_err(|()| unread(Failure::request("it has a query")))?;
        let version = Version::of(&parts.headers, query).ok_or_else(Failure::version);
        let version = version.map_err(unread)?;
        let extensions = extensions(&parts.headers).map_err(unread)?;
        let handover = self.handover(&parts.headers).map_err(unread)?;
        let body = self.body(parts, body).await.map_err(unread)?;
        let Rpc { id, asked } = Rpc::read(&body, version, &extensions)
            .map_err(|unclear| unread(failure_of(&unclear)))?;
        let form = Form::Rpc(id);
        let asked = asked.map_err(|wrong| {
            let failure = match wrong {
                Wrong::Method => Failure::unknown(),
                Wrong::Version => Failure::version(),
                Wrong::Params(unclear) => failure_of(&unclear),
            };
            (failure, form.clone())
        })?;
        let exact = || {
            let params = exact::field_without(&body, "params", &SAID_ABOUT)?;
            Some(format!("{} {extensions:?} {params}", version.as_str()))
        };
        let decided = self.decide(&parts.headers, &form, &asked, &exact).await;
        let open = decided.map_err(|failure| (failure, form.clone()))?;
        let wanted = Wanted {
            form: form.clone(),
            version,
            action: asked.action,
            method: Method::POST,
            target: self.server.end_of_path().to_owned(),
            headers: &parts.headers,
            body: Some(body),
            came_in: came_in(parts),
            handover,
        };
        self.forward(wanted, open).await.map_err(|failure| (failure, form))
    }

    async fn rest(
        &self,
        parts: &Parts,
        path: &str,
        body: Incoming,
    ) -> Result<Response<OutBody>, Failure> {
        self.open()?;
        let place = Place::read(&parts.method, path, parts.uri.query())
            .map_err(|unclear| failure_of(&unclear))?;
        let version = Version::of(&parts.headers, place.version.as_deref());
        // The REST of 0.3 has other paths and other bodies.
        let version = version.filter(|said| *said == Version::V1_0).ok_or_else(Failure::version)?;
        let extensions = extensions(&parts.headers)?;
        let handover = self.handover(&parts.headers)?;
        let body = self.body(parts, body).await?;
        let target = place.target.clone();
        let asked = place.with_body(&body, &extensions).map_err(|unclear| failure_of(&unclear))?;
        let exact = || {
            let params = match &body[..] {
                [] => String::new(),
                body => exact::value_without(body, &SAID_ABOUT)?,
            };
            Some(format!("{} {target} {extensions:?} {params}", version.as_str()))
        };
        let open = self.decide(&parts.headers, &Form::Rest, &asked, &exact).await?;
        let wanted = Wanted {
            form: Form::Rest,
            version,
            action: asked.action,
            method: parts.method.clone(),
            target,
            headers: &parts.headers,
            body: Some(body).filter(|body| !body.is_empty()),
            came_in: came_in(parts),
            handover,
        };
        self.forward(wanted, open).await
    }

    /// Whether anything is decided or forwarded at the moment.
    fn open(&self) -> Result<(), Failure> {
        standing::closed(&self.egress, &self.server)
            .map_or(Ok(()), |why| Err(Failure::closed(&why)))
    }

    async fn body(&self, parts: &Parts, body: Incoming) -> Result<Bytes, Failure> {
        let body = read(&self.egress, body, BODY_BYTES_MAX).await.map_err(|status| {
            let why = format!("A request has at most {BODY_BYTES_MAX} bytes and comes in one go.");
            Failure::of_http(status, &why)
        })?;
        if !body.is_empty() && !is_json(&parts.headers) {
            let why = "Send JSON, with Content-Type: application/json or application/a2a+json.";
            return Err(Failure::of_http(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
        Ok(body)
    }

    /// Decides; what is allowed has its intent recorded.
    async fn decide(
        &self,
        headers: &HeaderMap,
        form: &Form,
        asked: &Asked,
        exact: &(dyn Fn() -> Option<String> + Sync),
    ) -> Result<Open, Failure> {
        let said: Vec<&Map<String, Value>> = asked.metadata.iter().collect();
        let linked = link::told(headers, &said);
        let request = match form {
            Form::Rpc(id) => id,
            Form::Rest => &Value::Null,
        };
        let asked = call::Asked {
            identity: &self.identity,
            server: &self.server,
            request,
            action: asked.action.as_str(),
            arguments: &asked.arguments,
            exact,
            linked: &linked,
            belongs: &self.egress.core.provenance.find(&self.identity, &linked),
            under_way: &self.under_way,
            // What models the other agent uses is its own account.
            uses: &|| Uses::NOTHING,
        };
        match asked.decide(&self.egress).await {
            Verdict::Go(open) => Ok(open),
            Verdict::Hidden => Err(Failure::unknown()),
            Verdict::Refused(why) => Err(Failure::denied(&why)),
        }
    }

    /// What the caller lets the other agent do for it. Only what it has passed on itself, to this very agent, is shown to that.
    fn handover(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Failure> {
        let mut values = headers.get_all(peer::HANDOVER).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let text = value.to_str().ok().filter(|_| values.next().is_none());
        let now_s = clock::wall_ms().div_euclid(1_000);
        let good = text.and_then(|text| self.egress.delegations.good(text, now_s).ok());
        let good = good.filter(|good| {
            good.givers.last().is_some_and(|giver| giver.id == self.identity.id)
                && self.server.agent.as_ref() == Some(&good.to)
        });
        let why = "its lockgate-handover is no good delegation of the caller to this agent";
        good.map(|_| Some(value.clone())).ok_or_else(|| Failure::request(why))
    }

    /// An agent of ours is told whose call it is, and what it may do for them.
    fn say_who_calls(&self, wanted: &Wanted<'_>, open: &Open, headers: &mut HeaderMap) {
        let Some(to) = &self.server.agent else { return };
        let body = wanted.body.as_deref().unwrap_or_default();
        let call = Call {
            to,
            from: &self.identity,
            interaction: open.interaction(),
            record: open.record,
            action: wanted.action.as_str(),
            target: &wanted.target,
            body,
        };
        let word = self.egress.delegations.caller(self.egress.core.boot, &call);
        if let Some(word) = word.and_then(|word| HeaderValue::from_str(&word).ok()) {
            headers.insert(CALLER, word);
        }
        if let Some(handover) = &wanted.handover {
            headers.insert(DELEGATION, handover.clone());
        }
    }

    async fn forward(
        &self,
        wanted: Wanted<'_>,
        mut open: Open,
    ) -> Result<Response<OutBody>, Failure> {
        open.forwarded = true;
        let manner = Manner {
            version: wanted.version,
            rest: wanted.form == Form::Rest,
            streams: wanted.action.streams(),
        };
        let mut headers = peer::headers(manner, wanted.headers);
        self.say_who_calls(&wanted, &open, &mut headers);
        let out = Plain {
            method: wanted.method.clone(),
            target: &wanted.target,
            headers: &headers,
            passing: &peer::PASSING,
            body: wanted.body.clone(),
        };
        match upstream::send_plain(&self.egress, &self.server, out).await {
            Ok(response) => Answer { caller: self, wanted: &wanted, open }.pass(response).await,
            Err(end) => {
                open.end(end);
                Err(Failure::of_agent(end))
            }
        }
    }
}

fn came_in(parts: &Parts) -> Option<CameIn> {
    parts.extensions.get().copied()
}

fn extensions(headers: &HeaderMap) -> Result<Vec<String>, Failure> {
    let odd = || Failure::request("its headers name more or longer extensions than are read");
    peer::extensions(headers).ok_or_else(odd)
}

fn failure_of(unclear: &Unclear) -> Failure {
    let why = unclear.to_string();
    match unclear {
        Unclear::Unknown => Failure::unknown(),
        Unclear::Json(_) => Failure::not_json(&why),
        Unclear::Request(_) => Failure::request(&why),
        Unclear::Field(..) | Unclear::UnknownField(_) => Failure::params(&why),
    }
}

/// Whether a body is JSON, by its media type.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.eq_ignore_ascii_case(MEDIA_TYPE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_asked_about_is_the_same_under_another_id_and_nothing_else_is() {
        let of = |request: &Value| {
            let params =
                exact::field_without(request.to_string().as_bytes(), "params", &SAID_ABOUT);
            params.unwrap()
        };
        let request = json!({ "id": 1, "params": {
            "message": { "messageId": "a", "metadata": { "traceparent": "t", "b": 1 }, "parts": [{ "text": "x" }] },
            "metadata": { "lockgate-interaction": "i" },
            "configuration": { "taskPushNotificationConfig": { "url": "https://h", "token": "secret",
                "authentication": { "scheme": "Bearer", "credentials": "secret" } } },
        } });
        let mut same = request.clone();
        same["params"]["message"]["messageId"] = "b".into();
        same["params"]["message"]["metadata"]["traceparent"] = "u".into();
        same["params"]["configuration"]["taskPushNotificationConfig"]["token"] = "other".into();
        same["params"].as_object_mut().unwrap().remove("metadata");
        assert_eq!(of(&request), of(&same));
        assert!(!of(&request).contains("secret"));
        for (pointer, value) in [
            ("/params/message/parts/0/text", "y"),
            ("/params/message/metadata/b", "2"),
            ("/params/configuration/taskPushNotificationConfig/url", "https://i"),
            ("/params/configuration/taskPushNotificationConfig/authentication/scheme", "Basic"),
        ] {
            let mut other = request.clone();
            *other.pointer_mut(pointer).unwrap() = value.into();
            assert_ne!(of(&request), of(&other), "{pointer}");
        }
    }
}
