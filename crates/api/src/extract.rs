//! Extractors whose refusals are problems too.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Query, Request};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::problem::{ApiError, Kind, ProblemItem};

/// The longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 500;

/// Why someone does something: said by everyone who changes anything, kept with what they did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

impl Reason {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reason {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("`reason` is empty: say why".into());
        }
        if text.chars().count() > REASON_CHARS_MAX {
            return Err(format!("`reason` is longer than {REASON_CHARS_MAX} characters"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

/// Characters that make a name look like another one, or a terminal do something: controls, and marks that turn the
/// direction of text or cannot be seen.
pub(crate) fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// A JSON body. Unknown fields are refused by the types themselves.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match <Json<T> as FromRequest<S>>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(json_refused(&rejection)),
        }
    }
}

/// The same where a body may be left out.
impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        match <Json<T> as OptionalFromRequest<S>>::from_request(request, state).await {
            Ok(body) => Ok(body.map(|Json(body)| Self(body))),
            Err(rejection) => Err(json_refused(&rejection)),
        }
    }
}

fn json_refused(rejection: &JsonRejection) -> ApiError {
    let text = rejection.body_text();
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ApiError::new(Kind::UnsupportedMediaType, "The body must be JSON.")
                .hint("Send `Content-Type: application/json`.")
        }
        StatusCode::UNPROCESSABLE_ENTITY => {
            let message = text.split_once("target type: ").map_or(text.as_str(), |(_, rest)| rest);
            let error =
                ApiError::new(Kind::Invalid, format!("The body is not valid: {message}")).errors(
                    vec![ProblemItem { message: message.to_owned(), ..ProblemItem::default() }],
                );
            if message.contains("`reason`") {
                return error.hint("Every change needs a `reason` of 1 to 500 characters.");
            }
            let lacking = message.strip_prefix("missing field ");
            let lacking = lacking.and_then(|rest| rest.split(' ').next());
            let add = lacking.map(|field| format!("Add {field}; ")).unwrap_or_default();
            error.hint(format!("{add}`GET /api/v1/openapi.json` describes the body."))
        }
        _ => ApiError::new(Kind::BadRequest, text),
    }
}

/// The body is larger than this endpoint takes.
pub(crate) fn too_large() -> ApiError {
    ApiError::new(Kind::TooLarge, "The body is larger than this endpoint takes.")
}

/// Query parameters. Unknown ones are refused by the types themselves.
pub(crate) struct QueryArgs<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryArgs<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(args) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| ApiError::new(Kind::BadRequest, rejection.body_text()))?;
        Ok(Self(args))
    }
}

/// Parts of the path. What is not even a valid name does not exist.
pub(crate) struct PathArgs<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathArgs<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(args) = Path::<T>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| ApiError::new(Kind::NotFound, rejection.body_text()))?;
        Ok(Self(args))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_trimmed_and_neither_empty_nor_endless() {
        assert_eq!(
            Reason::try_from(" because ".to_owned()).map(String::from),
            Ok("because".into())
        );
        assert!(Reason::try_from(" \n".to_owned()).is_err());
        assert!(Reason::try_from("ä".repeat(500)).is_ok());
        assert!(Reason::try_from("ä".repeat(501)).is_err());
    }
}
