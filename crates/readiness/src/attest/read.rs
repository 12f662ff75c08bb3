//! Reads what people wrote. An entry with anything wrong in it counts for nothing, and is told with its place.

use jiff::civil::Date;

use super::{Attestation, Entry, FILE, Said, Suppression};
use crate::catalog::{CATALOG, entry_of};
use crate::finding::{Place, excerpt, is_unseen};
use crate::path::catalog::{Step, step_of};
use crate::tree::{Contents, Tree};
use crate::yaml::{self, Node};

/// Most entries of a list.
const ENTRIES_MAX: usize = 200;

/// Most characters of a text.
const TEXT_CHARS_MAX: usize = 500;

/// Most errors that are told.
const ERRORS_MAX: usize = 20;

const SHAPE: &str = "write `attest:` and `suppress:`, each with a list of entries";
const ATTESTATION: &[&str] = &["check", "claim", "owner", "until", "link", "reason"];
const SUPPRESSION: &[&str] = &["check", "path", "reason", "until"];

impl Said {
    /// What the file of a tree says; nothing when there is none.
    pub(crate) fn read(tree: &Tree) -> Self {
        let mut reader = Reader::default();
        match tree.said() {
            Some(Contents::Text(text)) => match yaml::documents(text) {
                Ok(documents) => reader.documents(&documents),
                Err(unread) => reader.error(unread.place, &unread.why, SHAPE),
            },
            Some(_) => reader.error(Place::START, "is not read", "write it as UTF-8 text"),
            None if tree.has("lockgate.attest.yml") => {
                reader
                    .said
                    .errors
                    .push(format!("lockgate.attest.yml: is not read; hint: name it {FILE}"));
            }
            None => {}
        }
        reader.finish()
    }
}

#[derive(Default)]
struct Reader {
    said: Said,
    /// Errors that there was no room for.
    untold: usize,
}

impl Reader {
    fn error(&mut self, place: Place, why: &str, hint: &str) {
        if self.said.errors.len() == ERRORS_MAX {
            self.untold += 1;
            return;
        }
        let Place { line, column } = place;
        self.said.errors.push(format!("{FILE}:{line}:{column}: error: {why}; hint: {hint}"));
    }

    fn finish(mut self) -> Said {
        if self.untold > 0 {
            self.said.errors.push(format!("{FILE}: {} more errors", self.untold));
        }
        self.said
    }

    fn documents(&mut self, documents: &[Node]) {
        if let Some(second) = documents.get(1) {
            // Which of them was meant cannot be told.
            return self.error(second.place, "there is more than one document", SHAPE);
        }
        match documents.first() {
            Some(root) if root.is_list() => self.attestations(root),
            Some(root) if root.is_map() => self.lists(root),
            Some(root) if !root.is_null() => self.error(root.place, "is no list of entries", SHAPE),
            _ => {}
        }
    }

    fn lists(&mut self, root: &Node) {
        if !self.has_only(root, &["attest", "suppress"]) {
            return;
        }
        if let Some(list) = root.get("attest") {
            self.attestations(list);
        }
        if let Some(list) = root.get("suppress") {
            for node in self.items(list) {
                if let Some(entry) = self.suppression(node) {
                    self.said.suppressed.push(entry);
                }
            }
        }
    }

