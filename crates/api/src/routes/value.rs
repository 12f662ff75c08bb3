//! What agents are worth: events that are told, files of them, and reports.

use std::collections::BTreeSet;

use lockgate_model::ids::AgentName;
use lockgate_store::{AlsoCharged, NotImported, NotTaken};
use lockgate_value::event::{Key, What};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Principal;
use crate::fleet;
use crate::problem::{ApiError, Kind, ProblemItem, sentence};
use crate::state::App;

pub(crate) mod events;
pub(crate) mod imports;
pub(crate) mod reports;
pub(crate) mod suggestions;

/// Events in one request, at most.
const EVENTS_MAX: usize = 1_000;

/// What an event is about: its agent, and what it says.
type About<'a> = (Option<&'a AgentName>, &'a What);

/// Refuses events of agents that `principal` does not see or that never were there, too many, and none.
async fn check(app: &App, principal: &Principal, events: &[About<'_>]) -> Result<(), ApiError> {
    if events.is_empty() || events.len() > EVENTS_MAX {
        let text = format!("Send 1 to {EVENTS_MAX} events, not {}.", events.len());
        return Err(ApiError::new(Kind::Invalid, text));
    }
    if events.iter().any(|(agent, _)| agent.is_none()) {
        principal.need_all_agents("An event without an agent")?;
    }
    let agents: BTreeSet<&AgentName> = events.iter().filter_map(|(agent, _)| *agent).collect();
    for agent in agents {
        fleet::known(app, principal, agent).await?;
    }
    // A system called like an agent is that agent.
    let systems: BTreeSet<AgentName> =
        events.iter().filter_map(|(_, what)| system(what)?.parse().ok()).collect();
    for system in systems {
        if !principal.sees(&system) && fleet::is_or_was(app, &system).await? {
            let text = format!("System `{system}` is an agent that this token does not see.");
            return Err(ApiError::new(Kind::Forbidden, text)
                .hint("Give the system another name, or use a token that sees that agent."));
        }
    }
    Ok(())
}

fn system(what: &What) -> Option<&str> {
    match what {
        What::System { name, .. } => Some(name.as_str()),
        _ => None,
    }
}

/// A service that other records charge, too, for some of the same time. Nobody can know from amounts whether they are
/// one bill in two forms: then it counts twice.
#[derive(Debug, Serialize, ToSchema)]
struct AlsoChargedView {
    /// The agent that it is charged to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    agent: Option<AgentName>,
    /// Whose service.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    /// Which.
    service: String,
    /// From when on the new charges are, milliseconds since the Unix epoch.
    from_wall_ms: i64,
    /// Until when, exclusive.
    to_wall_ms: i64,
}

impl From<AlsoCharged> for AlsoChargedView {
    fn from(also: AlsoCharged) -> Self {
        let AlsoCharged { agent, provider, service, from_wall_ms, to_wall_ms } = also;
        Self { agent, provider, service, from_wall_ms, to_wall_ms }
    }
}

/// Refuses, of a token that is limited to some agents, corrections of what is not there: they would keep others from using
/// the key for an event of their own.
async fn check_corrected<'a>(
    app: &App,
    principal: &Principal,
    events: impl Iterator<Item = (&'a Key, Option<&'a Key>)>,
) -> Result<(), ApiError> {
    if principal.sees_all() {
        return Ok(());
    }
    let (own, corrected): (BTreeSet<&Key>, Vec<Option<&Key>>) = events.unzip();
    let corrected: Vec<&Key> =
        corrected.into_iter().flatten().filter(|key| !own.contains(key)).collect();
    match app.store.keys_not_there(&corrected).await?.first() {
        Some(key) => {
            let text = format!("Corrects: `{key}` is not there.");
            Err(ApiError::new(Kind::Conflict, text).hint(
                "Record that event first; only a token that sees all agents corrects what is to come.",
            ))
        }
        None => Ok(()),
    }
}

/// Refuses what is yet to come; each event with its own time, if it says one.
fn check_past<'a>(
    events: impl Iterator<Item = (Option<i64>, &'a What)>,
    now_wall_ms: i64,
    first: Option<u64>,
) -> Result<(), ApiError> {
    for (index, (at_wall_ms, what)) in events.enumerate() {
        what.check_past(at_wall_ms, now_wall_ms).map_err(|invalid| {
            not_taken(NotTaken::Unfit { index, why: invalid.to_string() }, first)
        })?;
    }
    Ok(())
}

/// Which event was refused, and why. `first` is the row of the first one, from 0, where they are rows of a file.
fn not_taken(error: NotTaken, first: Option<u64>) -> ApiError {
    let text = error.to_string();
    match error {
        NotTaken::Store(error) => error.into(),
        NotTaken::Conflict { index, .. }
        | NotTaken::InImport { index, .. }
        | NotTaken::Unfit { index, .. } => {
            let item = ProblemItem {
                path: Some(format!("events[{index}]")),
                message: text.clone(),
                ..ProblemItem::default()
            };
            let detail = match first {
                Some(first) => format!("event {} of the file: {text}", first + index as u64 + 1),
                None if index > 0 => format!("event {} of this request: {text}", index + 1),
                None => text,
            };
            ApiError::new(Kind::Conflict, sentence(&detail)).errors(vec![item]).hint(
                "Nothing of this request was recorded. Mend that event and send all of it again.",
            )
        }
    }
}

fn not_imported(error: NotImported, first: Option<u64>) -> ApiError {
    match error {
        NotImported::Event(error) => not_taken(error, first),
        NotImported::Unknown(_) => ApiError::new(Kind::NotFound, sentence(&error))
            .hint("`GET /api/v1/value/imports` lists them."),
        NotImported::Gap { .. } | NotImported::Rows { .. } => {
            ApiError::new(Kind::Conflict, sentence(&error))
                .hint("`GET /api/v1/value/imports` says how far each is.")
        }
    }
}
