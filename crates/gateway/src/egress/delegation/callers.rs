//! Who calls another agent, in a text that goes along with the call: about this message, to this agent, good for a minute
//! and once. `POST /redeem` says what is in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Response, StatusCode};
use lockgate_model::identity::Identity;
use lockgate_model::ids::{AgentName, BootId, InteractionId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Delegations, TEXT_BYTES_MAX, names};
use crate::clock;
use crate::egress::decide::{Question, Refused, problem};
use crate::egress::identity::Refused as Nobody;
use crate::egress::listener::Egress;
use crate::egress::refusal;
use crate::egress::relay::OutBody;
use crate::egress::standing;
use crate::live::lock;

/// The header that it goes in.
pub(in crate::egress) const CALLER: &str = "lockgate-caller";
/// How long it is good, seconds.
const TTL_S: i64 = 60;
/// Those that were shown and could be shown again, at once. When there are more, no more are taken.
const REDEEMED_MAX: usize = 100_000;

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::egress) struct CallerWord {
    id: Uuid,
    /// Which gateway made it, since when: no other one knows whether it was shown.
    boot: BootId,
    /// Whom the call is to.
    to: AgentName,
    from: Identity,
    /// For whom it acts, the first giver first.
    givers: Vec<Identity>,
    interaction: Option<InteractionId>,
    /// The record of the call's intent.
    record: u64,
    action: String,
    /// Path and query of the call, after the agent's own URL.
    target: String,
    /// SHA-256 of the call's body, in hex.
    body_sha256: String,
    expires_wall_s: i64,
}

/// Ids of those that were shown, and until when they would be good, seconds since the Unix epoch.
#[derive(Default)]
pub(super) struct Redeemed(Mutex<HashMap<Uuid, i64>>);

impl Redeemed {
    /// Whether this is the first time.
    fn is_first(&self, id: Uuid, expires_wall_s: i64, now_s: i64) -> Result<bool, Nobody> {
        let mut shown = lock(&self.0);
        if shown.len() >= REDEEMED_MAX {
            shown.retain(|_, expires| *expires > now_s);
        }
        if shown.len() >= REDEEMED_MAX {
            return Err(Nobody::CallersFull);
        }
        Ok(shown.insert(id, expires_wall_s).is_none())
    }
}

/// A call whose intent is recorded.
pub(in crate::egress) struct Call<'a> {
    pub(in crate::egress) to: &'a AgentName,
    pub(in crate::egress) from: &'a Identity,
    pub(in crate::egress) interaction: Option<InteractionId>,
    pub(in crate::egress) record: u64,
    pub(in crate::egress) action: &'a str,
    pub(in crate::egress) target: &'a str,
    pub(in crate::egress) body: &'a [u8],
}

impl Delegations {
    /// The word on it.
    pub(in crate::egress) fn caller(&self, boot: BootId, call: &Call<'_>) -> Option<String> {
        let word = CallerWord {
            id: Uuid::now_v7(),
            boot,
            to: call.to.clone(),
            from: Identity { acting: None, ..call.from.clone() },
            givers: call.from.givers().to_vec(),
            interaction: call.interaction,
            record: call.record,
            action: call.action.to_owned(),
            target: call.target.to_owned(),
            body_sha256: hex::encode(Sha256::digest(call.body)),
            expires_wall_s: clock::wall_ms().div_euclid(1_000) + TTL_S,
        };
        Some(self.callers.seal(serde_json::to_vec(&word).ok()?))
    }

    /// Reads one that is shown here for the first time, by whom it is for, about this body.
    fn redeem(
        &self,
        boot: BootId,
        shown_by: &Identity,
        (text, body_sha256): (&str, &str),
        now_s: i64,
    ) -> Result<CallerWord, Nobody> {
        let payload = self.callers.open_within(text, TEXT_BYTES_MAX);
        let word: CallerWord = payload
            .and_then(|payload| serde_json::from_slice(&payload).ok())
            .ok_or(Nobody::CallerForged)?;
        if word.boot != boot {
            return Err(Nobody::CallerElsewhere);
        }
        if word.to != shown_by.agent {
            return Err(Nobody::CallerOther);
        }
        if now_s >= word.expires_wall_s {
            return Err(Nobody::CallerExpired);
        }
        // What is about another message is not used up by it.
        if word.body_sha256 != body_sha256 {
            return Err(Nobody::CallerMessage);
        }
        if !self.redeemed.is_first(word.id, word.expires_wall_s, now_s)? {
            return Err(Nobody::CallerReplayed);
        }
        Ok(word)
    }
}

/// Answers one request of somebody who is known.
pub(in crate::egress) fn redeem(
    egress: &Arc<Egress>,
    identity: &Identity,
    body: &Bytes,
) -> Result<Response<OutBody>, Refused> {
    let question = Question::read(body, &["caller", "body_sha256"])?;
    let shown = (question.text("caller")?, question.text("body_sha256")?);
    let now_s = clock::wall_ms().div_euclid(1_000);
    let word = egress.delegations.redeem(egress.core.boot, identity, shown, now_s);
    // What was said a minute ago may not hold any more.
    let still = |word: CallerWord| {
        let mut all = std::iter::once(&word.from).chain(&word.givers);
        if all.all(|one| standing::may_act(egress, one)) {
            Ok(word)
        } else {
            Err(Nobody::CallerGone)
        }
    };
    let word = word.and_then(still).map_err(|refused| {
        egress.refusals.note(refused);
        let detail = format!("{refused}; do not answer the call");
        problem(StatusCode::FORBIDDEN, "caller", &detail)
    })?;
    let told = json!({
        "agent": word.from.agent, "version": word.from.version, "givers": names(&word.givers),
        "interaction": word.interaction, "record": word.record,
        "action": word.action, "target": word.target,
    });
    Ok(refusal::json_answer(StatusCode::OK, &told))
}
