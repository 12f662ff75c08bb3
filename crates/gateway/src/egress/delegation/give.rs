//! `POST /delegate`: an agent passes on authority that it has itself, for a while.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use lockgate_model::delegation::{DEPTH_MAX, Delegation, Scope, ScopePart};
use lockgate_model::identity::Identity;
use lockgate_model::ids::{AgentName, DelegationId};
use lockgate_model::ledger::{LedgerEntry, Principal};
use serde_json::{Value, json};
use tracing::error;
use uuid::Uuid;

use super::names;
use crate::clock;
use crate::egress::call;
use crate::egress::decide::{Question, Refused, problem, unreadable};
use crate::egress::elsewhere;
use crate::egress::forward::unavailable;
use crate::egress::link;
use crate::egress::listener::Egress;
use crate::egress::refusal::{self, Why};
use crate::egress::relay::OutBody;
use crate::egress::standing;
use crate::ingress::headers::INTERACTION;

/// How long it is good when nothing is said, and at most, seconds.
const TTL_USUAL_S: i64 = 60;
const TTL_MAX_S: i64 = 300;

/// Answers one request of somebody who is known.
pub(in crate::egress) async fn give(
    egress: &Arc<Egress>,
    identity: &Identity,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response<OutBody>, Refused> {
    let question = Question::read(body, &["to", "scope", "ttl_s", "interaction", "traceparent"])?;
    if let Some(why) = egress.closed() {
        return Err(Box::new(unavailable(&Why::unrecorded(why))));
    }
    if !identity.parties().all(|party| standing::may_act(egress, party)) {
        let detail = "the caller, or an agent that it acts for, is stopped by order";
        return Err(problem(StatusCode::FORBIDDEN, "stopped", detail));
    }
    let to = receiver(egress, identity, question.text("to")?)?;
    let scope = scope(question.field("scope"))?;
    if let Some(part) = scope.parts().iter().find(|part| !may_pass_on(egress, identity, part)) {
        let why = format!("`{part}` is more than the caller may do, and so not to be passed on");
        call::refused(&egress.core, refused(identity, &to, part, &why)).await;
        return Err(problem(StatusCode::FORBIDDEN, "scope", &why));
    }
    let now_s = clock::wall_ms().div_euclid(1_000);
    let mut expires_wall_s = identity.expires_wall_s.min(now_s + ttl_s(question.field("ttl_s"))?);
    let acting = identity.acting.as_deref();
    // It all belongs to the interaction that it began with, and ends no later.
    let (interaction, link) = if let Some(acting) = acting {
        expires_wall_s = expires_wall_s.min(acting.expires_wall_s);
        (acting.interaction, acting.link)
    } else {
        let linked = link::of(headers, &elsewhere::link(question.fields()));
        let belongs = egress.core.provenance.find(identity, &linked);
        let is_named = headers.contains_key(INTERACTION) || question.field("interaction").is_some();
        if is_named && belongs.session.is_none() {
            // Without one it would be for nobody's request, and bound by no user's limits.
            let detail =
                "the interaction is none that the caller answers, or is not known here any more";
            return Err(unreadable(detail));
        }
        (belongs.session.map(|session| session.id()), belongs.how)
    };
    let mut givers = identity.givers().to_vec();
    givers.push(Identity { acting: None, ..identity.clone() });
    let id = DelegationId(Uuid::now_v7());
    let delegation = Delegation { id, to, givers, scope, interaction, link, expires_wall_s };
    let Some(text) = egress.delegations.seal(&delegation) else {
        return Err(unreadable("`scope` is longer than can be passed on"));
    };
    // Not recorded, not given.
    if let Err(error) = egress.core.ports.ledger.record(entry(identity, &delegation)).await {
        error!(%error, "a delegation is refused: it cannot be recorded");
        let why = "it cannot be recorded, so it is not given";
        return Err(Box::new(unavailable(&Why::unrecorded(why))));
    }
    let told = json!({
        "delegation": text, "id": id, "to": delegation.to, "scope": delegation.scope,
        "interaction": interaction, "expires_wall_s": expires_wall_s,
    });
    Ok(refusal::json_answer(StatusCode::CREATED, &told))
}

/// Who is to act: an agent that is known, and stands in the chain once.
fn receiver(egress: &Egress, identity: &Identity, name: &str) -> Result<AgentName, Refused> {
    let known = |to: &AgentName| egress.core.table.load().known.has_agent(to);
    let Some(to) = name.parse::<AgentName>().ok().filter(known) else {
        let detail = "`to` names no agent of the configuration";
        return Err(problem(StatusCode::NOT_FOUND, "no-agent", detail));
    };
    if identity.parties().any(|party| party.agent == to) {
        return Err(unreadable("`to` is in the chain already, and would act for itself"));
    }
    if identity.givers().len() >= DEPTH_MAX {
        let detail = format!("at most {DEPTH_MAX} agents pass something on in a row");
        return Err(problem(StatusCode::FORBIDDEN, "depth", &detail));
    }
    Ok(to)
}

fn scope(given: Option<&Value>) -> Result<Scope, Refused> {
    let given = given.ok_or_else(|| unreadable("`scope` is missing: a list of TOOL/ACTION"))?;
    let parts: Option<Vec<&str>> =
        given.as_array().and_then(|parts| parts.iter().map(Value::as_str).collect());
    let parts = parts.ok_or_else(|| unreadable("`scope` is no list of texts"))?;
    let parts: Result<Vec<ScopePart>, _> = parts.iter().map(|part| part.parse()).collect();
    let scope = parts.and_then(Scope::try_from);
    scope.map_err(|invalid| unreadable(&invalid.to_string()))
}

fn ttl_s(given: Option<&Value>) -> Result<i64, Refused> {
    let Some(given) = given else { return Ok(TTL_USUAL_S) };
    let within = given.as_i64().filter(|ttl_s| (1..=TTL_MAX_S).contains(ttl_s));
    within.ok_or_else(|| unreadable(&format!("`ttl_s` is no whole number from 1 to {TTL_MAX_S}")))
}

/// Whether somebody has what it wants to pass on. Of all actions of a tool that is only known when one is done: those that
/// a giver may not do then are not done.
fn may_pass_on(egress: &Egress, identity: &Identity, part: &ScopePart) -> bool {
    let Some(server) = egress.core.table.load().known.server(&part.tool).cloned() else {
        return false;
    };
    match &part.action {
        Some(action) => egress.permits(identity, &server, action),
        None => identity.acting.as_deref().is_none_or(|acting| acting.scope.covers(part)),
    }
}

/// Somebody wanted to pass on what it has not.
fn refused(identity: &Identity, to: &AgentName, part: &ScopePart, why: &str) -> LedgerEntry {
    let mut entry = about(identity, "delegation.refused", to);
    entry.labels.push(("decision", "deny".to_owned()));
    entry.detail = json!({ "token": identity.id, "part": part, "why": why });
    entry
}

/// A record of somebody who passes something on.
fn about(identity: &Identity, name: &str, to: &AgentName) -> LedgerEntry {
    let Identity { agent, version, .. } = identity;
    let by = Principal::Part(format!("agent {agent}/{version}"));
    let mut entry = LedgerEntry::event(clock::wall_ms(), by, name, format!("agent {to}"));
    entry.labels = vec![("agent", agent.to_string()), ("version", version.to_string())];
    entry
}

fn entry(identity: &Identity, delegation: &Delegation) -> LedgerEntry {
    let mut entry = about(identity, "delegation.give", &delegation.to);
    entry.labels.extend(delegation.interaction.map(|id| ("interaction", id.to_string())));
    entry.detail = json!({
        "delegation": delegation.id, "token": identity.id, "scope": delegation.scope,
        "givers": names(&delegation.givers), "expires_wall_s": delegation.expires_wall_s,
    });
    entry
}
