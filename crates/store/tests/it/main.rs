//! One conformance suite for every backend. A backend names a function that opens an empty
//! database; what only it can show stands beside the suite.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod approvals;
mod charges;
mod configuration;
mod corrections;
mod drift;
mod durability;
mod exchange;
mod identities;
mod inbox;
mod limits;
mod measurements;
mod outbox;
mod paths;
mod people;
mod retention;
mod rollouts;
mod sqlite;
mod suggestions;
mod value;
mod world;

/// Runs every case of the suite against databases that `$open` gives. `$open` is an async
/// function without arguments that returns a [`world::Database`].
macro_rules! conformance {
    ($open:path: $($module:ident::{$($case:ident),+ $(,)?})+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::$module::$case(&$open().await).await;
            }
        )+)+
    };
}
pub(crate) use conformance;