    fn items<'a>(&mut self, list: &'a Node) -> &'a [Node] {
        if !list.is_list() && !list.is_null() {
            self.error(list.place, "is no list", SHAPE);
        }
        let items = list.items();
        if let Some(node) = items.get(ENTRIES_MAX) {
            let why =
                format!("there are more than {ENTRIES_MAX} entries; the rest counts for nothing");
            self.error(node.place, &why, "remove those that have ended");
        }
        &items[..items.len().min(ENTRIES_MAX)]
    }

    fn attestations(&mut self, list: &Node) {
        for node in self.items(list) {
            let Some(entry) = self.attestation(node) else { continue };
            let before = self.said.attested.iter().find(|other| other.check == entry.check);
            if let Some(before) = before {
                let why =
                    format!("{} is attested on line {} already", entry.check, before.place.line);
                self.error(entry.place, &why, "keep one of the two");
            } else {
                self.said.attested.push(entry);
            }
        }
    }

    fn attestation(&mut self, node: &Node) -> Option<Entry<Attestation>> {
        if !self.has_only(node, ATTESTATION) {
            return None;
        }
        let check = self.check(node);
        let owner = self.text(node, "owner", "name who answers for it");
        let until = self.until(node);
        let link = self.link(node);
        let reason = self.optional(node, "reason");
        let said = Attestation { owner: owner?, link: link?, until: until?, reason: reason.ok()? };
        Some(Entry { check: check?, place: node.place, said })
    }

    fn suppression(&mut self, node: &Node) -> Option<Entry<Suppression>> {
        if !self.has_only(node, SUPPRESSION) {
            return None;
        }
        let check = self.check(node);
        let reason = self.text(node, "reason", "say why it is accepted");
        let until = self.until(node);
        let path = self.optional(node, "path");
        let said = Suppression { reason: reason?, until: until?, path: path.ok()? };
        let check = check?;
        if step_of(check).is_some() {
            let why = format!("{check} is a step of a path, which cannot be suppressed");
            self.error(node.place, &why, "attest it, or override it when a release starts");
            return None;
        }
        Some(Entry { check, place: node.place, said })
    }

    /// Whether a map has known keys only, each once.
    fn has_only(&mut self, node: &Node, known: &[&str]) -> bool {
        let all = format!("the keys are {}", known.join(", "));
        if !node.is_map() {
            self.error(node.place, "is no entry with keys", &all);
            return false;
        }
        let mut is_good = true;
        for (index, entry) in node.entries().iter().enumerate() {
            let key = excerpt(&entry.key);
            let why = if !known.contains(&entry.key.as_str()) {
                format!("there is no key `{key}`")
            } else if node.entries()[..index].iter().any(|other| other.key == entry.key) {
                format!("`{key}` is there twice")
            } else {
                continue;
            };
            self.error(entry.key_place, &why, &all);
            is_good = false;
        }
        is_good
    }

    fn check(&mut self, node: &Node) -> Option<&'static str> {
        let key = match (node.entry("check"), node.entry("claim")) {
            (Some(_), Some(claim)) => {
                self.error(claim.key_place, "`claim` is another word for `check`", "keep one");
                return None;
            }
            (None, Some(_)) => "claim",
            _ => "check",
        };
        let id = self.text(node, key, "name a check, such as `observability.escalation`")?;
        if let Some(entry) = entry_of(&id) {
            return Some(entry.id);
        }
        if let Some(step) = step_of(&id) {
            return self.step(node, key, step);
        }
        let place = node.get(key).map_or(node.place, |value| value.place);
        let near = CATALOG
            .iter()
            .map(|entry| (strsim::damerau_levenshtein(&id, entry.id), entry.id))
            .min()
            .filter(|(distance, _)| *distance <= 4);
        let hint = near.map_or_else(
            || "`lockgate assess --show all` lists the checks".to_owned(),
            |(_, near)| format!("did you mean `{near}`?"),
        );
        self.error(place, &format!("there is no check `{}`", excerpt(&id)), &hint);
        None
    }

    /// A step of a path counts where nobody but people can say it.
    fn step(&mut self, node: &Node, key: &str, step: &Step) -> Option<&'static str> {
        if step.is_attestable() {
            return Some(step.id);
        }
        let place = node.get(key).map_or(node.place, |value| value.place);
        let why =
            format!("{} is what the server sees by itself; a word counts for nothing", step.id);
        self.error(place, &why, "remove it");
        None
    }

    /// A text that has to be there.
    fn text(&mut self, node: &Node, key: &str, hint: &str) -> Option<String> {
        let Some(value) = node.get(key) else {
            self.error(node.place, &format!("`{key}` is missing"), hint);
            return None;
        };
        // Folded and indented lines are one text.
        let text = value.text().unwrap_or_default();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            self.error(value.place, &format!("`{key}` is no text"), hint);
            return None;
        }
        if text.chars().count() > TEXT_CHARS_MAX
            || text.chars().any(|c| c.is_control() || is_unseen(c))
        {
            let why = format!(
                "`{key}` has more than {TEXT_CHARS_MAX} characters, or some that cannot be seen"
            );
            self.error(value.place, &why, hint);
            return None;
        }
        Some(text)
    }

    fn optional(&mut self, node: &Node, key: &str) -> Result<Option<String>, ()> {
        if node.get(key).is_none() {
            return Ok(None);
        }
        self.text(node, key, "write it, or leave the key out").map(Some).ok_or(())
    }

    fn until(&mut self, node: &Node) -> Option<Date> {
        const HINT: &str = "write the last day on which it counts, such as 2030-12-31";
        let text = self.text(node, "until", HINT)?;
        let date = is_day(&text).then(|| text.parse().ok()).flatten();
        if date.is_none() {
            let place = node.get("until").map_or(node.place, |value| value.place);
            self.error(place, &format!("`{}` is no day", excerpt(&text)), HINT);
        }
        date
    }

    fn link(&mut self, node: &Node) -> Option<String> {
        const HINT: &str =
            "write where it can be looked up, such as https://wiki.example.org/alerts";
        let text = self.text(node, "link", HINT)?;
        if is_link(&text) {
            return Some(text);
        }
        let place = node.get("link").map_or(node.place, |value| value.place);
        self.error(place, "`link` is no http or https URL without a user", HINT);
        None
    }
}

/// Whether a text is written as YYYY-MM-DD; whether there is such a day is another question.
fn is_day(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, b)| if matches!(at, 4 | 7) { b == b'-' } else { b.is_ascii_digit() })
}

/// Whether a text is an http or https URL without a user.
pub(crate) fn is_link(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A user in front of the host may be a password, or make one host look like another.
    !host.is_empty()
        && !host.contains('@')
        && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '\\' | '`'))
}
