//! Who asks, and what they may. Tokens only; the console's cookie is in `console::session`.
//!
//! A handler names the role it needs by the extractor it takes: [`Viewer`], [`Operator`],
//! [`Approver`] or [`Admin`]. Without one it has no principal.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{Extensions, header};
use lockgate_model::ids::AgentName;
use lockgate_store::{Role, TokenRecord};

use crate::problem::{ApiError, Kind};
use crate::refusals;
use crate::state::App;
use crate::token;

/// Whoever holds a valid token.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    /// The token's id.
    pub(crate) token: String,
    /// The token's name: what is recorded as the one who acted.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) role: Role,
    /// The agents it may see; `None` for all.
    agents: Option<Vec<AgentName>>,
}

impl From<&TokenRecord> for Principal {
    fn from(record: &TokenRecord) -> Self {
        Self {
            token: record.id.clone(),
            name: record.name.clone(),
            role: record.role,
            agents: record.agents.clone(),
        }
    }
}

impl Principal {
    /// Whether this agent exists for it.
    pub(crate) fn sees(&self, agent: &AgentName) -> bool {
        self.agents.as_ref().is_none_or(|agents| agents.contains(agent))
    }

    /// The agents it is limited to; `None` for all.
    pub(crate) fn agents(&self) -> Option<&[AgentName]> {
        self.agents.as_deref()
    }

    /// Whether it may see all agents.
    pub(crate) fn sees_all(&self) -> bool {
        self.agents.is_none()
    }

    /// Refuses, for what concerns every agent, a token that is limited to some.
    pub(crate) fn need_all_agents(&self, what: &str) -> Result<(), ApiError> {
        if self.sees_all() {
            return Ok(());
        }
        Err(ApiError::new(
            Kind::Forbidden,
            format!("{what} concerns all agents, and this token is limited to some."),
        )
        .hint("Use a token that is not limited to named agents."))
    }

    pub(crate) fn may_operate(&self) -> bool {
        matches!(self.role, Role::Operator | Role::Admin)
    }

    pub(crate) fn may_approve(&self) -> bool {
        matches!(self.role, Role::Approver | Role::Admin)
    }

    /// Refuses whoever may only look.
    pub(crate) fn need_operator(&self) -> Result<(), ApiError> {
        if self.may_operate() {
            return Ok(());
        }
        Err(self.wrong_role("operator"))
    }

    /// Refuses whoever may not do everything.
    pub(crate) fn need_admin(&self, what: &str) -> Result<(), ApiError> {
        if self.role == Role::Admin {
            return Ok(());
        }
        Err(ApiError::new(
            Kind::Forbidden,
            format!("{what} needs admin, and token `{}` has the role {}.", self.name, self.role),
        )
        .hint("Ask an admin to apply it, or leave that part as it is."))
    }

    fn wrong_role(&self, needed: &str) -> ApiError {
        ApiError::new(
            Kind::Forbidden,
            format!("Token `{}` has the role {}; this needs {needed}.", self.name, self.role),
        )
        .hint("Ask an admin for a token with that role.")
    }
}

/// Who a request turned out to come from, for those who see its answer and not its handler.
#[derive(Debug, Clone, Default)]
pub(crate) struct AskedBy(Arc<OnceLock<String>>);

impl AskedBy {
    /// Notes it beside the request.
    pub(crate) fn note(extensions: &Extensions, principal: &Principal) {
        if let Some(Self(name)) = extensions.get::<Self>() {
            // It is the same one each time that it is looked for.
            let _ = name.set(principal.name.clone());
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// The principal of a token, if it is valid now.
pub(crate) async fn principal_of(
    app: &App,
    plaintext: &str,
) -> Result<Option<Principal>, ApiError> {
    if !token::well_formed(plaintext) {
        return Ok(None);
    }
    let records = app.store.tokens().await?;
    Ok(token::find(plaintext, &records).map(Principal::from))
}

/// The principal of a token's id, if the token is still valid.
pub(crate) async fn principal_by_id(app: &App, id: &str) -> Result<Option<Principal>, ApiError> {
    let records = app.store.tokens().await?;
    Ok(records
        .iter()
        .find(|record| record.id == id && record.revoked_wall_ms.is_none())
        .map(Principal::from))
}

/// Reads `Authorization: Bearer …`.
pub(crate) async fn authenticate(parts: &Parts, app: &App) -> Result<Principal, ApiError> {
    let refuse = |detail: &str| {
        Err(ApiError::new(Kind::Unauthorized, detail).hint(
            "Send `Authorization: Bearer lgk_…`. The first token is printed at the first start.",
        ))
    };
    let Some(value) = parts.headers.get(header::AUTHORIZATION) else {
        return refuse("The request carries no token.");
    };
    let bearer = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let Some(bearer) = bearer else {
        return refuse("The Authorization header is not of the form `Bearer lgk_…`.");
    };
    if let Some(principal) = principal_of(app, bearer).await? {
        AskedBy::note(&parts.extensions, &principal);
        return Ok(principal);
    }
    refusals::note(app, "api").await;
    refuse("This token is not known, or was revoked.")
}

/// Anyone with a valid token: may look.
pub(crate) struct Viewer(pub(crate) Principal);

/// May act on releases, security and configuration.
pub(crate) struct Operator(pub(crate) Principal);

/// May answer what waits for a person.
pub(crate) struct Approver(pub(crate) Principal);

/// May do everything, and manages tokens.
pub(crate) struct Admin(pub(crate) Principal);

impl FromRequestParts<App> for Viewer {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        authenticate(parts, app).await.map(Self)
    }
}

impl FromRequestParts<App> for Operator {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let principal = authenticate(parts, app).await?;
        principal.need_operator()?;
        Ok(Self(principal))
    }
}

impl FromRequestParts<App> for Approver {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let principal = authenticate(parts, app).await?;
        if !principal.may_approve() {
            return Err(principal.wrong_role("approver"));
        }
        Ok(Self(principal))
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let principal = authenticate(parts, app).await?;
        if principal.role != Role::Admin {
            return Err(principal.wrong_role("admin"));
        }
        Ok(Self(principal))
    }
}
