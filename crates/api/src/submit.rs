//! Handing a command to control and waiting a little for its answer.

use std::time::Duration;

use lockgate_model::ids::{AgentName, RolloutId};
use lockgate_store::{InboxBody, InboxId, InboxState, NewInboxItem};
use tokio::time::{Instant, timeout_at};

use crate::auth::Principal;
use crate::clock;
use crate::problem::{ApiError, Kind};
use crate::shapes::{CommandAnswer, CommandState};
use crate::state::App;

/// How long a command may take before the answer is 202.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A command, written down before anything else happens.
pub(crate) struct Command {
    /// Says that two requests are the same one, see `Idempotency-Key`.
    pub(crate) key: Option<String>,
    pub(crate) agent: AgentName,
    pub(crate) rollout: Option<RolloutId>,
    pub(crate) body: InboxBody,
}

/// Writes the command down durably and waits until control has handled it, or for 5 s.
pub(crate) async fn submit(
    app: &App,
    principal: &Principal,
    command: Command,
) -> Result<CommandAnswer, ApiError> {
    let rollout = command.rollout;
    let mut changed = app.store.changed();
    let id = app
        .store
        .submit(NewInboxItem {
            key: command.key,
            agent: command.agent,
            rollout,
            body: command.body,
            by: principal.name.clone(),
            at_wall_ms: clock::wall_ms(),
        })
        .await?;
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        let _ = changed.borrow_and_update();
        let answer = look(app, id, rollout).await?;
        if answer.state != CommandState::Pending {
            return Ok(answer);
        }
        if !matches!(timeout_at(deadline, changed.changed()).await, Ok(Ok(()))) {
            return Ok(answer);
        }
    }
}

/// What has become of a command.
pub(crate) async fn look(
    app: &App,
    id: InboxId,
    rollout: Option<RolloutId>,
) -> Result<CommandAnswer, ApiError> {
    let item = app
        .store
        .inbox_item(id)
        .await?
        .ok_or_else(|| ApiError::not_found(format_args!("command {}", id.0)))?;
    let (state, result) = match item.state {
        InboxState::Pending => (CommandState::Pending, None),
        InboxState::Done { result } => (CommandState::Done, Some(result)),
        InboxState::Refused { reason } => (CommandState::Refused, Some(reason)),
    };
    // Control names the release that it started in its result.
    let started = || result.as_deref().and_then(|text| text.parse().ok());
    let rollout = rollout.or(item.rollout).or_else(started);
    Ok(CommandAnswer { command: id.0, state, rollout, result, replaces: None })
}

/// The problem that a refused command is answered with.
pub(crate) fn refused(answer: &CommandAnswer) -> ApiError {
    let why = answer.result.as_deref().unwrap_or("Control refused it.");
    let error = ApiError::new(Kind::Conflict, why);
    match answer.rollout {
        Some(id) => error
            .hint(format!("`GET /api/v1/rollouts/{id}` shows where the release stands."))
            .cli_hint(format!("`lockgate rollout status {id}` shows where the release stands")),
        None => error
            .hint("`GET /api/v1/rollouts` shows the releases.")
            .cli_hint("`lockgate rollout list` shows the releases"),
    }
}
