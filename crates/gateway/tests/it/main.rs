//! The gateway over real sockets: real upstreams, real clients, ports in memory.

#![expect(clippy::unwrap_used, reason = "a test that unwraps in vain has failed")]

mod a2a_server;
mod aside;
mod authorities;
mod classes;
mod egress;
mod egress_a2a;
mod egress_a2a_card;
mod egress_authzen;
mod egress_closed;
mod egress_decide;
mod egress_delegation;
mod egress_http;
mod egress_identity;
mod egress_inferred;
mod egress_inspect;
mod egress_models;
mod egress_outside;
mod egress_proxy;
mod egress_streams;
mod egress_world;
mod feedback;
mod fuse;
mod health;
mod http_server;
mod limits;
mod mcp_server;
mod model_server;
mod observe;
mod proxy_world;
mod reload;
mod routing;
mod streaming;
mod upstream;
mod world;
