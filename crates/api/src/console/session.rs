//! Who is signed in to the console.
//!
//! The cookie holds a random session id, not the token, and is never sent from another site.
//! Sessions live in memory: a restart signs people out, and a revoked token ends its sessions.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};

use crate::auth::{self, AskedBy, Principal};
use crate::clock;
use crate::console::page::PageError;
use crate::problem::{ApiError, Kind};
use crate::state::App;
use crate::token;

const COOKIE: &str = "lockgate_session";
const TTL_S: i64 = 12 * 60 * 60;
const SESSIONS_MAX: usize = 1_000;

#[derive(Debug, Clone)]
struct Session {
    token: String,
    expires_wall_ms: i64,
}

/// Live sessions, by the hash of their id.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Session>>);

impl Sessions {
    /// Opens a session for a token's id and gives the session's id.
    pub(crate) fn open(&self, token: &str, now_wall_ms: i64) -> String {
        let mut id = [0_u8; 32];
        getrandom::fill(&mut id).expect("the operating system has randomness");
        let id = URL_SAFE_NO_PAD.encode(id);
        let session =
            Session { token: token.to_owned(), expires_wall_ms: now_wall_ms + TTL_S * 1_000 };
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.expires_wall_ms > now_wall_ms);
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.expires_wall_ms);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(token::hash_hex(&id), session);
        id
    }

    fn token_of(&self, id: &str, now_wall_ms: i64) -> Option<String> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(&token::hash_hex(id))?;
        (session.expires_wall_ms > now_wall_ms).then(|| session.token.clone())
    }

    /// Ends a session.
    pub(crate) fn close(&self, id: &str) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(&token::hash_hex(id));
    }
}

/// The cookie that carries a session. Only over TLS when the page itself came over TLS.
pub(crate) fn cookie(id: &str, headers: &HeaderMap) -> String {
    let tls = headers
        .get(header::ORIGIN)
        .is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    let secure = if tls { "; Secure" } else { "" };
    format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={TTL_S}{secure}")
}

/// The cookie that removes a session.
pub(crate) fn no_cookie() -> String {
    format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// The session id that a request carries.
pub(crate) fn id_in(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, id)| id)
}

/// Someone who signed in. Pages send everyone else to the sign-in page.
pub(crate) struct SignedIn(pub(crate) Principal);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match principal(&parts.headers, app).await {
            Ok(Some(principal)) => {
                AskedBy::note(&parts.extensions, &principal);
                Ok(Self(principal))
            }
            Ok(None) => Err(sign_in_first(&parts.method, &parts.uri)),
            Err(error) => Err(PageError(error).into_response()),
        }
    }
}

/// Who is signed in here, as far as that can be read.
pub(crate) async fn of(app: &App, headers: &HeaderMap) -> Option<Principal> {
    principal(headers, app).await.ok().flatten()
}

async fn principal(headers: &HeaderMap, app: &App) -> Result<Option<Principal>, ApiError> {
    let token = id_in(headers).and_then(|id| app.sessions.token_of(id, clock::wall_ms()));
    match token {
        Some(token) => auth::principal_by_id(app, &token).await,
        None => Ok(None),
    }
}

fn sign_in_first(method: &Method, uri: &Uri) -> Response {
    let page =
        (method == Method::GET || method == Method::HEAD) && !uri.path().starts_with("/fragments/");
    if !page {
        let error = ApiError::new(Kind::Unauthorized, "You are not signed in, or no longer.")
            .hint("Sign in again; nothing was changed.");
        return PageError(error).into_response();
    }
    match next_page(uri.path()) {
        "/" => Redirect::to("/sign-in").into_response(),
        next => Redirect::to(&format!("/sign-in?next={next}")).into_response(),
    }
}

/// Where someone may be sent after signing in: the console's own pages and nowhere else.
pub(crate) fn next_page(path: &str) -> &str {
    let rollout = path.strip_prefix("/rollouts/").is_some_and(|id| {
        !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    });
    if rollout { path } else { "/" }
}

/// A change that was sent from the console's own pages. A browser says where a form came from;
/// whoever does not say so is refused.
pub(crate) struct SameOrigin;

impl FromRequestParts<App> for SameOrigin {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, PageError> {
        if same_origin(&parts.headers) {
            return Ok(Self);
        }
        Err(PageError(
            ApiError::new(Kind::Forbidden, "The request did not come from this console.")
                .hint("Open the console and use its own forms."),
        ))
    }
}

fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let Some(host) = text(header::HOST) else {
        return false;
    };
    match text(header::ORIGIN) {
        Some(origin) => origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"))
            .is_some_and(|authority| authority.eq_ignore_ascii_case(host)),
        None => text(header::HeaderName::from_static("sec-fetch-site")) == Some("same-origin"),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn only_this_console_is_the_same_origin() {
        let host = ("host", "lock.example:8090");
        assert!(same_origin(&headers(&[host, ("origin", "http://lock.example:8090")])));
        assert!(same_origin(&headers(&[host, ("sec-fetch-site", "same-origin")])));
        for origin in ["http://evil.example", "null", "http://lock.example", "lock.example:8090"] {
            let asked = [host, ("origin", origin), ("sec-fetch-site", "same-origin")];
            assert!(!same_origin(&headers(&asked)), "{origin}");
        }
        assert!(!same_origin(&headers(&[host])));
        assert!(!same_origin(&headers(&[host, ("sec-fetch-site", "same-site")])));
    }

    #[test]
    fn nobody_is_sent_away_after_signing_in() {
        assert_eq!(next_page("/rollouts/0192-abc"), "/rollouts/0192-abc");
        for other in
            ["//evil.example", "/rollouts/../x", "/rollouts/", "https://e", "/rollouts/a/b"]
        {
            assert_eq!(next_page(other), "/", "{other}");
        }
    }

    #[test]
    fn sessions_end_and_are_bounded() {
        let sessions = Sessions::default();
        let id = sessions.open("t", 0);
        assert_eq!(sessions.token_of(&id, 1).as_deref(), Some("t"));
        assert_eq!(sessions.token_of(&id, TTL_S * 1_000), None);
        sessions.close(&id);
        assert_eq!(sessions.token_of(&id, 1), None);
        for n in 0..=i64::try_from(SESSIONS_MAX).expect("small") {
            sessions.open("t", n);
        }
        assert_eq!(sessions.0.lock().expect("not poisoned").len(), SESSIONS_MAX);
    }
}
