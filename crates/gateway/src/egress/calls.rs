//! Calls of agents under way, so that they can be cut off when their caller or their tool is stopped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use lockgate_model::identity::Identity;
use lockgate_model::ids::ToolName;
use tokio_util::sync::CancellationToken;

use crate::egress::identity::Refused;
use crate::egress::listener::Egress;
use crate::egress::standing;
use crate::live::lock;

/// A call of somebody to a tool.
#[derive(Debug)]
struct Call {
    identity: Identity,
    tool: ToolName,
    /// For which user, once that is known.
    user: Option<u64>,
    cut: CancellationToken,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    under_way: Mutex<HashMap<u64, Call>>,
    last: AtomicU64,
}

impl Calls {
    /// A call begins. Whoever stops something changes the picture first and cuts then, so a call that looks at the
    /// picture after this is either cut or sees it.
    pub(crate) fn enter(self: &Arc<Self>, identity: &Identity, tool: &ToolName) -> UnderWay {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        let cut = CancellationToken::new();
        let call =
            Call { identity: identity.clone(), tool: tool.clone(), user: None, cut: cut.clone() };
        lock(&self.under_way).insert(id, call);
        UnderWay { calls: Arc::clone(self), id, cut }
    }

    /// Cuts those that are stopped by now.
    pub(crate) fn cut(&self, is_stopped: impl Fn(&Identity, &ToolName, Option<u64>) -> bool) {
        for call in lock(&self.under_way).values() {
            if is_stopped(&call.identity, &call.tool, call.user) {
                call.cut.cancel();
            }
        }
    }
}

/// A call's place among them, for as long as it lasts.
#[derive(Debug)]
pub(crate) struct UnderWay {
    calls: Arc<Calls>,
    id: u64,
    /// Cancelled when it is cut off.
    pub(crate) cut: CancellationToken,
}

/// A call of somebody begins who may still call.
pub(crate) fn begin(
    egress: &Egress,
    identity: &Identity,
    tool: &ToolName,
) -> Result<Arc<UnderWay>, Refused> {
    let under_way = egress.core.calls.enter(identity, tool);
    // Once more, as it may have been stopped before it was there to be cut.
    standing::admit(egress, identity)?;
    Ok(Arc::new(under_way))
}

impl UnderWay {
    /// What comes of the work, unless the call is cut off.
    pub(crate) async fn unless_cut<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.cut.run_until_cancelled(work).await
    }

    /// It is for this user.
    pub(crate) fn is_for(&self, user: Option<u64>) {
        if let Some(call) = lock(&self.calls.under_way).get_mut(&self.id) {
            call.user = user;
        }
    }

    /// It is refused already: whoever cuts off the others lets its answer through.
    pub(crate) fn is_refused(&self) {
        lock(&self.calls.under_way).remove(&self.id);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.calls.under_way).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::identity::somebody;

    #[test]
    fn a_call_is_cut_as_long_as_it_lasts_and_leaves_nothing_behind() {
        let calls = Arc::new(Calls::default());
        let identity = somebody("a", "v1");
        let (files, mail) = ("files".parse().unwrap(), "mail".parse().unwrap());
        let first = calls.enter(&identity, &files);
        let second = calls.enter(&identity, &mail);
        calls.cut(|_, tool, _| *tool == files);
        assert!(first.cut.is_cancelled() && !second.cut.is_cancelled());
        let third = calls.enter(&identity, &mail);
        third.is_for(Some(7));
        calls.cut(|_, _, user| user == Some(7));
        assert!(third.cut.is_cancelled() && !second.cut.is_cancelled());
        drop(third);
        drop((first, second));
        assert!(lock(&calls.under_way).is_empty());
    }
}
