//! What a candidate gets in the test environment, where users are not: probes, and copies of
//! users' requests.
//!
//! All of it happens beside users' traffic. A copy is made of what passes anyway, in bounded room;
//! sending it, waiting for its answer and reading it are work of another thread; whatever the
//! candidate does, hang, crash or flood, is seen there and nowhere else.

pub(crate) mod client;
pub(crate) mod copy;
pub(crate) mod mirror;
pub(crate) mod pair;
pub(crate) mod probe;
