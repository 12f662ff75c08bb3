//! The data plane. Users' requests come in here, are given to a version of their agent, and are
//! watched on the way; what a version may get is decided elsewhere and followed here. Agents' own
//! calls go out here, if a policy says so and once they are recorded.
//!
//! Not here: decisions about rollouts, SQL, the control API. Everything outside is met through
//! [`Ports`], and a gateway serves its last snapshot when none of them answers.

mod affinity;
mod aside;
mod clock;
mod connect;
mod connection;
mod conversations;
mod core;
mod durable;
mod egress;
mod follow;
mod fuse;
mod gateway;
mod health;
mod ingress;
mod live;
mod observe;
mod pin;
pub mod protocol;
mod provenance;
mod quarantine;
mod sealed;
pub mod split;
pub mod stdio;
mod table;
mod tickets;
pub mod tried;

pub use egress::identity;
pub use egress::proxy::{Authority, Network, SystemNetwork};
pub use egress::tally::CallsOf;
pub use fuse::LatchError;
pub use gateway::{EgressOptions, Gateway, Options, Ports, StartError, Stats};
pub use observe::totals::VersionTotals;
pub use sealed::UserIds;
pub use tickets::{TicketError, Tickets};
