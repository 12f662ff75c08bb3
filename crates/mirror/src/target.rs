//! Where a copy goes.

use std::fmt;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, parse_url_opts};
use url::Url;

/// A place in an object store.
#[derive(Debug, Clone)]
pub struct Target {
    pub(crate) store: Arc<dyn ObjectStore>,
    prefix: Path,
    name: String,
}

/// Why a place cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The URL is none of ours.
    #[error("`{url}` is not a place for a copy: {why}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The store cannot be used like this.
    #[error("cannot use {url}: {why}")]
    Store {
        /// As it was given.
        url: String,
        /// The store's words.
        why: String,
    },
}

impl Target {
    /// Reads `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///directory`. Credentials, region and endpoint come from
    /// these variables of the environment: those that begin with `AWS_`, `GOOGLE_` or `AZURE_`.
    pub fn parse(
        url: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, TargetError> {
        let wrong = |why: &str| TargetError::Url { url: url.to_owned(), why: why.to_owned() };
        let failed = |why: String| TargetError::Store { url: url.to_owned(), why };
        let parsed = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(wrong("it holds credentials; they belong into the environment"));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(wrong("it has a query or a fragment"));
        }
        let variables = match parsed.scheme() {
            "s3" => "AWS_",
            "gs" => "GOOGLE_",
            "az" => "AZURE_",
            "file" => return Self::directory(&parsed, url),
            _ => return Err(wrong("it begins with none of s3://, gs://, az:// and file://")),
        };
        // An error says that the process has chosen a provider already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = environment.into_iter().filter(|(name, _)| name.starts_with(variables));
        let (store, prefix) =
            parse_url_opts(&parsed, options).map_err(|error| failed(error.to_string()))?;
        Ok(Self::new(Arc::from(store), prefix, url))
    }

    fn directory(parsed: &Url, url: &str) -> Result<Self, TargetError> {
        let failed = |why: String| TargetError::Store { url: url.to_owned(), why };
        let path = parsed.to_file_path().map_err(|()| TargetError::Url {
            url: url.to_owned(),
            why: "it is not an absolute path".to_owned(),
        })?;
        std::fs::create_dir_all(&path).map_err(|error| failed(error.to_string()))?;
        let store =
            LocalFileSystem::new_with_prefix(path).map_err(|error| failed(error.to_string()))?;
        Ok(Self::new(Arc::new(store.with_fsync(true)), Path::default(), url))
    }

    /// A place in a store that is open already.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Path, name: &str) -> Self {
        Self { store, prefix, name: name.to_owned() }
    }

    pub(crate) fn path(&self, name: &str) -> Path {
        let parts = self.prefix.parts().chain(name.split('/').map(Into::into));
        parts.collect()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
