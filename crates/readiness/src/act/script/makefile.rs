//! Targets and variables of a Makefile.

use std::collections::BTreeMap;

use crate::shell::UNKNOWN;
use crate::tree::{Tree, join};

/// Longest line that variables make.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// Most files that include each other.
const FILES_MAX: usize = 50;

/// Most lines and needs of all targets together; those of one rule are those of each target that it names.
const ENTRIES_MAX: usize = 200_000;

/// Bytes of a line that count as one more.
const ENTRY_BYTES: usize = 128;

/// Variables in variables.
const ROUNDS_MAX: usize = 3;

#[derive(Debug, Default)]
pub(in crate::act) struct Target {
    pub(super) needs: Vec<String>,
    pub(super) recipe: Vec<String>,
    /// Where it stands.
    pub(super) file: String,
    pub(super) line: usize,
    /// It stands under a condition.
    pub(super) doubtful: bool,
}

#[derive(Debug, Default)]
pub(in crate::act) struct Makefile {
    pub(super) targets: BTreeMap<String, Target>,
    /// What is made when nothing is asked for.
    pub(super) first: Option<String>,
    pub(super) vars: BTreeMap<String, String>,
    /// Targets whose failures are ignored; empty for all.
    pub(super) ignored: Option<Vec<String>>,
    pub(super) one_shell: bool,
    /// Those that were read for it.
    files: Vec<String>,
    /// Lines and needs so far.
    entries: usize,
}

impl Makefile {
    /// Reads a file with those that it includes by names that stand there, seen from the directory in which make runs.
    pub(super) fn read(tree: &Tree, file: &str, dir: &str) -> Self {
        let mut all = Self::default();
        all.add(tree, file, dir);
        all
    }

    fn add(&mut self, tree: &Tree, file: &str, dir: &str) {
        if self.files.len() >= FILES_MAX || self.files.iter().any(|known| known == file) {
            return;
        }
        self.files.push(file.to_owned());
        let text = tree.text(file).unwrap_or_default();
        let mut open: Vec<String> = Vec::new();
        let (mut continued, mut conditions, mut defines) = (false, 0_usize, false);
        // The last recipe of a target is the one that counts.
        let mut fresh = false;
        for (i, line) in text.lines().enumerate() {
            if self.entries > ENTRIES_MAX {
                break;
            }
            let word = line.split_whitespace().next().unwrap_or_default();
            if defines {
                defines = word != "endef";
                continue;
            }
            if let Some(recipe) = line.strip_prefix('\t') {
                for name in &open {
                    if self.entries > ENTRIES_MAX {
                        break;
                    }
                    if fresh && let Some(target) = self.targets.get_mut(name) {
                        target.recipe.clear();
                    }
                    self.add_to_recipe(name, recipe.trim(), continued);
                }
                continued = line.trim_end().ends_with('\\');
                fresh = false;
                continue;
            }
            continued = false;
            match word {
                "define" => defines = !line.contains("endef"),
                "ifeq" | "ifneq" | "ifdef" | "ifndef" => conditions += 1,
                "endif" => conditions = conditions.saturating_sub(1),
                "else" | "" => {}
                _ if word.starts_with('#') => {}
                "include" | "-include" | "sinclude" => {
                    open.clear();
                    for name in line.split_whitespace().skip(1).take_while(|name| *name != "#") {
                        let name = name.trim_start_matches("$(CURDIR)/");
                        if let Some(path) = join(dir, name).filter(|path| tree.has(path)) {
                            self.add(tree, &path, dir);
                        }
                    }
                }
                _ if self.assign(line) => open.clear(),
                _ => {
                    open = self.rule(line, (file, i), conditions > 0);
                    fresh = !line.contains(';');
                }
            }
        }
        if self.entries > ENTRIES_MAX {
            // What the rest makes of the targets is not known.
            self.targets.values_mut().for_each(|target| target.doubtful = true);
        }
    }

