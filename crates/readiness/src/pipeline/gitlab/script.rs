//! The lines of a job: all of them are one shell's, and each is shown where it stands.

use super::super::{Does, Occasions, Script, Step};
use super::rules::Variables;
use crate::shell::{self, Blocking, Options};
use crate::tree::{Tree, join};
use crate::yaml::Node;

/// Each line's status is looked at, as `set -e` does; pipes only with `set -o pipefail`, which the runner sets for bash.
const OPTIONS: Options = Options { errexit: true, pipefail: true };

/// What becomes of a line because of those around it.
enum Fate {
    AsItIs,
    /// None of its commands is come to.
    Never,
    Goes(Blocking),
}

/// Steps, one for each line.
pub(super) fn steps(
    tree: &Tree,
    lines: &[(&str, &Node)],
    variables: &Variables,
    runs: &Occasions,
    blocking: &Blocking,
) -> Vec<Step> {
    let mut dir = Some(String::new());
    let mut all = Vec::new();
    for ((file, line), fate) in lines.iter().zip(fates(lines, variables)) {
        let script = script(tree, file, line, variables, dir.clone());
        dir = after(&script);
        let (runs, blocking) = match fate {
            Fate::AsItIs => (runs.clone(), blocking.clone()),
            Fate::Never => (Occasions::never(), blocking.clone()),
            Fate::Goes(fate) => (runs.clone(), blocking.and(&fate)),
        };
        let does = Does::Script(script);
        all.push(Step { file: (*file).to_owned(), place: line.place, runs, blocking, does });
    }
    all
}

/// Whether the image runs what it is given: the runner hands the script to its entrypoint.
pub(super) fn by_image(image: Option<&Node>) -> Blocking {
    let entrypoint = image.and_then(|image| image.get("entrypoint"));
    let first = entrypoint.map(Node::texts).and_then(|words| words.first().copied());
    let program = first.unwrap_or_default().rsplit('/').next().unwrap_or_default();
    if matches!(program, "" | "sh" | "bash" | "dash" | "ash" | "env" | "tini" | "dumb-init") {
        return Blocking::Yes;
    }
    Blocking::Unsure(format!(
        "the entrypoint `{}` of its image may run no script: leave it out, or name a shell",
        crate::finding::excerpt(first.unwrap_or_default())
    ))
}

/// What the lines make of each other, such as by `set +e` and `exit`.
fn fates(lines: &[(&str, &Node)], variables: &Variables) -> Vec<Fate> {
    let texts: Vec<&str> =
        lines.iter().map(|(_, line)| line.text().unwrap_or_default().trim_end()).collect();
    let known = variables.known();
    let whole = shell::commands(&texts.join("\n"), OPTIONS, &known);
    let mut start = 0;
    let mut fate = |text: &&str| {
        let end = start + text.lines().count().max(1);
        let here = whole.iter().filter(|command| (start..end).contains(&command.line));
        let best = here.map(|command| &command.blocking).min().cloned();
        start = end;
        match best {
            // Too much to be read in one, or nothing at all.
            _ if whole.is_empty() => Fate::AsItIs,
            Some(best) => Fate::Goes(best),
            None if shell::commands(text, OPTIONS, &known).is_empty() => Fate::AsItIs,
            None => Fate::Never,
        }
    };
    texts.iter().map(&mut fate).collect()
}

/// The directory after a line.
pub(in super::super) fn after(script: &Script) -> Option<String> {
    let commands = shell::commands(&script.text, script.options, &script.vars);
    match commands.iter().rfind(|command| command.words[0].text == "cd") {
        Some(command) => join(script.dir.as_deref()?, command.dir.as_deref()?),
        None => script.dir.clone(),
    }
}

fn script(
    tree: &Tree,
    file: &str,
    line: &Node,
    variables: &Variables,
    dir: Option<String>,
) -> Script {
    Script {
        text: line.text().unwrap_or_default().to_owned(),
        line: line.lines_start(tree.text(file).unwrap_or_default()),
        literal: true,
        options: OPTIONS,
        vars: variables.known(),
        dir,
    }
}
