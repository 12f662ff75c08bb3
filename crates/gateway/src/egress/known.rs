//! What a snapshot says of agents' own calls, made ready to be looked up.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use lockgate_model::identity::{Identity, Revoked};
use lockgate_model::ids::{AgentName, IdentityId, ToolName, VersionName};
use lockgate_model::pin::Pin;
use lockgate_model::ports::Secrets;
use lockgate_model::snapshot::Snapshot;
use lockgate_model::tool::{Tool, ToolProtocol};
use lockgate_model::version::Digest;
use tracing::error;

use crate::egress::identity::Refused;
use crate::table::Endpoint;

/// A tool's server.
pub(crate) struct Server {
    pub(crate) name: ToolName,
    /// What it speaks, and how much of it may be used.
    pub(crate) protocol: ToolProtocol,
    /// Where it is; nowhere when it is others who reach it.
    pub(crate) endpoint: Option<Endpoint>,
    /// The path as it is written: some servers tell `/mcp/` from `/mcp`.
    pub(crate) path: String,
    /// What it is shown.
    credential: Result<Option<(HeaderName, HeaderValue)>, String>,
    /// The longest silence in an answer.
    pub(crate) silence_max: Duration,
}

impl Server {
    /// Where it is, as a part of what is pinned of it.
    pub(crate) fn address(&self) -> String {
        let connect = self.endpoint.as_ref().map(|endpoint| endpoint.connect.to_string());
        connect.unwrap_or_default() + &self.path
    }

    /// The header that it is to be shown, or why there is none.
    pub(crate) fn credential(&self) -> Result<Option<&(HeaderName, HeaderValue)>, &str> {
        self.credential.as_ref().map(Option::as_ref).map_err(String::as_str)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Tools, versions and what is revoked.
#[derive(Debug, Default)]
pub(crate) struct Known {
    servers: HashMap<ToolName, Arc<Server>>,
    manifests: HashMap<AgentName, HashMap<VersionName, Digest>>,
    revoked: HashSet<IdentityId>,
    /// By tool and action.
    pins: HashMap<ToolName, HashMap<String, Pin>>,
    /// Tokens of a version that were issued before this second.
    floors: HashMap<AgentName, HashMap<VersionName, i64>>,
}

impl Known {
    /// From a snapshot. A tool that cannot be used is left out or says so when it is called; it keeps nothing else
    /// from being in force. Blocks, as secrets may be in files.
    pub(crate) fn compile(snapshot: &Snapshot, secrets: &dyn Secrets) -> Self {
        let mut known = Self::default();
        for tool in &snapshot.egress.tools {
            if let Some(server) = server(tool, secrets) {
                known.servers.insert(tool.name.clone(), Arc::new(server));
            } else {
                error!(tool = %tool.name, "the tool's URL cannot be used");
            }
        }
        for route in &snapshot.routes {
            let versions = &route.agent.versions;
            let digests = versions.iter().map(|one| (one.name.clone(), one.digest())).collect();
            known.manifests.insert(route.agent.name.clone(), digests);
        }
        for pin in &snapshot.pins {
            let of_tool = known.pins.entry(pin.tool.clone()).or_default();
            of_tool.insert(pin.action.clone(), pin.clone());
        }
        for revoked in &snapshot.revoked {
            match revoked {
                Revoked::Token { id } => drop(known.revoked.insert(*id)),
                Revoked::Version { agent, version, before_wall_s } => {
                    let floors = known.floors.entry(agent.clone()).or_default();
                    let floor = floors.entry(version.clone()).or_insert(i64::MIN);
                    *floor = (*floor).max(*before_wall_s);
                }
            }
        }
        known
    }

    /// What is pinned of an action, and whether it was seen otherwise since.
    pub(crate) fn pin(&self, tool: &ToolName, action: &str) -> Option<&Pin> {
        self.pins.get(tool)?.get(action)
    }

    /// A tool's server.
    pub(crate) fn server(&self, name: &ToolName) -> Option<&Arc<Server>> {
        self.servers.get(name)
    }

    /// Whether this is a version that exists, with the content that it had, and nobody revoked it.
    pub(crate) fn admit(&self, identity: &Identity) -> Result<(), Refused> {
        let manifest = self
            .manifests
            .get(&identity.agent)
            .and_then(|versions| versions.get(&identity.version))
            .ok_or(Refused::UnknownVersion)?;
        if *manifest != identity.manifest {
            return Err(Refused::OtherManifest);
        }
        let floor = self.floors.get(&identity.agent).and_then(|all| all.get(&identity.version));
        if self.revoked.contains(&identity.id)
            || floor.is_some_and(|floor| identity.issued_wall_s < *floor)
        {
            return Err(Refused::Revoked);
        }
        Ok(())
    }
}

fn server(tool: &Tool, secrets: &dyn Secrets) -> Option<Server> {
    let (endpoint, path) = if tool.protocol == ToolProtocol::External {
        (None, String::new())
    } else {
        let path = tool.url.parse::<http::Uri>().ok()?.path().to_owned();
        (Some(Endpoint::parse(&tool.url)?), path)
    };
    let credential = tool.credential.as_ref().map(|credential| {
        let value = secrets.look_up(&credential.value).map_err(|error| error.what)?;
        let header = HeaderName::try_from(&credential.header)
            .map_err(|_| format!("`{}` is no header's name", credential.header))?;
        // The error would show nothing of the value, and neither must logs.
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| format!("{} holds what no header can", credential.value))?;
        value.set_sensitive(true);
        Ok((header, value))
    });
    let credential = credential.transpose();
    if let Err(why) = &credential {
        error!(tool = %tool.name, why, "the tool's credential cannot be found; calls of it are refused");
    }
    Some(Server {
        name: tool.name.clone(),
        protocol: tool.protocol.clone(),
        endpoint,
        path,
        credential,
        silence_max: Duration::from_millis(tool.timeout_ms),
    })
}
