//! `CONNECT`: one action, `connect`, of the tunnel that is declared for exactly this host and port.

use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use lockgate_model::destination::Destination;
use lockgate_model::identity::Identity;
use lockgate_model::tool::{Addresses, ToolProtocol};
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;

use super::network::{self, NotConnected};
use super::refused::nowhere;
use super::tunnel::Tunnel;
use super::{full, inspect, way_to};
use crate::egress::call::{Asked, Verdict};
use crate::egress::calls::{self, UnderWay};
use crate::egress::forward::unavailable;
use crate::egress::known::Server;
use crate::egress::limit::Uses;
use crate::egress::link::{self, Linked};
use crate::egress::listener::{Client, Egress};
use crate::egress::operations::denied;
use crate::egress::outcome::{End, Open};
use crate::egress::refusal;
use crate::egress::relay::OutBody;
use crate::egress::standing;

/// The action's name in policies and records.
pub(super) const CONNECT: &str = "connect";

type Refused = Box<Response<OutBody>>;

/// Answers one request.
pub(super) async fn handle(
    egress: Arc<Egress>,
    (identity, token): (Identity, String),
    parts: Parts,
) -> Response<OutBody> {
    let linked = link::of(&parts.headers, &Map::new());
    let text = parts.uri.authority().map_or("", |authority| authority.as_str());
    let to = match Destination::parse(text) {
        Ok(to) => to,
        Err(why) => {
            let why = format!("this leads to no tool: {why}");
            return nowhere(&egress, &identity, &linked, (CONNECT, text), &why).await;
        }
    };
    let Some(server) = find(&egress, &to) else {
        let why = "no tool with `protocol: tunnel` is declared for this host and port";
        return nowhere(&egress, &identity, &linked, (CONNECT, text), why).await;
    };
    if let Some(authority) = &egress.authority
        && !matches!(server.protocol, ToolProtocol::Tunnel(_))
    {
        return inspect::handle(Arc::clone(&egress), identity, authority, (to, token, parts));
    }
    let under_way = match calls::begin(&egress, &identity, &server.name) {
        Ok(under_way) => under_way,
        Err(refused) => return super::unauthenticated(refused),
    };
    let caller = Caller { egress, identity, server, to, linked, under_way: Arc::clone(&under_way) };
    let upgrade = hyper::upgrade::on(Request::from_parts(parts, ()));
    match under_way.unless_cut(caller.connect(upgrade)).await {
        Some(answer) => answer.unwrap_or_else(|refused| *refused),
        None => refusal::stopped(),
    }
}

/// The tool that is there. One that is to be asked in its own way comes first.
fn find(egress: &Egress, to: &Destination) -> Option<Arc<Server>> {
    let table = egress.core.table.load();
    let there = table.known.at(to);
    let is_tunnel = |server: &&Arc<Server>| matches!(server.protocol, ToolProtocol::Tunnel(_));
    there.iter().find(|server| !is_tunnel(server)).or_else(|| there.first()).cloned()
}

/// Somebody who is known, and where it wants to get.
struct Caller {
    egress: Arc<Egress>,
    identity: Identity,
    server: Arc<Server>,
    to: Destination,
    linked: Linked,
    under_way: Arc<UnderWay>,
}

impl Caller {
    async fn connect(self, upgrade: OnUpgrade) -> Result<Response<OutBody>, Refused> {
        if let Some(why) = standing::closed(&self.egress, &self.server) {
            return Err(Box::new(unavailable(&why)));
        }
        let Some(place) = self.egress.tunnels.enter(&self.identity) else {
            return Err(Box::new(full()));
        };
        let (open, addresses) = self.decide().await?;
        let (open, stream) = self.reach(open, addresses).await?;
        let tunnel = Tunnel {
            client: Client::new(Arc::clone(&self.egress)),
            egress: self.egress,
            identity: self.identity,
            under_way: self.under_way,
            open,
            host: self.to.host,
            idle_max: self.server.silence_max,
            age_max: self.server.limits.lasts_max(),
            place,
        };
        tokio::spawn(tunnel.run(upgrade, stream));
        Ok(refusal::bare(StatusCode::OK))
    }

    /// Decides; what is allowed has its intent recorded.
    async fn decide(&self) -> Result<(Open, Addresses), Refused> {
        let asked = Asked {
            identity: &self.identity,
            server: &self.server,
            request: &Value::Null,
            action: CONNECT,
            arguments: &json!({ "host": self.to.host.to_string(), "port": self.to.port }),
            exact: &|| Some(self.to.to_string()),
            linked: &self.linked,
            belongs: &self.egress.core.provenance.find(&self.identity, &self.linked),
            under_way: &self.under_way,
            uses: &|| Uses::NOTHING,
        };
        let ToolProtocol::Tunnel(addresses) = self.server.protocol else {
            let why = format!(
                "no tunnel leads around what rules say of tool {}: it is reached at {}",
                self.server.name,
                way_to(&self.server)
            );
            let why = asked.decline(&self.egress, &why).await;
            return Err(Box::new(denied(&why)));
        };
        match asked.decide(&self.egress).await {
            Verdict::Go(open) => Ok((open, addresses)),
            Verdict::Refused(why) => Err(Box::new(denied(&why))),
            Verdict::Hidden => {
                let detail = "no policy allows this agent to connect there";
                let (status, title) = (StatusCode::FORBIDDEN, "Refused by Lockgate");
                Err(Box::new(refusal::problem(status, "denied", title, detail)))
            }
        }
    }

    /// Connects to where the host leads.
    async fn reach(
        &self,
        mut open: Open,
        addresses: Addresses,
    ) -> Result<(Open, TcpStream), Refused> {
        let reached = network::connect(&*self.egress.network, &self.to, addresses).await;
        let (end, status, detail) = match reached {
            Ok((stream, ip)) => {
                open.note("address", ip.to_string().into());
                return Ok((open, stream));
            }
            Err(NotConnected::Forbidden) => {
                let why = "the host leads to an address that it must not lead to";
                (End::Protocol(why), StatusCode::FORBIDDEN, why)
            }
            Err(NotConnected::Unknown) => {
                let why = "the host's name leads nowhere";
                (End::Protocol(why), StatusCode::BAD_GATEWAY, why)
            }
            Err(NotConnected::Unreachable) => {
                (End::Unreachable, StatusCode::BAD_GATEWAY, "the host cannot be reached")
            }
        };
        open.end(end);
        let title = "There is no tunnel";
        Err(Box::new(refusal::problem(status, "no-tunnel", title, detail)))
    }
}
