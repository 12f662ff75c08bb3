//! Signing in with a token, and out again.

use askama::Template;
use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::auth;
use crate::clock;
use crate::console::page::{PageError, Person, draw};
use crate::console::session::{self, SameOrigin};
use crate::problem::{ApiError, Kind};
use crate::record;
use crate::refusals;
use crate::state::App;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    person: Option<Person>,
    next: String,
    refused: bool,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

pub(super) async fn page(query: Result<Query<Next>, QueryRejection>) -> Response {
    let next = query.map(|Query(next)| next.next).unwrap_or_default();
    let page = SignIn { person: None, next: session::next_page(&next).to_owned(), refused: false };
    draw(StatusCode::OK, &page)
}

/// What the form sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    token: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn sign_in(
    State(app): State<App>,
    _: SameOrigin,
    headers: HeaderMap,
    form: Result<Form<Credentials>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(given) =
        form.map_err(|rejection| ApiError::new(Kind::BadRequest, rejection.body_text()))?;
    let next = session::next_page(&given.next);
    let Some(principal) = auth::principal_of(&app, given.token.trim()).await? else {
        refusals::note(&app, "console").await;
        let page = SignIn { person: None, next: next.to_owned(), refused: true };
        return Ok(draw(StatusCode::UNAUTHORIZED, &page));
    };
    record::session(&app, &principal.name, "sign_in").await?;
    let id = app.sessions.open(&principal.token, clock::wall_ms());
    let cookie = session::cookie(&id, &headers);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response())
}

pub(super) async fn sign_out(
    State(app): State<App>,
    _: SameOrigin,
    headers: HeaderMap,
) -> Response {
    if let Some(id) = session::id_in(&headers) {
        if let Some(principal) = session::of(&app, &headers).await
            && let Err(error) = record::session(&app, &principal.name, "sign_out").await
        {
            // Whoever wants to be signed out is, recorded or not.
            tracing::warn!(?error, "a sign-out is not recorded");
        }
        app.sessions.close(id);
    }
    let cookie = session::no_cookie();
    ([(header::SET_COOKIE, cookie)], Redirect::to("/sign-in")).into_response()
}
