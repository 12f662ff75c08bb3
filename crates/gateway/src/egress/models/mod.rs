//! Calls of models, at `/model/NAME`: who calls is known by the key that a client of such an API sends, each call is
//! decided and recorded like that of any tool, and what it used is recorded when its answer is over.

mod answer;
mod failure;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use lockgate_model::identity::Identity;
use lockgate_model::tool::{Models, ToolProtocol};
use lockgate_telemetry::price::AtMost;
use serde_json::{Map, Value, json};
use tokio::sync::OwnedSemaphorePermit;

use crate::clock;
use crate::egress::body::{self, Sizes};
use crate::egress::call::{Asked, Verdict};
use crate::egress::calls::{self, UnderWay};
use crate::egress::exact;
use crate::egress::handle::{admit, authenticate};
use crate::egress::identity::Refused;
use crate::egress::known::Server;
use crate::egress::limit::Uses;
use crate::egress::link;
use crate::egress::listener::Egress;
use crate::egress::outcome::{End, Open};
use crate::egress::relay::OutBody;
use crate::egress::standing;
use crate::egress::upstream::{self, Form, Plain};
use crate::protocol::models::Api;
use crate::protocol::models::asked;
use crate::protocol::models::endpoint::{self, Endpoint, Kind};
use crate::protocol::models::most::{self, Most};

use answer::Answer;
use failure::Failure;

/// Where models are.
pub(crate) const PATH: &str = "/model/";
/// Where clients of Anthropic's put their key.
pub(super) const API_KEY: &str = "x-api-key";
/// Headers of an agent's that go along.
const PASSING: [&str; 2] = ["anthropic-version", "anthropic-beta"];
/// Features that may be asked for in headers.
const BETAS_MAX: usize = 64;

/// Pictures and documents are in requests.
const SIZES: Sizes = Sizes { bytes_max: 32 * 1024 * 1024, small_bytes_max: 1024 * 1024 };

/// Answers one request.
pub(crate) async fn handle(
    egress: Arc<Egress>,
    parts: &Parts,
    body: Incoming,
) -> Response<OutBody> {
    // Whose form it is must not depend on what is configured: nobody learns that from an error.
    let looks_like = if parts.headers.contains_key(API_KEY)
        || parts.headers.contains_key("anthropic-version")
        || parts.uri.path().contains("/v1/messages")
    {
        Api::Anthropic
    } else {
        Api::Openai
    };
    let identity = match who(&egress, &parts.headers) {
        Ok(identity) => identity,
        Err(refused) => return failure::unauthenticated(looks_like, refused),
    };
    if parts.headers.contains_key(header::ORIGIN) {
        let why =
            "Requests with an Origin header come from browsers, and browsers do not call here.";
        return Failure::new(StatusCode::FORBIDDEN, why).answer(looks_like);
    }
    let Some((server, api, path)) = find(&egress, parts.uri.path()) else {
        let why = "Models are at /model/NAME/v1, by their names in the configuration.";
        return Failure::new(StatusCode::NOT_FOUND, why).answer(looks_like);
    };
    let under_way = match calls::begin(&egress, &identity, &server.name) {
        Ok(under_way) => under_way,
        Err(refused) => return failure::unauthenticated(api, refused),
    };
    let caller = Caller { egress, identity, server, api, under_way: Arc::clone(&under_way) };
    let stopped = || {
        let why = "The caller or the model was stopped while the call was under way.";
        Err(Failure::new(StatusCode::FORBIDDEN, why))
    };
    let answer = under_way.unless_cut(caller.request(parts, path, body)).await;
    answer.unwrap_or_else(stopped).unwrap_or_else(|failure| failure.answer(api))
}

/// Whose key it is. Two that differ are nobody's.
fn who(egress: &Egress, headers: &HeaderMap) -> Result<Identity, Refused> {
    let mut keys = headers.get_all(API_KEY).iter();
    match (keys.next(), keys.next(), headers.contains_key(header::AUTHORIZATION)) {
        (None, _, _) => authenticate(egress, headers),
        (Some(key), None, also) => {
            let token = key.to_str().map_err(|_| Refused::Malformed)?;
            let identity = admit(egress, token.trim(), headers)?;
            if also && authenticate(egress, headers)?.id != identity.id {
                return Err(Refused::Missing);
            }
            Ok(identity)
        }
        (Some(_), Some(_), _) => Err(Refused::Missing),
    }
}

