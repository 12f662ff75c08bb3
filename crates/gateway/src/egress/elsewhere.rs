//! Actions that others do: decided and recorded here in the same way, in whatever form it is asked about them.

use std::sync::Arc;

use lockgate_model::identity::Identity;
use lockgate_model::tool::ToolProtocol;
use serde_json::{Map, Value};

use crate::egress::call::{Asked, Verdict};
use crate::egress::calls;
use crate::egress::identity::Refused;
use crate::egress::known::Server;
use crate::egress::limit::Uses;
use crate::egress::link::Linked;
use crate::egress::listener::Egress;
use crate::egress::outcome::Open;
use crate::egress::refusal::Why;
use crate::egress::standing;
use crate::ingress::headers::{INTERACTION, TRACEPARENT};
use crate::protocol::mcp::method::{self, PROMPT, READ};
use crate::provenance::Call;

/// Whoever stands between an agent and its tools, and asks with the agent's token.
pub(super) struct Enforcer {
    pub(super) egress: Arc<Egress>,
    pub(super) identity: Identity,
}

/// An action that it asks about.
pub(super) struct Wanted<'a> {
    pub(super) action: &'a str,
    pub(super) arguments: &'a Value,
    /// The request's own id.
    pub(super) request: &'a Value,
    /// Exactly what is to be done, see [`Asked::exact`].
    pub(super) exact: &'a (dyn Fn() -> Option<String> + Sync),
    pub(super) linked: &'a Linked,
    /// Whether it may take as long as people need to answer.
    pub(super) waits: bool,
    /// Why it is refused, whatever a policy says.
    pub(super) objection: Option<&'a str>,
    /// Actions that are allowed and not held yet.
    pub(super) before: usize,
}

/// Why nothing was decided.
pub(super) enum Undecided {
    /// No tool of this name is reached by others.
    NoTool,
    /// Nothing is decided at the moment.
    Closed(Why),
    /// No policy could name it.
    NoAction,
    /// Too many are under way.
    Full,
    /// The token is nobody's any more.
    Nobody(Refused),
    /// Whoever asks, or the tool, was stopped meanwhile.
    Stopped,
}

impl Undecided {
    /// In words.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::NoTool => {
                "no tool of this name has `protocol: external` in the configuration".into()
            }
            Self::Closed(why) => why.text(),
            Self::NoAction => "`action` has characters that no action has, or is too long".into(),
            Self::Full => "more actions are under way than may be: tell what became of them".into(),
            Self::Nobody(refused) => refused.to_string(),
            Self::Stopped => "the caller or the tool was stopped meanwhile".into(),
        }
    }
}

impl Enforcer {
    /// The tool of this name, unless it is one that only Lockgate reaches, or nothing is decided at the moment.
    pub(super) fn tool(&self, name: &str) -> Result<Arc<Server>, Undecided> {
        let table = self.egress.core.table.load();
        let server = name.parse().ok().and_then(|name| table.known.server(&name).cloned());
        let server = server.filter(|server| server.protocol == ToolProtocol::External);
        let server = server.ok_or(Undecided::NoTool)?;
        match standing::closed(&self.egress, &server) {
            Some(why) => Err(Undecided::Closed(why)),
            None => Ok(server),
        }
    }

    /// Decides. What is allowed has its intent recorded, and is to be held until its outcome is told.
    pub(super) async fn decide(
        &self,
        server: &Server,
        wanted: Wanted<'_>,
    ) -> Result<Verdict, Undecided> {
        if !is_action(wanted.action) {
            return Err(Undecided::NoAction);
        }
        if !self.egress.held.has_room(&self.identity, wanted.before) {
            return Err(Undecided::Full);
        }
        let under_way =
            calls::begin(&self.egress, &self.identity, &server.name).map_err(Undecided::Nobody)?;
        let call = Call { tool: &server.name, action: wanted.action, arguments: wanted.arguments };
        let provenance = &self.egress.core.provenance;
        let asked = Asked {
            identity: &self.identity,
            server,
            request: wanted.request,
            action: wanted.action,
            arguments: wanted.arguments,
            exact: wanted.exact,
            linked: wanted.linked,
            belongs: &provenance.find_call(&self.identity, wanted.linked, &call),
            under_way: &under_way,
            uses: &|| Uses::NOTHING,
        };
        let deciding = async {
            match wanted.objection {
                Some(reason) => Verdict::Refused(asked.decline(&self.egress, reason).await),
                None => asked.decided(&self.egress, wanted.waits).await,
            }
        };
        under_way.unless_cut(deciding).await.ok_or(Undecided::Stopped)
    }

    /// From here on it may be done; until when its outcome is to be told.
    pub(super) fn hold(&self, mut open: Open, server: &Server) {
        open.forwarded = true;
        self.egress.held.keep(&self.identity, open, server.silence_max);
    }
}

/// Whether this can be an action: what a policy can name, and what MCP has besides tools.
pub(super) fn is_action(name: &str) -> bool {
    method::is_tool_name(name) || name == READ || name == PROMPT
}

/// What `fields` say of the user's request that an action belongs to, as a request of MCP would say it.
pub(super) fn link(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut meta = Map::new();
    for (name, of) in [("interaction", INTERACTION), ("traceparent", TRACEPARENT)] {
        if let Some(value) = fields.get(name) {
            meta.insert(of.as_str().to_owned(), value.clone());
        }
    }
    Map::from_iter([("_meta".to_owned(), Value::Object(meta))])
}
