//! The way out: agents' calls to their tools. Who calls is authenticated, what is called is decided and recorded
//! before it is done, and what became of it is recorded after.
//!
//! What cannot be known is refused here, unlike on the way in: an old snapshot, a log that takes no records, a policy
//! that does not answer.

pub(crate) mod ask;
pub(crate) mod call;
pub(crate) mod calls;
pub(crate) mod conduit;
pub(crate) mod decide;
pub(crate) mod exact;
pub(crate) mod forward;
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
pub(crate) mod pins;
pub(crate) mod refusal;
pub(crate) mod refusals;
pub(crate) mod relay;
pub(crate) mod request;
pub(crate) mod running;
pub(crate) mod session;
pub(crate) mod sessions;
pub(crate) mod standing;
pub(crate) mod upstream;
