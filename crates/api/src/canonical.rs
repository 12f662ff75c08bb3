//! Answers that are the same bytes for whoever asks the same of the same data.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use lockgate_value::render;
use serde::Serialize;

use crate::problem::{ApiError, Kind};

/// Canonical JSON (RFC 8785) and a line's end, as `lockgate … --output json` prints it.
#[derive(Debug)]
pub(crate) struct Canonical<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Canonical<T> {
    fn into_response(self) -> Response {
        match render::canonical(&self.0) {
            Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
            Err(_) => ApiError::new(Kind::Internal, "The answer has a number that JSON has not.")
                .into_response(),
        }
    }
}
