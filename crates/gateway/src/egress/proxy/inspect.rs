//! A tunnel that ends here: to a host where a tool is that is asked in its own way. What is asked inside is what would be
//! asked at the tool's path here, and decided and recorded as that. Nothing is forwarded to what a request says.

use std::convert::Infallible;
use std::sync::Arc;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use lockgate_model::destination::{Destination, Host};
use lockgate_model::identity::Identity;
use lockgate_model::tool::ToolProtocol;
use rustls::server::Acceptor;
use serde_json::Map;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::authority::Authority;
use super::connect::CONNECT;
use super::plain::REQUEST;
use super::refused::nowhere;
use super::tunnel::{AGE_MAX, HELLO_WAIT_MAX, Place, age_max, until_gone};
use super::{full, way_to};
use crate::connection;
use crate::egress::a2a::peer::CameIn;
use crate::egress::delegation::DELEGATION;
use crate::egress::forward::unavailable;
use crate::egress::handle;
use crate::egress::known::Server;
use crate::egress::link;
use crate::egress::listener::{Client, Egress};
use crate::egress::models::API_KEY;
use crate::egress::refusal::{self, Why};
use crate::egress::relay::OutBody;

/// Opens one. What is asked inside is decided there.
pub(super) fn handle(
    egress: Arc<Egress>,
    identity: Identity,
    authority: &Arc<Authority>,
    (to, token, parts): (Destination, String, Parts),
) -> Response<OutBody> {
    if let Some(why) = egress.closed() {
        return unavailable(&Why::unrecorded(why));
    }
    let Some(place) = egress.tunnels.enter(&identity) else { return full() };
    let Ok(mut shown) = HeaderValue::try_from(format!("Bearer {token}")) else {
        return refusal::bare(StatusCode::BAD_REQUEST);
    };
    shown.set_sensitive(true);
    let opened = Opened {
        client: Client::new(Arc::clone(&egress)),
        authority: Arc::clone(authority),
        delegation: parts.headers.get(DELEGATION).cloned(),
        egress,
        identity,
        shown,
        to,
        place,
    };
    tokio::spawn(opened.run(hyper::upgrade::on(Request::from_parts(parts, ()))));
    refusal::bare(StatusCode::OK)
}

struct Opened {
    egress: Arc<Egress>,
    authority: Arc<Authority>,
    /// Who asked for it: looked at again with each request inside.
    identity: Identity,
    shown: HeaderValue,
    /// For whom it acts; nothing inside is done of its own accord then.
    delegation: Option<HeaderValue>,
    to: Destination,
    /// Kept for as long as it is open.
    client: Client,
    place: Place,
}

impl Opened {
    async fn run(self, upgrade: OnUpgrade) {
        let stop = self.egress.drain.child_token();
        let serving = self.serve(upgrade, stop.clone());
        let over = async {
            tokio::select! {
                () = until_gone(&self.egress, &self.identity) => {}
                () = tokio::time::sleep(age_max(&self.identity, AGE_MAX)) => {}
            }
            // What is asked at the moment is cut by whoever forbids it, and may end otherwise.
            stop.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.egress.kill.cancelled() => {}
            () = serving => {}
            () = over => {}
        }
        drop((self.client, self.place));
    }

    async fn serve(&self, upgrade: OnUpgrade, stop: CancellationToken) {
        let Ok(upgraded) = upgrade.await else { return };
        let stream = match self.accept(TokioIo::new(upgraded)).await {
            Ok(stream) => stream,
            Err(error) => {
                let why = format!("nothing is asked in the tunnel: {error}");
                let linked = link::of(&HeaderMap::new(), &Map::new());
                let to = self.to.to_string();
                nowhere(&self.egress, &self.identity, &linked, (CONNECT, &to), &why).await;
                return;
            }
        };
        let service = service_fn(|request: Request<Incoming>| async {
            Ok::<_, Infallible>(self.request(request).await)
        });
        let stall_max = self.egress.core.client_stall_max;
        connection::serve_in(stream, stall_max, stop, service).await;
    }

