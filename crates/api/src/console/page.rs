//! What every page shares: the frame, its policy, and pages that say what went wrong.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::auth::Principal;
use crate::problem::{ApiError, Kind};

/// Nothing inline, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Who looks at a page.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) role: String,
}

impl From<&Principal> for Person {
    fn from(principal: &Principal) -> Self {
        Self { name: principal.name.clone(), role: principal.role.to_string() }
    }
}

/// A template as an answer.
pub(crate) fn draw(status: StatusCode, template: &impl Template) -> Response {
    let mut response = match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be drawn");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    };
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// An error as a page.
pub(crate) struct PageError(pub(crate) ApiError);

impl From<ApiError> for PageError {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<lockgate_store::StoreError> for PageError {
    fn from(error: lockgate_store::StoreError) -> Self {
        Self(error.into())
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    person: Option<Person>,
    title: String,
    detail: String,
    hint: Option<String>,
    sign_in: bool,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let problem = self.0.problem();
        let page = ErrorPage {
            person: None,
            title: problem.title,
            detail: problem.detail,
            hint: problem.hint,
            sign_in: self.0.kind() == Kind::Unauthorized,
        };
        draw(self.0.status(), &page)
    }
}