    fn add_to_recipe(&mut self, name: &str, line: &str, continued: bool) {
        let Some(target) = self.targets.get_mut(name) else { return };
        self.entries += 1 + line.len() / ENTRY_BYTES;
        match target.recipe.last_mut().filter(|_| continued) {
            Some(last) => {
                last.truncate(last.trim_end().trim_end_matches('\\').len());
                last.push(' ');
                last.push_str(line);
            }
            None => target.recipe.push(line.to_owned()),
        }
    }

    /// Takes `NAME = value` and its like.
    fn assign(&mut self, line: &str) -> bool {
        let line = line.trim_start_matches("export ").trim_start_matches("override ");
        let Some((name, value)) = line.split_once('=') else { return false };
        let adds = name.ends_with('+');
        let name = name.trim_end_matches([':', '?', '+', '!']).trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '-';
        if name.is_empty() || !name.chars().all(is_name) {
            return false;
        }
        let value = value.split(" #").next().unwrap_or_default().trim();
        match self.vars.get_mut(name).filter(|_| adds) {
            Some(known) if known.len() < LINE_BYTES_MAX => {
                known.push(' ');
                known.push_str(value);
            }
            _ => _ = self.vars.insert(name.to_owned(), value.to_owned()),
        }
        true
    }

    /// Takes `target: needs`, and gives the targets whose recipe follows.
    fn rule(&mut self, line: &str, at: (&str, usize), doubtful: bool) -> Vec<String> {
        let Some((names, needs)) = line.split_once(':') else { return Vec::new() };
        let needs = needs.trim_start_matches(':');
        // `target: NAME = value` is a variable of that target.
        if needs.contains('=') && !needs.contains(';') {
            return Vec::new();
        }
        let (needs, recipe) = needs.split_once(';').map_or((needs, None), |(n, r)| (n, Some(r)));
        let needs = needs.split('#').next().unwrap_or_default();
        let needs: Vec<String> = needs.split_whitespace().map(str::to_owned).collect();
        let mut open = Vec::new();
        for name in names.split_whitespace() {
            self.entries += needs.len();
            if self.entries > ENTRIES_MAX {
                break;
            }
            match name {
                ".IGNORE" => self.ignored.get_or_insert_default().extend(needs.clone()),
                ".ONESHELL" => self.one_shell = true,
                _ if name.starts_with('.') && !name.contains('/') => {}
                _ => {
                    self.first.get_or_insert_with(|| name.to_owned());
                    let target = self.targets.entry(name.to_owned()).or_insert_with(|| Target {
                        file: at.0.to_owned(),
                        line: at.1,
                        ..Target::default()
                    });
                    target.needs.extend(needs.iter().cloned());
                    target.doubtful |= doubtful;
                    if let Some(recipe) = recipe {
                        target.recipe = vec![recipe.trim().to_owned()];
                    }
                    open.push(name.to_owned());
                }
            }
        }
        open
    }
}

/// A line with the values of the variables that occur in it. Values may hold names again; functions of make are not known.
pub(super) fn expanded(line: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut line = line.to_owned();
    for _ in 0..ROUNDS_MAX {
        let next = once(&line, value);
        if next == line {
            break;
        }
        line = next;
    }
    line
}

fn once(line: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push_str("$$");
            rest = after;
            continue;
        }
        let close = match rest.chars().next() {
            Some('(') => ')',
            Some('{') => '}',
            _ => {
                out.push('$');
                continue;
            }
        };
        let Some(end) = rest.find(close) else {
            out.push('$');
            continue;
        };
        let name = &rest[1..end];
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        match value(name) {
            Some(text) if plain && out.len() + text.len() < LINE_BYTES_MAX => out.push_str(&text),
            // A variable that the file does not know is empty, unless the environment has it.
            _ => out.push(UNKNOWN),
        }
        rest = &rest[end + 1..];
    }
    out + rest
}
