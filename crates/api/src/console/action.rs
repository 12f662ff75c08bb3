//! The buttons of a release. The same commands as the API's, with the same journal.

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use http::StatusCode;
use serde::Deserialize;

use crate::console::page::{PageError, draw};
use crate::console::rollout::{find, whole};
use crate::console::session::{SameOrigin, SignedIn};
use crate::extract::{PathArgs, Reason};
use crate::problem::{ApiError, Kind};
use crate::routes::command::{self, Said};
use crate::shapes::CommandState;
use crate::state::App;

/// What the form sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    #[serde(default)]
    reason: String,
}

pub(super) async fn say(
    State(app): State<App>,
    _: SameOrigin,
    SignedIn(principal): SignedIn,
    PathArgs((id, word)): PathArgs<(String, String)>,
    form: Result<Form<Filled>, FormRejection>,
) -> Result<Response, PageError> {
    principal.need_operator()?;
    let rollout = find(&app, &principal, &id).await?;
    let Form(filled) =
        form.map_err(|rejection| ApiError::new(Kind::BadRequest, rejection.body_text()))?;
    let word =
        Said::named(&word).ok_or_else(|| ApiError::not_found(format_args!("command `{word}`")))?;
    let answer = match Reason::try_from(filled.reason) {
        Ok(reason) => command::say(&app, &principal, &rollout, word, reason, None).await,
        Err(_) => Err(ApiError::new(
            Kind::Invalid,
            "Say why: a reason of 1 to 500 characters is written down with every change.",
        )),
    };
    let (status, notice) = match answer.map(|(_, Json(answer))| answer) {
        Ok(answer) if answer.state == CommandState::Pending => {
            (StatusCode::ACCEPTED, "Written down. Control has not handled it yet.".to_owned())
        }
        Ok(answer) => {
            let id = answer.rollout.unwrap_or(rollout.id);
            return Ok(Redirect::to(&format!("/rollouts/{id}")).into_response());
        }
        Err(error) if matches!(error.kind(), Kind::Conflict | Kind::Invalid) => {
            (error.status(), error.detail().to_owned())
        }
        Err(error) => return Err(PageError(error)),
    };
    let rollout = find(&app, &principal, &id).await?;
    Ok(draw(status, &whole(&app, &principal, &rollout, Some(notice)).await?))
}
