//! The data plane. Users' requests come in here, are given to a version of their agent, and are
//! watched on the way; what a version may get is decided elsewhere and followed here.
//!
//! Not here: decisions about rollouts, SQL, the control API. Everything outside is met through
//! [`Ports`], and a gateway serves its last snapshot when none of them answers.

mod affinity;
mod aside;
mod clock;
mod conversations;
mod core;
mod durable;
mod follow;
mod fuse;
mod gateway;
mod health;
mod ingress;
mod live;
mod observe;
mod pin;
pub mod protocol;
mod sealed;
pub mod split;
mod table;
mod tickets;

pub use fuse::LatchError;
pub use gateway::{Gateway, Options, Ports, StartError, Stats};
pub use observe::totals::VersionTotals;
pub use tickets::{TicketError, Tickets};
