//! Secrets, looked up where configuration says they are. Values stay in memory; no store or log sees them.

use anyhow::{Context as _, ensure};
use lockgate_model::config::{Config, SecretRef};
use lockgate_model::ports::{PortError, Secrets};

/// Environment and files of this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings;

impl Secrets for Surroundings {
    fn look_up(&self, reference: &SecretRef) -> Result<String, PortError> {
        look_up(reference).map_err(|error| PortError::new(format!("{error:#}")))
    }
}

/// The value of a secret.
pub(crate) fn look_up(reference: &SecretRef) -> anyhow::Result<String> {
    let text = match reference {
        SecretRef::Env(name) => {
            std::env::var(name).with_context(|| format!("{reference} is not set"))?
        }
        SecretRef::File(path) => {
            std::fs::read_to_string(path).with_context(|| format!("{reference} cannot be read"))?
        }
    };
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    ensure!(!text.is_empty(), "{reference} is empty");
    Ok(text)
}

/// What is wrong with the credentials of tools.
pub(super) fn missing(config: &Config) -> impl Iterator<Item = String> {
    config.tools.iter().filter_map(|tool| {
        let error = look_up(&tool.credential.as_ref()?.value).err()?;
        Some(format!("tool `{}`: {error:#}", tool.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_loses_its_line_end_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let path = dir.path().join("secret");
        std::fs::write(&path, " s3cret \r\n").expect("the directory takes files");
        let reference = SecretRef::File(path.display().to_string());
        assert_eq!(look_up(&reference).expect("it is there"), " s3cret ");
        std::fs::write(&path, "\n").expect("the directory takes files");
        assert!(look_up(&reference).is_err());
    }
}