/// The model API that a path names, and the rest of the path.
fn find<'p>(egress: &Egress, path: &'p str) -> Option<(Arc<Server>, Api, &'p str)> {
    let rest = path.strip_prefix(PATH)?;
    let (name, path) = rest.split_at(rest.find('/')?);
    let server = egress.core.table.load().known.server(&name.parse().ok()?)?.clone();
    let api = match server.protocol {
        ToolProtocol::Openai(_) => Api::Openai,
        ToolProtocol::Anthropic(_) => Api::Anthropic,
        _ => return None,
    };
    Some((server, api, path))
}

/// Somebody who is known, and the model API that is meant.
struct Caller {
    egress: Arc<Egress>,
    identity: Identity,
    server: Arc<Server>,
    api: Api,
    under_way: Arc<UnderWay>,
}

/// What is sent on once it is allowed.
struct Wanted<'a> {
    endpoint: Endpoint,
    target: String,
    headers: &'a HeaderMap,
    body: Option<Bytes>,
    /// Whether the counts at the end were asked for here and not by the client.
    counts_hidden: bool,
    /// Whether it asks for what the table of prices does not tell apart.
    is_dear: bool,
    /// Kept until the server has the body.
    room: Option<OwnedSemaphorePermit>,
}

impl Caller {
    fn models(&self) -> Option<&Models> {
        match &self.server.protocol {
            ToolProtocol::Openai(models) | ToolProtocol::Anthropic(models) => Some(models),
            _ => None,
        }
    }

