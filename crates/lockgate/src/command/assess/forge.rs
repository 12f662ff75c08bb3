//! Which forge is asked, and as whom.

use std::convert::Infallible;

use clap::{Args, ValueEnum};
use lockgate_collectors::{Checkout, ForgeError, Question, Token, forge};
use lockgate_model::config::{InvalidSecretRef, SecretRef};
use lockgate_readiness::forge::Kind;
use reqwest::Url;

use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::serve::secrets::look_up;

const TOKEN_HINT: &str =
    "write where it is found: `--token env:FORGE_TOKEN` or `--token file:/run/secrets/forge`";

#[derive(Debug, Args)]
#[command(next_help_heading = "Forge")]
pub(super) struct ForgeArgs {
    /// Ask the forge what it enforces on the main branch, too
    #[arg(long, value_enum, requires = "repository")]
    forge: Option<Name>,
    /// The repository there: `owner/name`, with all groups of GitLab, `organization/project/name` of Azure DevOps
    #[arg(long, value_name = "NAME", requires = "forge")]
    repository: Option<String>,
    /// Root of the forge's API when it is your own, such as `https://gitlab.acme.io/api/v4`
    #[arg(long, value_name = "URL", requires = "forge")]
    forge_url: Option<Url>,
    /// Where the forge's token is found, `env:NAME` or `file:PATH`; never the token itself
    #[arg(long, value_name = "WHERE", requires = "forge", value_parser = token_ref)]
    token: Option<TokenRef>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    Github,
    Gitlab,
    #[value(name = "azure_devops")]
    AzureDevops,
}

/// What is no reference may be the token itself: it is not kept, and so in no error.
#[derive(Debug, Clone)]
struct TokenRef(Result<SecretRef, InvalidSecretRef>);

#[expect(clippy::unnecessary_wraps, reason = "a parser of arguments may fail")]
fn token_ref(text: &str) -> Result<TokenRef, Infallible> {
    Ok(TokenRef(text.parse()))
}

impl ForgeArgs {
    pub(super) fn repository(&self) -> Option<&str> {
        self.repository.as_deref()
    }

    /// Adds what the forge says to what was found.
    pub(super) async fn ask(&self, found: &mut Checkout) -> CliResult<()> {
        let (Some(name), Some(repository)) = (self.forge, &self.repository) else { return Ok(()) };
        let kind = match name {
            Name::Github => Kind::Github,
            Name::Gitlab => Kind::Gitlab,
            Name::AzureDevops => Kind::AzureDevops,
        };
        let token = self.token.as_ref().map(token).transpose()?;
        let (repository, url) = (repository.clone(), self.forge_url.clone());
        let said = forge(&Question { kind, repository, url, token });
        let said = said.await.map_err(|error| refused(error, kind))?;
        if let (Some(there), Some(here)) = (&said.branch, &found.facts.main_branch)
            && there != here
        {
            let forge = kind.words();
            found.tree.notes.push(format!(
                "the main branch is `{there}` as {forge} says, and `{here}` as the checkout says; {forge} decides"
            ));
        }
        if said.branch.is_some() {
            found.facts.main_branch.clone_from(&said.branch);
        }
        found.facts.forge = Some(said);
        Ok(())
    }
}

fn token(TokenRef(reference): &TokenRef) -> CliResult<Token> {
    let reference = reference.clone().or_exit(Exit::Usage, "cannot use `--token`");
    let reference = reference.map_err(|error| error.hint(TOKEN_HINT))?;
    let text = look_up(&reference).or_exit(Exit::Usage, "cannot use `--token`");
    text.and_then(|text| Token::new(text).or_exit(Exit::Usage, format!("cannot use {reference}")))
        .map_err(|error| error.hint(TOKEN_HINT))
}

fn refused(error: ForgeError, kind: Kind) -> CliError {
    let exit = if matches!(error, ForgeError::Http(_)) { Exit::Failed } else { Exit::Usage };
    let (name, repository) = match kind {
        Kind::Github => ("github", "acme/shop"),
        Kind::Gitlab => ("gitlab", "acme/team/shop"),
        Kind::AzureDevops => ("azure_devops", "acme/project/shop"),
    };
    let error = CliError::new(exit, error).context("cannot ask the forge".to_owned());
    error.hint(format!("write `--forge {name} --repository {repository} --token env:FORGE_TOKEN`, and `--forge-url https://…` when the forge is your own"))
}
