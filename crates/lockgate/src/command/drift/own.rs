//! What a server has in force beside what the checkout has.

use std::path::Path;

use lockgate_model::config::{self, Config, Source};
use lockgate_model::drift::{Root, RootKind};
use lockgate_readiness::drift::{own, unknown};
use serde_json::Value;

use super::asked::{Checkout, Directory};
use crate::client::{self, Client};
use crate::error::{CliError, CliResult};
use crate::{config_file, policy_files};

/// What the checkout has of Lockgate itself.
#[derive(Debug)]
pub(super) struct Own {
    configuration: Option<(Directory, Config)>,
    /// The digest of the policies.
    policies: Option<(Directory, String)>,
}

impl Own {
    /// Reads it; what is wrong with it is an error of whoever wrote it.
    pub(super) fn read(
        checkout: &Checkout,
        file: Option<&Path>,
        policies: Option<&Path>,
    ) -> CliResult<Self> {
        let configuration = file.map(|file| {
            let found = checkout.within(file)?;
            let read = config_file::read(&found.path)?;
            Ok::<_, CliError>((found, read.config))
        });
        let policies = policies.map(|directory| {
            let found = checkout.within(directory)?;
            let bundle = policy_files::read(&found.path)?;
            Ok::<_, CliError>((found, bundle.digest.as_str().to_owned()))
        });
        Ok(Self { configuration: configuration.transpose()?, policies: policies.transpose()? })
    }

    pub(super) fn count(&self) -> usize {
        usize::from(self.configuration.is_some()) + usize::from(self.policies.is_some())
    }

    /// Compares it. A server that cannot be asked leaves it unknown.
    pub(super) async fn compare(&self, client: &Client) -> Vec<Root> {
        let mut roots = Vec::new();
        if let Some((file, written)) = &self.configuration {
            roots.push(match in_force(client).await {
                Ok(in_force) => own::configuration(&file.name, &config::diff(&in_force, written)),
                Err(error) => unknown(RootKind::Lockgate, &file.name, told(&error)),
            });
        }
        if let Some((directory, written)) = &self.policies {
            roots.push(match client.get(&["policy"]).await {
                Ok(body) => {
                    let in_force = body.get("digest").and_then(Value::as_str);
                    own::policies(&directory.name, in_force, written)
                }
                Err(error) => unknown(RootKind::Policies, &directory.name, told(&error)),
            });
        }
        roots
    }
}

/// The configuration that the server has in force, as this program reads it.
async fn in_force(client: &Client) -> CliResult<Config> {
    let body = client.get(&["config"]).await?;
    let of = |key: &str| body.get(key).cloned().unwrap_or_default();
    let source = Source { text: client::typed(&of("text"))?, files: client::typed(&of("files"))? };
    config::read_with("what is in force", &source).map_err(|_| {
        CliError::usage(
            "this program cannot read what the server has in force: are they of the same version?",
        )
    })
}

fn told(error: &CliError) -> String {
    format!("{:#}", error.source)
}
