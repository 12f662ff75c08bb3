//! `buildkite-agent pipeline upload`: files of the repository are followed, what is made when it runs is not.

use std::collections::BTreeMap;

use super::super::Script;
use super::step::Around;
use super::{Reader, UPLOADS_MAX, parsed};
use crate::finding::Place;
use crate::shell::{self, Blocking, Command, Options};
use crate::tree::{Contents, Tree, has_end, join};

/// Scripts that run scripts that upload.
const SCRIPTS_MAX: usize = 3;

/// Something that a step uploads.
pub(super) struct Upload {
    place: Place,
    /// `None` for what is made when it runs.
    file: Option<String>,
    blocking: Blocking,
}

impl Reader<'_> {
    /// What a script uploads, itself or by scripts of the repository.
    pub(super) fn uploads(
        &self,
        script: &Script,
        place: Place,
        around: &Around<'_>,
    ) -> Vec<Upload> {
        let mut all = Vec::new();
        if around.runs.possible().next().is_some() {
            let commands = shell::commands(&script.text, script.options, &script.vars);
            found(self.tree, &commands, script.dir.as_deref(), place, 0, &mut all);
        }
        all
    }

    pub(super) fn follow(&mut self, upload: &Upload, around: &Around<'_>) {
        // Whether it is uploaded may be unsure; when it is, its steps fail as they say.
        let blocking = match upload.blocking {
            Blocking::Unsure(_) => around.blocking.and(&upload.blocking),
            _ => around.blocking.clone(),
        };
        let why = match &upload.file {
            None => "what is uploaded here is made when it runs".to_owned(),
            Some(file) if self.files.iter().filter(|known| *known == file).count() > 1 => return,
            Some(file) if self.files.len() >= UPLOADS_MAX => {
                format!("`{file}` is uploaded, and more files than are followed before it")
            }
            Some(file) => match parsed(self.tree, file) {
                Ok(Some(root)) => {
                    self.pipeline(file, &root, &around.runs, &blocking);
                    return;
                }
                Ok(None) => return,
                Err((_, why)) => format!("the uploaded file `{file}` {why}"),
            },
        };
        self.opaque(around.file, upload.place, &around.runs, &blocking, why);
    }
}

fn found(
    tree: &Tree,
    commands: &[Command],
    dir: Option<&str>,
    place: Place,
    depth: usize,
    all: &mut Vec<Upload>,
) {
    for (at, command) in commands.iter().enumerate() {
        let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
        let here = dir.zip(command.dir.as_deref()).and_then(|(base, dir)| join(base, dir));
        if let ["buildkite-agent", "pipeline", "upload", rest @ ..] = words.as_slice() {
            let file = rest.iter().find(|word| !word.starts_with('-'));
            let file = match file {
                Some(file) => join(here.as_deref().unwrap_or_default(), file)
                    .filter(|_| !file.contains(shell::UNKNOWN)),
                // `cat FILE | buildkite-agent pipeline upload`
                None => at.checked_sub(1).and_then(|before| shown(&commands[before])),
            };
            all.push(Upload { place, file, blocking: command.blocking.clone() });
            continue;
        }
        let script = match words.as_slice() {
            ["bash" | "sh" | "source" | ".", path, ..] | [path, ..] => *path,
            [] => continue,
        };
        let path = here.as_deref().and_then(|dir| join(dir, script));
        if let Some(path) = path.filter(|_| script.contains('/') && depth < SCRIPTS_MAX)
            && let Some(Contents::Text(text)) = tree.contents(&path)
            && text.contains("pipeline upload")
        {
            let options = Options { errexit: true, pipefail: false };
            let inner = shell::commands(text, options, &BTreeMap::new());
            found(tree, &inner, Some(""), place, depth + 1, all);
        }
    }
}

/// The file that `cat` shows.
fn shown(command: &Command) -> Option<String> {
    match command.words.as_slice() {
        [cat, file] if cat.text == "cat" && file.is_fixed() => join("", &file.text),
        _ => None,
    }
}

/// Files whose uploading a text speaks of, in the order in which they stand there.
pub(super) fn mentioned(tree: &Tree, text: &str) -> Vec<String> {
    let uploads = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    uploads
        .filter_map(|line| line.split_once("pipeline upload"))
        .flat_map(|(before, after)| before.split_whitespace().chain(after.split_whitespace()))
        .map(|word| word.trim_matches(['"', '\'', ']', ',', '<']))
        .filter(|word| ["yml", "yaml", "json"].iter().any(|end| has_end(word, end)))
        .filter_map(|word| join("", word))
        .filter(|path| tree.has(path))
        .collect()
}
