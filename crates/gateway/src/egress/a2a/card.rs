//! The card of another agent: asked for at its own address with nothing of the caller's, pinned, and made one that leads
//! here.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use lockgate_model::pin::SeenTool;
use serde_json::{Value, json};

use super::failure::{Failure, Form};
use super::{Caller, Wanted, came_in, is_json, peer};
use crate::egress::outcome::End;
use crate::egress::pins;
use crate::egress::refusal;
use crate::egress::relay::OutBody;
use crate::egress::standing;
use crate::egress::upstream::{self, Plain};
use crate::protocol::a2a::action::Action;
use crate::protocol::a2a::card::{self, Places};
use crate::protocol::json::{Keys, value};

/// Where it is, below an agent's URL.
pub(super) const PATH: &str = "/.well-known/agent-card.json";
/// The largest card.
const CARD_BYTES_MAX: usize = 256 * 1024;
const NO_CARD: End = End::Protocol("its card is no card");

impl Caller {
    /// The card, as those who call here have to see it.
    pub(super) async fn card(&self, parts: &Parts) -> Result<Response<OutBody>, Failure> {
        if parts.method != Method::GET || !self.is_permitted_any() {
            return Err(Failure::unknown());
        }
        self.open()?;
        if let Some(why) = standing::stopped(&self.egress, &self.identity, &self.server) {
            return Err(Failure::closed(&why));
        }
        let mut card = self.fetch().await.map_err(Failure::of_agent)?;
        let address = self.server.address();
        let seen = SeenTool::of_card(&self.server.name, &address, &card);
        let seen = seen.ok_or_else(|| Failure::of_agent(NO_CARD))?;
        if !pins::is_as_pinned(&self.egress, &self.identity, seen) {
            return Err(Failure::changed());
        }
        let url = peer::url(&self.egress, came_in(parts), &self.server.name);
        self.lead_here(&mut card, url.as_deref()).map_err(Failure::of_agent)?;
        let mut answer = refusal::json_answer(StatusCode::OK, &card);
        // What it says is for whoever asked.
        let cache = HeaderValue::from_static("private, no-store");
        answer.headers_mut().insert(header::CACHE_CONTROL, cache);
        Ok(answer)
    }

    pub(super) fn is_permitted_any(&self) -> bool {
        Action::ALL.into_iter().any(|action| self.permits(action))
    }

    /// From below the agent's URL, or else from the root of its server, where the specification has it.
    async fn fetch(&self) -> Result<Value, End> {
        let below = self.fetch_at(PATH, false).await;
        let is_deep = !self.server.path.trim_end_matches('/').is_empty();
        match below {
            Err(End::Status(404)) if is_deep => self.fetch_at(PATH, true).await,
            fetched => fetched,
        }
    }

    async fn fetch_at(&self, target: &str, at_root: bool) -> Result<Value, End> {
        let headers = HeaderMap::new();
        let out =
            Plain { method: Method::GET, target, headers: &headers, passing: &[], body: None };
        let response = if at_root {
            upstream::send_plain_at(&self.egress, &self.server, target, out).await?
        } else {
            upstream::send_plain(&self.egress, &self.server, out).await?
        };
        let status = response.status();
        if status != StatusCode::OK || !is_json(response.headers()) {
            return Err(End::Status(status.as_u16()));
        }
        let body = upstream::whole(response.into_body(), self.server.silence_max, None).await?;
        if body.len() > CARD_BYTES_MAX {
            return Err(NO_CARD);
        }
        value(&body, Keys::Exact).map_err(|_| NO_CARD)
    }

    /// The card that an agent shows to those it knows, in an answer.
    pub(super) fn extended_card(&self, wanted: &Wanted<'_>, mut card: Value) -> Result<Bytes, End> {
        let url = peer::url(&self.egress, wanted.came_in, &self.server.name);
        self.lead_here(&mut card, url.as_deref())?;
        let body = match &wanted.form {
            Form::Rpc(id) => json!({ "jsonrpc": "2.0", "id": id, "result": card }),
            Form::Rest => card,
        };
        Ok(body.to_string().into())
    }

    fn lead_here(&self, card: &mut Value, url: Option<&str>) -> Result<(), End> {
        let url = url.ok_or(End::Protocol("where it is reached here is not known"))?;
        let places = Places { path: &self.server.path, url };
        let why = "its card names nothing that is spoken here";
        card::rewrite(card, places, |action| self.permits(action)).map_err(|_| End::Protocol(why))
    }
}