    /// The handshake, in which the client must name the host that it asked for.
    async fn accept<IO: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: IO,
    ) -> std::io::Result<TlsStream<IO>> {
        let until = Instant::now() + HELLO_WAIT_MAX;
        let begun = timeout_at(until, LazyConfigAcceptor::new(Acceptor::default(), stream));
        let begun = begun.await??;
        let said = begun.client_hello().server_name().map(str::to_owned);
        let is_for = match (&self.to.host, said) {
            (Host::Name(host), Some(said)) => host.eq_ignore_ascii_case(&said),
            (Host::Address(_), None) => true,
            _ => false,
        };
        if !is_for {
            return Err(std::io::Error::other("the handshake names another host, or none"));
        }
        timeout_at(until, begun.into_stream(self.authority.config(&self.to.host)?)).await?
    }

    async fn request(&self, request: Request<Incoming>) -> Response<OutBody> {
        let (mut parts, body) = request.into_parts();
        let path = match self.place_of(&parts) {
            Ok(path) => path,
            Err(why) => {
                let linked = link::of(&parts.headers, &Map::new());
                let to = format!("https://{}{}", self.to, parts.uri.path());
                let to = (REQUEST, to.as_str());
                return nowhere(&self.egress, &self.identity, &linked, to, &why).await;
            }
        };
        parts.uri = path;
        // What the agent shows is for a tool that it does not reach; who it is was shown with the tunnel.
        parts.headers.remove(API_KEY);
        parts.headers.insert(header::AUTHORIZATION, self.shown.clone());
        if let Some(delegation) = &self.delegation
            && !parts.headers.contains_key(DELEGATION)
        {
            parts.headers.insert(DELEGATION, delegation.clone());
        }
        parts.extensions.insert(CameIn::Inside);
        Box::pin(handle::handle(Arc::clone(&self.egress), Request::from_parts(parts, body))).await
    }

    /// Where here what is asked for is asked for.
    fn place_of(&self, parts: &Parts) -> Result<Uri, String> {
        let mut hosts = parts.headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        let host = host.filter(|_| hosts.next().is_none() && parts.uri.scheme().is_none());
        let host = host.filter(|host| host.parse::<http::uri::Authority>().is_ok());
        let said = host.map(|host| Destination::of_url(&format!("https://{host}")));
        let is_elsewhere = parts.method == Method::CONNECT || parts.uri.authority().is_some();
        if is_elsewhere || !matches!(said, Some(Ok(said)) if said == self.to) {
            return Err("the request is for another host than its tunnel".into());
        }
        let table = self.egress.core.table.load();
        let there = table.known.at(&self.to);
        let path = parts.uri.path();
        let found = there.iter().filter_map(|server| Some((server, rest(server, path)?)));
        let Some((server, rest)) = found.min_by_key(|(_, rest)| rest.len()) else {
            return Err("no tool is declared at this path of the host".into());
        };
        let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        // Their clients have the version in the base URL there, and here.
        let version = if matches!(server.protocol, ToolProtocol::Openai(_)) { "/v1" } else { "" };
        let place = format!("{}{version}{rest}{query}", way_to(server));
        let place: Result<PathAndQuery, _> = place.parse();
        place.map(Uri::from).map_err(|_| "its path cannot be read".to_owned())
    }
}

/// What a path has after a tool's own. A server of MCP is at one path.
fn rest<'p>(server: &Server, path: &'p str) -> Option<&'p str> {
    let prefix = &server.endpoint.as_ref()?.prefix;
    let rest = path.strip_prefix(prefix.as_str())?;
    match server.protocol {
        ToolProtocol::External | ToolProtocol::Tunnel(_) => None,
        ToolProtocol::Mcp => matches!(rest, "" | "/").then_some(""),
        _ => (rest.is_empty() || rest.starts_with('/')).then_some(rest),
    }
}
