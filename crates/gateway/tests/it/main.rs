//! The gateway over real sockets: real upstreams, real clients, ports in memory.

mod classes;
mod feedback;
mod fuse;
mod health;
mod limits;
mod observe;
mod reload;
mod routing;
mod streaming;
mod upstream;
mod world;
