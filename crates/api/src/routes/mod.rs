//! The REST API, one file per group of endpoints.

use utoipa::OpenApi as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;
use crate::state::App;

mod agents;
mod approvals;
mod audit;
pub(crate) mod command;
mod config;
mod drift;
mod events;
mod health;
mod identities;
mod identity_keys;
mod journal;
pub(crate) mod metrics;
mod paths;
mod pins;
mod policy;
mod quarantines;
mod query;
mod rollouts;
mod security;
mod tokens;
mod value;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Lockgate",
        description = "Takes an agent from prototype to governed production. Every path below \
            `/api/v1` needs a bearer token, except this document. Every change needs a reason and \
            is written to the journal. Every refusal is a problem as in RFC 9457.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(Problem)),
    tags(
        (name = "agents", description = "Agents, their versions and what users asked them."),
        (name = "rollouts", description = "Releases on their way, and their history."),
        (name = "value", description = "What agents are worth: events that are told, and reports."),
        (name = "configuration", description = "The configuration that is active."),
        (name = "events", description = "What happens, as it happens."),
        (name = "administration", description = "Tokens of people and of agents' versions, and the journal."),
        (name = "operations", description = "For probes and monitoring.")
    )
)]
struct Document;

/// All endpoints, with the document that describes them.
pub(crate) fn router() -> OpenApiRouter<App> {
    let mut document = Document::openapi();
    document.components.get_or_insert_default().add_security_scheme(
        "token",
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some("An API token, `lgk_…`."))
                .build(),
        ),
    );
    OpenApiRouter::with_openapi(document)
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics))
        .routes(routes!(health::openapi))
        .routes(routes!(agents::list))
        .routes(routes!(agents::one))
        .routes(routes!(agents::versions))
        .routes(routes!(agents::interactions))
        .routes(routes!(drift::list))
        .routes(routes!(drift::report))
        .routes(routes!(paths::look))
        .routes(routes!(paths::report))
        .routes(routes!(security::raise))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::one))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::deny))
        .routes(routes!(pins::list))
        .routes(routes!(pins::accept))
        .routes(routes!(quarantines::list, quarantines::begin))
        .routes(routes!(quarantines::lift))
        .routes(routes!(rollouts::list, rollouts::start))
        .routes(routes!(rollouts::one))
        .routes(routes!(rollouts::history))
        .routes(routes!(rollouts::explain))
        .routes(routes!(command::pause))
        .routes(routes!(command::resume))
        .routes(routes!(command::promote))
        .routes(routes!(command::abort))
        .routes(routes!(command::confirm))
        .routes(routes!(command::retry))
        .routes(routes!(command::look))
        .routes(routes!(config::active, config::apply))
        .routes(routes!(policy::in_force))
        .routes(routes!(events::stream))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(identities::issue, identities::revoke_all))
        .routes(routes!(identities::admit_outside))
        .routes(routes!(identities::list))
        .routes(routes!(identities::revoke))
        .routes(routes!(identity_keys::list, identity_keys::rotate))
        .routes(routes!(identity_keys::retire))
        .routes(routes!(value::events::list, value::events::tell))
        .routes(routes!(value::imports::list, value::imports::begin))
        .routes(routes!(value::imports::rows))
        .routes(routes!(value::imports::discard))
        .routes(routes!(value::reports::one))
        .routes(routes!(value::suggestions::look))
        .routes(routes!(journal::recent))
        .routes(routes!(audit::erase))
        .routes(routes!(audit::holds, audit::hold))
        .routes(routes!(audit::lift))
}
