//! Asks a forge what it enforces on a branch. Within bounds of time, pages and bytes, at one host, and nowhere else.
//!
//! Not here: what the answers come to (`lockgate_readiness::forge`). Whatever is not answered is unknown, with what
//! would change that.

mod api;
mod azure_devops;
mod github;
mod gitlab;
mod token;

use lockgate_readiness::forge::{About, Answer, Forge, Kind, Said};
use reqwest::Url;

use self::api::{Api, Refusal, Reply};
pub use self::token::{InvalidToken, Token};

/// Which repository is asked about, where, and as whom.
#[derive(Debug, Clone)]
pub struct Question {
    /// Which forge.
    pub kind: Kind,
    /// `owner/name`; of GitLab with all groups; of Azure DevOps `organization/project/name`.
    pub repository: String,
    /// The root of its API; none for the forge's own.
    pub url: Option<Url>,
    /// Who asks; none for what anybody may see.
    pub token: Option<Token>,
}

/// Why nothing is asked.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// No name of a repository of this forge.
    #[error("`{repository}` is no repository of {}: it is written `{form}`", kind.words())]
    Repository {
        /// Which forge.
        kind: Kind,
        /// What was written.
        repository: String,
        /// How it is written.
        form: &'static str,
    },
    /// No address to which a token may be sent.
    #[error("the address of the forge {0}")]
    Url(&'static str),
    /// HTTP cannot be prepared.
    #[error("cannot prepare HTTP: {0}")]
    Http(String),
}

/// Asks. The answers hold nothing of the token.
pub async fn forge(question: &Question) -> Result<Forge, ForgeError> {
    let parts = parts(question)?;
    let api = Api::new(question)?;
    Ok(match (question.kind, parts.as_slice()) {
        (Kind::Github, [owner, name]) => github::ask(&api, owner, name).await,
        (Kind::AzureDevops, [organization, project, name]) => {
            azure_devops::ask(&api, organization, project, name).await
        }
        _ => gitlab::ask(&api, &question.repository).await,
    })
}

/// The parts of a repository's name.
fn parts(question: &Question) -> Result<Vec<&str>, ForgeError> {
    let Question { kind, repository, .. } = question;
    let parts: Vec<&str> = repository.split('/').collect();
    let (form, fits) = match kind {
        Kind::Github => ("owner/name", parts.len() == 2),
        Kind::Gitlab => ("group/name", (2..=20).contains(&parts.len())),
        Kind::AzureDevops => ("organization/project/name", parts.len() == 3),
    };
    let is_part = |part: &&str| {
        let may = |c: char| {
            c.is_alphanumeric()
                || matches!(c, '.' | '_' | '-')
                || c == ' ' && *kind == Kind::AzureDevops
        };
        !part.is_empty()
            && part.len() <= 128
            && !matches!(*part, "." | "..")
            && part.chars().all(may)
    };
    if fits && parts.iter().all(is_part) {
        return Ok(parts);
    }
    Err(ForgeError::Repository { kind: *kind, repository: repository.clone(), form })
}

impl Reply {
    /// As evidence. `grant`: what a token must have that is refused.
    fn answer(self, api: &Api, about: About, grant: &str) -> Answer {
        let said = match self.said {
            Ok(value) => Said::Json(serde_json::to_string_pretty(&value).unwrap_or_default()),
            Err(refusal) => Said::Unknown(self::refused(api, &self.path, &refusal, grant)),
        };
        Answer { about, path: self.path, said, whole: self.whole }
    }
}

/// Why it is not known, and what to do about it.
fn refused(api: &Api, path: &str, refusal: &Refusal, grant: &str) -> String {
    let forge = api.kind.words();
    let status = match refusal {
        Refusal::Status { status, .. } => *status,
        Refusal::Why(why) => return format!("{forge}, asked for {path}, {why}"),
    };
    let with = format!("`--token env:NAME` with {grant}");
    match status {
        401 | 403 | 404 if !api.has_token() => {
            format!("{forge} answered {status} to {path}, asked without a token: give {with}")
        }
        401 => format!("{forge} does not accept the token: give {with}"),
        403 => format!("{forge} answered 403 to {path}: the token needs {grant}"),
        404 => format!(
            "{forge} answered 404 to {path}: it is not there, or the token may not see it and needs {grant}"
        ),
        500.. => format!("{forge} answered {status} to {path}: ask again later"),
        300..=399 => format!(
            "{forge} answered {status} to {path}, which leads to another host, where nothing is asked: name the right one with `--forge-url`, and give {with}"
        ),
        _ => format!("{forge} answered {status} to {path}"),
    }
}
