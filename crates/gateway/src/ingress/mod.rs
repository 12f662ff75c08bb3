//! The way in: connections, matching, routing, forwarding, and the answer's way back. Bodies are
//! streamed both ways and never changed.

pub(crate) mod answer;
pub(crate) mod exchange;
pub(crate) mod feedback;
pub(crate) mod forward;
pub(crate) mod headers;
pub(crate) mod matching;
pub(crate) mod peek;
pub(crate) mod problem;
pub(crate) mod server;
pub(crate) mod sticky;
pub(crate) mod upload;
pub(crate) mod worker;
