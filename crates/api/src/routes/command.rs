//! What an operator may say to a release.

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use lockgate_rollout::event::{Command as Word, OutsideGate};
use lockgate_rollout::state::Rollout;
use lockgate_store::{InboxBody, InboxId};
use serde_json::json;

use crate::auth::{Operator, Principal, Viewer};
use crate::extract::{JsonBody, PathArgs, QueryArgs, Reason};
use crate::problem::{ApiError, Kind, Problem};
use crate::record::record;
use crate::release;
use crate::routes::query::OfAgent;
use crate::routes::rollouts;
use crate::shapes::{Because, CommandAnswer, CommandState};
use crate::state::App;
use crate::submit::{self, Command};

type Answer = Result<(StatusCode, Json<CommandAnswer>), ApiError>;

/// The longest `Idempotency-Key`.
const KEY_LEN_MAX: usize = 128;

/// Two requests of one token with the same key are the same request.
pub(crate) fn idempotency_key(
    principal: &Principal,
    headers: &HeaderMap,
) -> Result<Option<String>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match key.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY_LEN_MAX => {
            Ok(Some(format!("{}:{key}", principal.token)))
        }
        _ => Err(ApiError::new(
            Kind::BadRequest,
            format!("`Idempotency-Key` must be 1 to {KEY_LEN_MAX} printable characters."),
        )),
    }
}

/// What an operator can say.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Said {
    /// About the release itself.
    Word(Word),
    /// That the stage which waits for it may be left.
    Confirm,
    /// That its version is released once more.
    Retry,
}

impl Said {
    const ALL: [Self; 6] = [
        Self::Word(Word::Pause),
        Self::Word(Word::Resume),
        Self::Word(Word::Promote),
        Self::Word(Word::Abort),
        Self::Confirm,
        Self::Retry,
    ];

    /// As written in the journal and in paths.
    fn name(self) -> &'static str {
        match self {
            Self::Word(Word::Pause) => "pause",
            Self::Word(Word::Resume) => "resume",
            Self::Word(Word::Promote) => "promote",
            Self::Word(Word::Abort) => "abort",
            Self::Confirm => "confirm",
            Self::Retry => "retry",
        }
    }

    /// What is called so.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|said| said.name() == name)
    }
}

/// Says it about a release: journal, inbox, then control.
pub(crate) async fn say(
    app: &App,
    principal: &Principal,
    rollout: &Rollout,
    said: Said,
    reason: Reason,
    key: Option<String>,
) -> Answer {
    let action = format!("rollout.{}", said.name());
    let subject = rollout.id.to_string();
    let detail = json!({ "agent": rollout.agent, "reason": reason });
    record(app, principal, &action, &subject, detail).await?;
    let (about, body) = match said {
        Said::Word(word) => {
            (Some(rollout.id), InboxBody::Command { command: word, reason: reason.into() })
        }
        Said::Confirm => {
            let (gate, reason) = (OutsideGate::Confirm, reason.into());
            (Some(rollout.id), InboxBody::Gate { gate, about: None, open: true, reason })
        }
        Said::Retry => (None, again(rollout, reason)),
    };
    let command = Command { key, agent: rollout.agent.clone(), rollout: about, body };
    if matches!(said, Said::Retry) {
        return rollouts::submit_start(app, principal, subject, command).await;
    }
    let answer = submit::submit(app, principal, command).await?;
    let status = match answer.state {
        CommandState::Pending => StatusCode::ACCEPTED,
        CommandState::Done => StatusCode::OK,
        CommandState::Refused => {
            let why = json!({ "agent": rollout.agent, "reason": answer.result });
            record(app, principal, &format!("{action}.refused"), subject, why).await?;
            return Err(submit::refused(&answer));
        }
    };
    Ok((status, Json(answer)))
}

fn again(rollout: &Rollout, reason: Reason) -> InboxBody {
    InboxBody::Start {
        agent: rollout.agent.clone(),
        candidate: rollout.candidate.clone(),
        plan: Some(rollout.plan.name.clone()),
        reason: reason.into(),
        retry_of: Some(rollout.id),
        replace: false,
        in_spite_because: None,
    }
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $said:expr, $path:literal, $id:literal, [$($answers:tt)*]) => {
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "rollouts", operation_id = $id,
            security(("token" = [])), request_body = Because,
            params(
                ("id" = String, Path, description = "Its id, or `latest` with `?agent=`."),
                OfAgent,
                ("Idempotency-Key" = Option<String>, Header, description = "The same key means the same request."),
            ),
            responses(
            $($answers)*
            (status = 409, description = "Control refused it.", body = Problem, content_type = "application/problem+json"),
            (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
        ))]
        pub(crate) async fn $name(
            State(app): State<App>,
            Operator(principal): Operator,
            PathArgs(id): PathArgs<String>,
            QueryArgs(of): QueryArgs<OfAgent>,
            headers: HeaderMap,
            JsonBody(because): JsonBody<Because>,
        ) -> Answer {
            let rollout = release::find(&app, &principal, &id, of.agent.as_ref()).await?;
            let key = idempotency_key(&principal, &headers)?;
            say(&app, &principal, &rollout, $said, because.reason, key).await
        }
    };
    ($(#[$doc:meta])* $name:ident, $said:expr, $path:literal, $id:literal) => {
        word!($(#[$doc])* $name, $said, $path, $id, [
            (status = 200, description = "Control has handled it.", body = CommandAnswer),
            (status = 202, description = "Written down; control has not handled it within 5 s.", body = CommandAnswer),
        ]);
    };
}

word!(
    /// Holds a release where it is. Triggers stay armed.
    pause, Said::Word(Word::Pause), "/api/v1/rollouts/{id}/pause", "pause_rollout"
);
word!(
    /// Lets a held release go on.
    resume, Said::Word(Word::Resume), "/api/v1/rollouts/{id}/resume", "resume_rollout"
);
word!(
    /// Skips what is left and makes the candidate stable.
    promote, Said::Word(Word::Promote), "/api/v1/rollouts/{id}/promote", "promote_rollout"
);
word!(
    /// Takes a release back.
    abort, Said::Word(Word::Abort), "/api/v1/rollouts/{id}/abort", "abort_rollout"
);
word!(
    /// Agrees that the stage which waits for it may be left. Its gates are judged once more.
    confirm, Said::Confirm, "/api/v1/rollouts/{id}/confirm", "confirm_rollout"
);
word!(
    /// Starts the same release again after it ended.
    retry, Said::Retry, "/api/v1/rollouts/{id}/retry", "retry_rollout", [
        (status = 202, description = "Written down; `rollout` is the new release once it started.", body = CommandAnswer),
    ]
);

/// What has become of a command.
#[utoipa::path(get, path = "/api/v1/commands/{command}", tag = "rollouts",
    operation_id = "command", security(("token" = [])),
    params(("command" = i64, Path, description = "The command's id.")), responses(
    (status = 200, description = "The command.", body = CommandAnswer),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn look(
    State(app): State<App>,
    Viewer(principal): Viewer,
    PathArgs(command): PathArgs<i64>,
) -> Result<Json<CommandAnswer>, ApiError> {
    let id = InboxId(command);
    let item = app.store.inbox_item(id).await?;
    if !item.is_some_and(|item| principal.sees(&item.agent)) {
        return Err(ApiError::not_found(format_args!("command {command}")));
    }
    submit::look(&app, id, None).await.map(Json)
}
