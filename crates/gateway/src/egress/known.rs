//! What a snapshot says of agents' own calls, made ready to be looked up.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use lockgate_model::destination::Destination;
use lockgate_model::identity::{Identity, Revoked, Voucher};
use lockgate_model::ids::{AgentName, IdentityId, ToolName, VersionName};
use lockgate_model::pin::Pin;
use lockgate_model::ports::Secrets;
use lockgate_model::snapshot::Snapshot;
use lockgate_model::tool::{Tool, ToolLimits, ToolMode, ToolProtocol};
use lockgate_model::version::Digest;
use tracing::error;

use crate::egress::identity::{Refused, Verifier};
use crate::egress::outside::keys::Keys;
use crate::egress::outside::{self, Outside};
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
    /// How much of it there may be at once.
    pub(crate) limits: ToolLimits,
    pub(crate) mode: ToolMode,
    /// Which agent it is, if it is one of those that are known.
    pub(crate) agent: Option<AgentName>,
}

impl Server {
    /// Where it is, as a part of what is pinned of it.
    pub(crate) fn address(&self) -> String {
        let connect = self.endpoint.as_ref().map(|endpoint| endpoint.connect.to_string());
        connect.unwrap_or_default() + &self.path
    }

    /// What its path has after [`Endpoint::prefix`].
    pub(crate) fn end_of_path(&self) -> &str {
        let prefix = self.endpoint.as_ref().map_or("", |endpoint| &endpoint.prefix);
        self.path.strip_prefix(prefix).unwrap_or_default()
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

/// Tools and where they are, versions, whose tokens are good and which are revoked, and pins.
#[derive(Debug, Default)]
pub(crate) struct Known {
    servers: HashMap<ToolName, Arc<Server>>,
    /// By where they are.
    places: HashMap<Destination, Vec<Arc<Server>>>,
    manifests: HashMap<AgentName, HashMap<VersionName, Digest>>,
    revoked: HashSet<IdentityId>,
    verifier: Verifier,
    outside: Outside,
    /// By tool and action.
    pins: HashMap<ToolName, HashMap<String, Pin>>,
    /// Versions for which nobody outside vouches any more.
    barred: HashMap<AgentName, HashSet<VersionName>>,
    /// Tokens of a version that were issued before this second.
    floors: HashMap<AgentName, HashMap<VersionName, i64>>,
}

impl Known {
    /// From a snapshot. A tool that cannot be used is left out or says so when it is called; it keeps nothing else
    /// from being in force. Blocks, as secrets may be in files.
    pub(crate) fn compile(snapshot: &Snapshot, secrets: &dyn Secrets) -> Self {
        let verifier = Verifier::new(&snapshot.identity_keys);
        let outside = Outside::new(&snapshot.egress.issuers);
        let mut known = Self { verifier, outside, ..Self::default() };
        for tool in &snapshot.egress.tools {
            if let Some(server) = server(tool, secrets) {
                let server = Arc::new(server);
                if let Ok(place) = Destination::of_url(&tool.url) {
                    known.places.entry(place).or_default().push(Arc::clone(&server));
                }
                known.servers.insert(tool.name.clone(), server);
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
                Revoked::Outside { agent, version } => {
                    let barred = known.barred.entry(agent.clone()).or_default();
                    barred.insert(version.clone());
                }
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

    /// The tools at a place.
    pub(crate) fn at(&self, place: &Destination) -> &[Arc<Server>] {
        self.places.get(place).map_or(&[], Vec::as_slice)
    }

    /// Whether there is such an agent.
    pub(crate) fn has_agent(&self, agent: &AgentName) -> bool {
        self.manifests.contains_key(agent)
    }

    /// Issuers outside.
    pub(crate) fn outside(&self) -> &Outside {
        &self.outside
    }

    /// Whose token this is, if it is anybody's; whether they may call is for [`Self::admit`].
    pub(crate) fn verify(
        &self,
        token: &str,
        keys: &Keys,
        now_wall_ms: i64,
    ) -> Result<Identity, Refused> {
        let Some(said) = self.outside.verify(keys, token, now_wall_ms.div_euclid(1_000)) else {
            return self.verifier.verify(token, now_wall_ms);
        };
        let said = said?;
        let manifest = self.manifest(&said.agent, &said.version)?.clone();
        Ok(said.of(manifest))
    }

    fn manifest(&self, agent: &AgentName, version: &VersionName) -> Result<&Digest, Refused> {
        let versions = self.manifests.get(agent).ok_or(Refused::UnknownVersion)?;
        versions.get(version).ok_or(Refused::UnknownVersion)
    }

    /// Whether this is a version that exists, with the content that it had, and nobody revoked it, or the word of whoever
    /// vouched for it.
    pub(crate) fn admit(&self, identity: &Identity, keys: &Keys) -> Result<(), Refused> {
        if *self.manifest(&identity.agent, &identity.version)? != identity.manifest {
            return Err(Refused::OtherManifest);
        }
        // Others may go by a clock that is ahead, and none of their tokens of before must pass for one of after.
        let (stands, issued_wall_s) = match &identity.voucher {
            Voucher::Key(kid) => (self.verifier.holds(kid), identity.issued_wall_s),
            Voucher::Issuer { name, terms, kid } => {
                let issued_wall_s = identity.issued_wall_s.saturating_sub(outside::LEEWAY_S);
                (self.outside.stands(name, terms, kid, keys), issued_wall_s)
            }
        };
        if !stands {
            return Err(Refused::UnknownKey);
        }
        let barred = self.barred.get(&identity.agent);
        if identity.voucher.issuer().is_some()
            && barred.is_some_and(|barred| barred.contains(&identity.version))
        {
            return Err(Refused::CutOff);
        }
        let floor = self.floors.get(&identity.agent).and_then(|all| all.get(&identity.version));
        if self.revoked.contains(&identity.id) || floor.is_some_and(|floor| issued_wall_s < *floor)
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
        limits: tool.limits,
        mode: tool.mode,
        agent: tool.agent.clone(),
    })
}
