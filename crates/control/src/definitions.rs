//! The configuration in force, parsed once per revision.

use lockgate_model::config::{self, Config};
use lockgate_store::{Store, StoreError};

/// Keeps the parsed form of the active configuration.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    current: Option<(i64, Config, String)>,
}

impl Definitions {
    /// Reads the active configuration when its revision has changed. Returns whether it has.
    pub(crate) async fn refresh(&mut self, store: &Store) -> Result<bool, StoreError> {
        let Some(record) = store.active_config().await? else {
            return Ok(false);
        };
        // Who made it active may have been forgotten since.
        let is_same = |(revision, _, by): &(i64, Config, String)| {
            *revision == record.revision && *by == record.by
        };
        if self.current.as_ref().is_some_and(is_same) {
            return Ok(false);
        }
        match config::read_with("active configuration", &record.source) {
            Ok(config) => {
                self.current = Some((record.revision, config, record.by));
                Ok(true)
            }
            // It was valid when it was activated; a newer program may read it differently.
            Err(errors) => {
                tracing::error!(%errors, "the active configuration is not valid any more; kept the last one");
                Ok(false)
            }
        }
    }

    pub(crate) fn config(&self) -> Option<&Config> {
        self.active().map(|(config, _)| config)
    }

    /// The configuration, and who made it the active one.
    pub(crate) fn active(&self) -> Option<(&Config, &str)> {
        self.current.as_ref().map(|(_, config, by)| (config, by.as_str()))
    }
}
