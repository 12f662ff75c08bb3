//! The one error that every endpoint answers with: RFC 9457 `application/problem+json`.

use std::fmt;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use lockgate_model::config::did_you_mean;
use lockgate_store::StoreError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// More names than this are only counted.
const NAMES_MAX: usize = 10;

/// What went wrong, by kind. Decides status, `type` and `title`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request makes no sense as it is.
    BadRequest,
    /// No valid token.
    Unauthorized,
    /// A valid token whose role does not allow it.
    Forbidden,
    /// It does not exist, or not for this token.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The present state does not allow it.
    Conflict,
    /// The body is too large.
    TooLarge,
    /// The body has the wrong content type.
    UnsupportedMediaType,
    /// Understood and refused: see `errors`.
    Invalid,
    /// Something broke here.
    Internal,
    /// Something that is needed does not answer.
    Unavailable,
    /// It took too long.
    Timeout,
}

impl Kind {
    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn slug(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Conflict => "conflict",
            Self::TooLarge => "too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::Invalid => "invalid",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "The request cannot be understood",
            Self::Unauthorized => "A valid token is needed",
            Self::Forbidden => "This token may not do that",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "This path has no such method",
            Self::Conflict => "Not possible as things are",
            Self::TooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body has the wrong content type",
            Self::Invalid => "The request is not valid",
            Self::Internal => "Something went wrong inside Lockgate",
            Self::Unavailable => "Not available at the moment",
            Self::Timeout => "It took too long",
        }
    }
}

/// One of several things that are wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemItem {
    /// The file, for configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// Which field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `error` or `warning`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The body of every answer that is not a success, RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:lockgate:problem:…`; stable, for programs.
    pub r#type: String,
    /// The kind of problem, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The same in commands of `lockgate`, where `hint` speaks of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cli_hint: Option<String>,
    /// Everything that is wrong, when there are several things.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemItem>,
}

/// An error on its way to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    kind: Kind,
    detail: String,
    hint: Option<String>,
    cli_hint: Option<String>,
    errors: Vec<ProblemItem>,
}

impl ApiError {
    /// Of this kind, with what happened.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), hint: None, cli_hint: None, errors: Vec::new() }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says the same to those who use `lockgate` and never see a request.
    #[must_use]
    pub fn cli_hint(mut self, hint: impl Into<String>) -> Self {
        self.cli_hint = Some(hint.into());
        self
    }

    /// Adds everything that is wrong.
    #[must_use]
    pub fn errors(mut self, errors: Vec<ProblemItem>) -> Self {
        self.errors = errors;
        self
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What to do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// No such thing, or not for this token: the two look the same.
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::new(Kind::NotFound, format!("There is no {what}."))
    }

    /// The same with the name that was probably meant, or all `known` ones.
    pub fn unknown<T: AsRef<str>>(noun: &str, name: &str, known: &[T]) -> Self {
        let error = Self::not_found(format_args!("{noun} `{name}`"));
        let close = did_you_mean(name, known);
        let names: Vec<_> = known.iter().map(|one| format!("`{}`", one.as_ref())).collect();
        match (close, names.as_slice()) {
            (Some(close), _) => error.hint(close),
            (None, []) => error,
            (None, [only]) => error.hint(format!("There is only {only}.")),
            (None, _) if names.len() > NAMES_MAX => error.hint(format!(
                "There are {} and {} more.",
                names[..NAMES_MAX].join(", "),
                names.len() - NAMES_MAX
            )),
            (None, _) => error.hint(format!("There are {}.", names.join(", "))),
        }
    }

    /// The HTTP status it is answered with.
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// As the body that goes out.
    pub fn problem(&self) -> Problem {
        Problem {
            r#type: format!("urn:lockgate:problem:{}", self.kind.slug()),
            title: self.kind.title().into(),
            status: self.kind.status().as_u16(),
            detail: self.detail.clone(),
            hint: self.hint.clone(),
            cli_hint: self.cli_hint.clone(),
            errors: self.errors.clone(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body =
            serde_json::to_vec(&self.problem()).expect("a problem has string keys and no floats");
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.kind == Kind::Unauthorized {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"lockgate\""),
            );
        }
        if self.kind == Kind::Unavailable {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    /// What a client can act on is told; details of the database stay in the log.
    fn from(error: StoreError) -> Self {
        let text = sentence(&error);
        match &error {
            StoreError::VersionChanged { .. } => Self::new(Kind::Conflict, text)
                .hint("Give the changed version a new name; a version never changes."),
            StoreError::AgentBusy { rollout, .. } | StoreError::RolloutOpen { rollout, .. } => {
                Self::new(Kind::Conflict, text).hint(format!(
                    "Wait for rollout {rollout}, or end it with `lockgate rollout abort`."
                ))
            }
            StoreError::VersionBusy { .. } => Self::new(Kind::Conflict, text)
                .hint("Keep the version in the file until it gets no traffic."),
            StoreError::KeyReused { .. } => Self::new(Kind::Conflict, text)
                .hint("Use a new `Idempotency-Key` for another request."),
            StoreError::Unknown { .. } => Self::new(Kind::NotFound, text),
            StoreError::Full { .. } => Self::new(Kind::Conflict, text)
                .hint("End or remove some of those that are there first."),
            _ => {
                tracing::error!(error = ?error, "the store did not answer a request");
                Self::new(Kind::Unavailable, "The store did not do what it was asked.")
                    .hint("Try again; /readyz tells when the store answers.")
                    .cli_hint("try again; the server's log says what the store met")
            }
        }
    }
}

/// An error's text as a sentence.
pub(crate) fn sentence(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), chars.as_str().trim_end_matches('.')),
        None => text,
    }
}
