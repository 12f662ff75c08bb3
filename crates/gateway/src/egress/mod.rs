//! The way out: agents' calls to their tools. Who calls is authenticated, what is called is decided and recorded
//! before it is done, and what became of it is recorded after.
//!
//! What cannot be known is refused here, unlike on the way in: an old snapshot, a log that takes no records, a policy
//! that does not answer.

pub(crate) mod a2a;
pub(crate) mod ask;
pub(crate) mod authzen;
mod body;
pub(crate) mod call;
pub(crate) mod calls;
pub(crate) mod conduit;
pub(crate) mod decide;
pub(crate) mod delegation;
pub(crate) mod elsewhere;
pub(crate) mod exact;
pub(crate) mod forward;
pub(crate) mod gate;
pub(crate) mod handle;
pub(crate) mod held;
pub mod identity;
pub(crate) mod known;
pub(crate) mod limit;
pub(crate) mod link;
pub(crate) mod listener;
pub(crate) mod models;
pub(crate) mod operations;
pub(crate) mod outcome;
pub(crate) mod outside;
pub(crate) mod pins;
pub(crate) mod proxy;
pub(crate) mod refusal;
pub(crate) mod refusals;
mod refused;
pub(crate) mod relay;
pub(crate) mod request;
pub(crate) mod running;
mod security;
pub(crate) mod session;
pub(crate) mod sessions;
pub(crate) mod standing;
pub(crate) mod tally;
pub(crate) mod upstream;
