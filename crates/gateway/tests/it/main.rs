//! The gateway over real sockets: real upstreams, real clients, ports in memory.

#![expect(clippy::unwrap_used, reason = "a test that unwraps in vain has failed")]

mod aside;
mod classes;
mod egress;
mod egress_closed;
mod egress_decide;
mod egress_http;
mod egress_identity;
mod egress_models;
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
mod reload;
mod routing;
mod streaming;
mod upstream;
mod world;
