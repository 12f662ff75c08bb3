//! Whether whoever calls may still do so, and whether anything is forwarded at all.

use lockgate_model::identity::Identity;

use crate::clock;
use crate::egress::identity::Refused;
use crate::egress::known::Server;
use crate::egress::listener::Egress;
use crate::egress::refusal::Why;

/// Whether it is somebody who may call at all, now, as are those whom it calls for.
pub(crate) fn admit(egress: &Egress, identity: &Identity) -> Result<(), Refused> {
    alone(egress, identity)?;
    for giver in identity.givers() {
        alone(egress, giver).map_err(|_| Refused::GiverGone)?;
    }
    Ok(())
}

fn alone(egress: &Egress, identity: &Identity) -> Result<(), Refused> {
    let core = &egress.core;
    core.table.load().known.admit(identity, &core.outside)?;
    if core.latches.bars_calls(&identity.agent, &identity.version) {
        return Err(Refused::CutOff);
    }
    Ok(())
}

/// Whether somebody, for themselves, may do anything at all: neither revoked nor stopped by order.
pub(crate) fn may_act(egress: &Egress, identity: &Identity) -> bool {
    let stopped = |one: &Identity| {
        let table = egress.core.table.load();
        table.quarantined.calls().or_else(|| table.quarantined.version(&one.agent, &one.version))
    };
    alone(egress, identity).is_ok() && stopped(identity).is_none()
}

/// Whether nothing further may pass: an answer can be older than what forbids it.
pub(crate) fn is_gone(egress: &Egress, identity: &Identity) -> bool {
    clock::wall_ms().div_euclid(1_000) >= identity.expires_wall_s
        || admit(egress, identity).is_err()
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

/// Which order stops a caller or a tool.
pub(crate) fn stopped(egress: &Egress, identity: &Identity, server: &Server) -> Option<Why> {
    let table = egress.core.table.load();
    let order = table.quarantined.call(identity, &server.name)?;
    Some(Why::unrecorded(format!("{} is stopped by order {}", order.what, order.id)))
}
