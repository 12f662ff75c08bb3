//! Pages for people: drawn by the server, readable without JavaScript.
//!
//! A small script of our own fetches the same fragments once a second; everything else works
//! without it. Authorisation is the API's: the same principals, scopes and commands.

use axum::Router;
use axum::routing::{get, post};

use crate::state::App;

mod action;
mod assets;
mod bar;
mod compare;
mod number;
mod overview;
pub(crate) mod page;
mod phase;
mod rollout;
pub(crate) mod session;
mod sign_in;

/// All pages.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/", get(overview::page))
        .route("/fragments/overview", get(overview::fragment))
        .route("/rollouts/{id}", get(rollout::page))
        .route("/fragments/rollouts/{id}", get(rollout::fragment))
        .route("/rollouts/{id}/{word}", post(action::say))
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/assets/{file}", get(assets::asset))
}
