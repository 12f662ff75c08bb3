//! What people and programs talk to: REST, server-sent events, sign-in, roles, console.
//!
//! Not here: decisions. A command is written down, control decides, and this room waits for the
//! answer. No CORS: browsers of other origins have no business here.

mod auth;
mod canonical;
mod clock;
mod connections;
mod console;
mod doc;
mod extract;
mod fleet;
mod gateways;
pub mod problem;
mod record;
mod redact;
mod refusals;
mod release;
mod routes;
mod server;
pub mod shapes;
mod state;
mod submit;
mod suggest;
pub mod token;
mod witness;

use std::net::SocketAddr;
use std::sync::Arc;

use lockgate_model::custody::Custody;
use lockgate_model::decision::Decisions;
use lockgate_model::identity::SigningKeys;
use lockgate_model::ledger::Ledger;
use lockgate_model::path::Oversight;
use lockgate_model::ports::{Fuses, Users};
use lockgate_store::Store;

pub use extract::{REASON_CHARS_MAX, Reason};
pub use prometheus_client::registry::Registry;
pub use routes::metrics::MetricsSource;
pub use server::{Api, StartError};
pub use state::OnConfig;
pub use witness::WitnessServer;

/// How the server is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Whether `/metrics` asks for a token.
    pub metrics_need_token: bool,
    /// Connections open at once, event streams among them. Beyond it idle ones are closed.
    pub connections_max: usize,
}

impl Options {
    /// Connections open at once unless someone says otherwise.
    pub const CONNECTIONS_MAX: usize = 1_024;
}

/// What the server works with.
#[derive(Clone)]
pub struct Deps {
    /// State.
    pub store: Store,
    /// Where every change is recorded before it is made.
    pub ledger: Arc<dyn Ledger>,
    /// The keys of persons, and legal holds.
    pub custody: Arc<dyn Custody>,
    /// Signs tokens of agents' versions.
    pub issuer: Arc<dyn SigningKeys>,
    /// Who decides about agents' actions.
    pub decisions: Arc<dyn Decisions>,
    /// How agents are governed, as far as paths to production ask.
    pub oversight: Arc<dyn Oversight>,
    /// Who users are to gateways.
    pub users: Arc<dyn Users>,
    /// The gateway's fuse; without one, security events are acted upon by control alone.
    pub fuses: Option<Arc<dyn Fuses>>,
    /// Others in this process that have numbers to show.
    pub metrics: Vec<Arc<dyn MetricsSource>>,
    /// Told after another configuration became the active one.
    pub on_config: Option<OnConfig>,
}

/// The OpenAPI 3.1 document of the REST API.
pub fn openapi_json() -> String {
    routes::router().to_openapi().to_pretty_json().expect("the document has string keys")
}
