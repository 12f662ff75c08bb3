//! Plain HTTP through the proxy: what is an operation of an HTTP tool is that operation, wherever the tool is. Nothing is
//! forwarded for what it is written to.

use std::sync::Arc;

use http::request::Parts;
use http::{Response, Uri};
use hyper::body::Incoming;
use lockgate_model::destination::Destination;
use lockgate_model::identity::Identity;
use lockgate_model::tool::ToolProtocol;
use serde_json::Map;

use super::refused::nowhere;
use super::way_to;
use crate::egress::known::Server;
use crate::egress::link;
use crate::egress::listener::Egress;
use crate::egress::operations;
use crate::egress::relay::OutBody;

/// What is recorded of something that is no operation.
pub(super) const REQUEST: &str = "request";

/// Answers one request.
pub(super) async fn handle(
    egress: Arc<Egress>,
    identity: Identity,
    parts: Parts,
    body: Incoming,
) -> Response<OutBody> {
    let there = there(&egress, &parts.uri);
    if let Some((server, prefix_len)) = operation(&there, parts.uri.path()) {
        let path = parts.uri.path()[prefix_len..].to_owned();
        return operations::serve(egress, identity, server, &path, &parts, body).await;
    }
    let reason = match there.first() {
        Some(server) => {
            format!("tool {} is reached at {}, not through the proxy", server.name, way_to(server))
        }
        None => "no tool with `protocol: http` is declared for this host and path".to_owned(),
    };
    let linked = link::of(&parts.headers, &Map::new());
    let to = parts.uri.to_string();
    nowhere(&egress, &identity, &linked, (REQUEST, &to), &reason).await
}

/// The tools at a URL's host and port. An agent that writes `http` for what is reached by `https` means the same tool.
fn there(egress: &Egress, uri: &Uri) -> Vec<Arc<Server>> {
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Vec::new();
    };
    let Ok(to) = Destination::of_url(&format!("{scheme}://{authority}")) else { return Vec::new() };
    let table = egress.core.table.load();
    let mut there = table.known.at(&to).to_vec();
    if scheme == "http" && to.port == 80 {
        there.extend_from_slice(table.known.at(&Destination { port: 443, ..to }));
    }
    there
}

/// The HTTP tool whose path this one is below, and how much of it is the tool's; the longest that fits.
fn operation(there: &[Arc<Server>], path: &str) -> Option<(Arc<Server>, usize)> {
    let fits = |server: &&Arc<Server>| {
        let is_http = matches!(server.protocol, ToolProtocol::Http(_));
        let prefix = server.endpoint.as_ref().map(|endpoint| endpoint.prefix.as_str());
        let rest = prefix.and_then(|prefix| path.strip_prefix(prefix));
        is_http && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let length =
        |server: &Arc<Server>| server.endpoint.as_ref().map_or(0, |endpoint| endpoint.prefix.len());
    let server = there.iter().rev().filter(fits).max_by_key(|server| length(server))?;
    Some((Arc::clone(server), length(server)))
}
