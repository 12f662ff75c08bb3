//! Whether whoever calls may still do so, and whether anything is forwarded at all.

use lockgate_model::identity::Identity;

use crate::clock;
use crate::egress::known::Server;
use crate::egress::listener::Egress;
use crate::egress::refusal::Why;

/// Whether nothing further may pass: an answer can be older than what forbids it.
pub(crate) fn is_gone(egress: &Egress, identity: &Identity) -> bool {
    let table = egress.core.table.load();
    clock::wall_ms().div_euclid(1_000) >= identity.expires_wall_s
        || table.known.admit(identity).is_err()
        || egress.closed().is_some()
}

/// Why nothing is forwarded to a server at the moment.
pub(crate) fn closed(egress: &Egress, server: &Server) -> Option<Why> {
    if let Some(why) = egress.closed() {
        return Some(Why::unrecorded(why));
    }
    server.credential().err().map(|_| {
        Why::unrecorded("the credential for the tool's server is not there; see Lockgate's log")
    })
}
