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

/// Programs that only start another one.
const STARTERS: [&str; 6] = ["env", "tini", "dumb-init", "catatonit", "docker-init", "gosu"];

/// Whether the image runs what it is given: the runner hands the script to its entrypoint.
pub(super) fn by_image(image: Option<&Node>) -> Blocking {
    let entrypoint = image.and_then(|image| image.get("entrypoint"));
    let words = entrypoint.map(Node::texts).unwrap_or_default();
    let program = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let is_own = |word: &&&str| word.starts_with('-') || word.contains('=');
    let mut rest = words.as_slice();
    while let Some((first, more)) = rest.split_first()
        && STARTERS.contains(&program(first).as_str())
    {
        rest = &more[more.iter().take_while(is_own).count()..];
    }
    let runs_script = match rest {
        [] | [""] => true,
        // A script of its own behind `-c` is what such a shell runs.
        [first, more @ ..] => {
            matches!(program(first).as_str(), "sh" | "bash" | "dash" | "ash" | "busybox")
                && more.iter().all(|word| word.starts_with('-') || *word == "sh")
        }
    };
    if runs_script {
        return Blocking::Yes;
    }
    Blocking::Unsure(format!(
        "the entrypoint `{}` of its image may run no script: leave it out, or name a shell",
        crate::finding::excerpt(&words.join(" "))
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
    let inner = shell::dir_after(&script.text, script.options, &script.vars)?;
    join(script.dir.as_deref()?, &inner)
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
