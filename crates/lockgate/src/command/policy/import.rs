//! `lockgate policy import FILE…`

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use lockgate_model::config::Diagnostic;
use lockgate_policy::{ActionName, ArgumentName, Importing, ToolName, import};
use serde_json::json;

use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output::{self, Format};
use crate::text_file;

/// The largest file.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Imports policies of the Agent Governance Toolkit.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The files to import, YAML or JSON
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The tool that their actions belong to, as lockgate.yaml calls it
    #[arg(long, value_name = "NAME", value_parser = tool)]
    tool: ToolName,
    /// An action of the tool that no condition names; may be repeated
    #[arg(long = "action", value_name = "NAME", value_parser = action)]
    actions: Vec<ActionName>,
    /// A field of theirs that is an argument of the action; may be repeated
    #[arg(long = "argument", value_name = "FIELD=NAME", value_parser = argument)]
    arguments: Vec<(String, ArgumentName)>,
    /// Where to write the policy file, which must not exist; standard output when left out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const NAME: &str = "a name has letters, digits, `_`, `-` and `.`";

fn tool(text: &str) -> Result<ToolName, String> {
    ToolName::new(text).ok_or_else(|| NAME.to_owned())
}

fn action(text: &str) -> Result<ActionName, String> {
    ActionName::new(text).ok_or_else(|| NAME.to_owned())
}

fn argument(text: &str) -> Result<(String, ArgumentName), String> {
    let (field, name) = text.split_once('=').ok_or("write FIELD=NAME")?;
    Ok((field.to_owned(), ArgumentName::new(name).ok_or(NAME)?))
}

impl Import {
    pub(crate) fn run(self, format: Format) -> CliResult {
        let mut files = Vec::new();
        for path in &self.files {
            files.push((path.display().to_string(), text_file::read(path, BYTES_MAX)?));
        }
        let borrowed: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let arguments: BTreeMap<String, ArgumentName> = self.arguments.into_iter().collect();
        let importing = Importing { tool: self.tool, actions: self.actions, arguments };
        let imported = match import(&borrowed, &importing) {
            Ok(imported) => imported,
            Err(errors) => {
                output::note(format!("{errors}\n"));
                return Err(CliError::usage("nothing is imported")
                    .hint("what cannot be carried over is named above with its place; docs/policy.md says what can"));
            }
        };
        let differences: Vec<Diagnostic> = imported.differences.iter().cloned().collect();
        if format == Format::Text {
            differences.iter().for_each(output::note);
        }
        match (&self.out, format) {
            (Some(path), _) => {
                let doing = || format!("cannot write {}", path.display());
                let mut file = File::create_new(path)
                    .or_exit(Exit::Usage, doing())
                    .map_err(|error| error.hint("name a file that does not exist yet"))?;
                file.write_all(imported.yaml.as_bytes()).or_exit(Exit::Usage, doing())?;
            }
            (None, Format::Text) => output::print_exact(&imported.yaml)?,
            (None, _) => {}
        }
        if format != Format::Text {
            output::print_json(&json!({ "yaml": imported.yaml, "differences": differences }))?;
        }
        Ok(Exit::Done)
    }
}
