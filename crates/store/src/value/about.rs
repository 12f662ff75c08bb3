//! What of the store's own events are about: a release, an interaction.

use lockgate_model::ids::{InteractionId, RolloutId};
use lockgate_value::event::{Event, What};
use sqlx::SqliteConnection;

use crate::error::StoreError;

/// Something of the store's own that an event is about.
pub(super) enum About {
    Release(RolloutId),
    Interaction(InteractionId),
}

pub(super) fn about(event: &Event) -> Option<About> {
    match &event.what {
        What::Deployment { release, .. } | What::Incident { release, .. } => {
            release.map(About::Release)
        }
        What::ReplacementCheck { interaction, .. } => Some(About::Interaction(*interaction)),
        _ => None,
    }
}

/// Why an event cannot be about what it names, if so.
pub(super) async fn unfit(
    conn: &mut SqliteConnection,
    event: &Event,
) -> Result<Option<String>, StoreError> {
    let is_other = |agent: &str| event.agent.as_ref().is_some_and(|own| own.as_str() != agent);
    match about(event) {
        None => Ok(None),
        Some(About::Release(id)) => {
            let agent: Option<String> =
                sqlx::query_scalar("SELECT agent FROM rollout WHERE id = ?")
                    .bind(id.to_string())
                    .fetch_optional(conn)
                    .await?;
            Ok(match agent {
                None => Some(format!(
                    "release: there is no release {id}; `lockgate rollout list` shows them"
                )),
                Some(agent) if is_other(&agent) => {
                    Some(format!("release: {id} is one of another agent"))
                }
                Some(_) => None,
            })
        }
        Some(About::Interaction(id)) => {
            let row: Option<(String, Option<String>)> =
                sqlx::query_as("SELECT agent, outcome FROM interaction WHERE id = ?")
                    .bind(id.to_string())
                    .fetch_optional(conn)
                    .await?;
            Ok(match row {
                None => Some(format!(
                    "interaction: {id} is not known; single ones are kept for 90 days"
                )),
                Some((agent, _)) if is_other(&agent) => {
                    Some(format!("interaction: {id} is one of another agent"))
                }
                Some((_, outcome)) if outcome.as_deref() != Some("resolved") => {
                    let outcome = outcome.unwrap_or_else(|| "not known".to_owned());
                    Some(format!(
                        "interaction: only resolved ones are looked at, and the outcome of {id} is {outcome}"
                    ))
                }
                Some(_) => None,
            })
        }
    }
}