    async fn request(
        &self,
        parts: &Parts,
        path: &str,
        body: Incoming,
    ) -> Result<Response<OutBody>, Failure> {
        let unknown = || {
            let why = format!("{} {} does not pass through Lockgate.", parts.method, path);
            Failure::new(StatusCode::NOT_FOUND, &why.chars().take(200).collect::<String>())
        };
        let endpoint = endpoint::of(self.api, &parts.method, path).ok_or_else(unknown)?;
        let target = endpoint.target(self.api, parts.uri.query()).ok_or_else(|| {
            Failure::new(StatusCode::BAD_REQUEST, "This query does not pass through Lockgate.")
        })?;
        if let Some(why) = standing::closed(&self.egress, &self.server) {
            return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, &why.text()));
        }
        let headers = &parts.headers;
        let mut wanted = Wanted {
            endpoint,
            target,
            headers,
            body: None,
            counts_hidden: false,
            is_dear: false,
            room: None,
        };
        if endpoint.kind == Kind::Models {
            let open = self
                .decide(
                    headers,
                    endpoint.action,
                    &json!({}),
                    None,
                    &|| Some(String::new()),
                    &|| Uses::NOTHING,
                )
                .await?;
            return self.forward(wanted, open).await;
        }
        if upstream::form(headers) != Form::Json {
            let why = "Send JSON, with Content-Type: application/json.";
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
        let held = body::read(body, SIZES, &self.egress.large).await.map_err(unread)?;
        wanted.room = held.room;
        let body = held.bytes;
        let asked = self.understand(endpoint.kind, headers, &body)?;
        let arguments = &asked.arguments;
        // What is asked for in headers is in the arguments alone.
        let exact = || Some(format!("{} {arguments} {}", wanted.target, exact::value(&body)?));
        let uses = || self.most(endpoint.kind, &body, &asked);
        let model = Some(asked.model.as_str());
        let open =
            self.decide(headers, endpoint.action, &asked.arguments, model, &exact, &uses).await?;
        wanted.counts_hidden = asked.counting.is_some();
        wanted.is_dear = asked.is_dear;
        wanted.body = Some(asked.counting.map_or(body, Bytes::from));
        self.forward(wanted, open).await
    }

    fn understand(
        &self,
        kind: Kind,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<asked::Asked, Failure> {
        let unreadable = |why: String| {
            Failure::new(StatusCode::BAD_REQUEST, &format!("The request cannot be read: {why}."))
        };
        let text = std::str::from_utf8(body).map_err(|_| unreadable("it is no text".into()))?;
        let mut asked = asked::Asked::read(self.api, kind, text)
            .map_err(|malformed| unreadable(malformed.to_string()))?;
        if self.api == Api::Anthropic {
            let betas =
                betas(headers).ok_or_else(|| unreadable("`anthropic-beta` is no list".into()))?;
            asked.arguments["betas"] = betas.into();
        }
        Ok(asked)
    }

    /// The most that it can use.
    fn most(&self, kind: Kind, body: &Bytes, asked: &asked::Asked) -> Uses {
        let most = std::str::from_utf8(body)
            .ok()
            .and_then(|text| most::most(kind, text, &asked.arguments));
        let Some(most) = most else { return Uses::UNKNOWN };
        let tokens = most.input_tokens.checked_add(most.output_tokens);
        if tokens == Some(0) {
            return Uses::NOTHING;
        }
        Uses { tokens, cost_nanousd: self.most_nanousd(&asked.model, most) }
    }

    /// The dearest way to use so many tokens.
    fn most_nanousd(&self, model: &str, most: Most) -> Option<u64> {
        let provider = match self.api {
            Api::Openai => "openai",
            Api::Anthropic => "anthropic",
        };
        let Most { input_tokens, output_tokens } = most;
        let most = AtMost { input_tokens, output_tokens };
        let prices = &self.egress.core.prices;
        let cost = prices.most_nanousd(Some(provider), model, most, clock::wall_ms())?;
        match self.api {
            Api::Openai => Some(cost),
            // What is kept for an hour is written at twice the price.
            Api::Anthropic => cost.checked_mul(2),
        }
    }

    /// Decides; what is allowed has its intent recorded.
    async fn decide(
        &self,
        headers: &HeaderMap,
        action: &str,
        arguments: &Value,
        model: Option<&str>,
        exact: &(dyn Fn() -> Option<String> + Sync),
        uses: &(dyn Fn() -> Uses + Sync),
    ) -> Result<Open, Failure> {
        let linked = link::of(headers, &Map::new());
        let asked = Asked {
            identity: &self.identity,
            server: &self.server,
            request: &Value::Null,
            action,
            arguments,
            exact,
            linked: &linked,
            belongs: &self.egress.core.provenance.find(&self.identity, &linked),
            under_way: &self.under_way,
            uses,
        };
        if let Some(model) = model
            && !self.models().is_some_and(|models| models.hold(model))
        {
            let why = asked
                .decline(&self.egress, "this model is not among those that may be called here");
            return Err(Failure::denied(&why.await));
        }
        match asked.decide(&self.egress).await {
            Verdict::Go(open) => Ok(open),
            Verdict::Hidden => {
                let why = "There is nothing here that this agent may call.";
                Err(Failure::new(StatusCode::NOT_FOUND, why))
            }
            Verdict::Refused(why) => Err(Failure::denied(&why)),
        }
    }

    async fn forward(
        &self,
        mut wanted: Wanted<'_>,
        mut open: Open,
    ) -> Result<Response<OutBody>, Failure> {
        open.forwarded = true;
        let began_wall_ms = clock::wall_ms();
        let has_body = wanted.body.is_some();
        let out = Plain {
            method: if has_body { Method::POST } else { Method::GET },
            target: &wanted.target,
            headers: wanted.headers,
            passing: &PASSING,
            body: wanted.body.take(),
        };
        let response = match upstream::send_plain(&self.egress, &self.server, out).await {
            Ok(response) => response,
            Err(end) => {
                open.end(end);
                return Err(Failure::of_server(end));
            }
        };
        Answer { caller: self, wanted: &wanted, began_wall_ms, open }.pass(response).await
    }
}

/// Features that are asked for in headers; they can make a provider do more than answer.
fn betas(headers: &HeaderMap) -> Option<Vec<String>> {
    let mut betas = Vec::new();
    for value in headers.get_all("anthropic-beta") {
        for beta in value.to_str().ok()?.split(',') {
            betas.push(beta.trim().to_owned());
        }
    }
    betas.retain(|beta| !beta.is_empty());
    (betas.len() <= BETAS_MAX).then_some(betas)
}

/// Why a body is not there.
fn unread(status: StatusCode) -> Failure {
    let why = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "A request has at most 33554432 bytes.",
        StatusCode::REQUEST_TIMEOUT => "The request did not arrive within 30 s.",
        StatusCode::SERVICE_UNAVAILABLE => {
            "Too many large requests are under way; try again in a moment."
        }
        _ => "The request broke off before its end.",
    };
    Failure::new(status, why)
}

/// How an action ended that a server answered with an error of this status.
fn end_of(status: StatusCode) -> End {
    End::Status(status.as_u16())
}
