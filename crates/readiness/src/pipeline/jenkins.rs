//! Jenkinsfiles: declarative ones, and of scripted ones what stands there plainly. Their Groovy is parsed and never run.
//! Steps that shared libraries bring are unknown.

mod declarative;
mod known;
mod lex;
mod parse;
mod starts;
mod steps;
mod syntax;
mod value;
mod when;

use super::{Pipeline, Pipelines, Unread};
use crate::finding::{Evidence, Place};
use crate::tree::{Contents, Tree, has_end, is_aside, name};

/// Reads every Jenkinsfile.
pub(super) fn read(tree: &Tree, main: Option<&str>, found: &mut Pipelines) {
    let files: Vec<&str> = tree.paths().filter(|path| is_jenkinsfile(path)).collect();
    let mut left = steps::STEPS_MAX;
    for file in files {
        let text = match tree.contents(file) {
            Some(Contents::Text(text)) => &**text,
            Some(Contents::Unread(why)) => {
                found.unread.push(unread(file, "", Place::START, &format!("was not read: {why}")));
                continue;
            }
            Some(Contents::Binary) => {
                found.unread.push(unread(file, "", Place::START, "is no text"));
                continue;
            }
            // A vendored one is somebody else's.
            Some(Contents::NotWanted) | None => continue,
        };
        match parse::file(text) {
            Ok((block, tokens)) => {
                let named = main.unwrap_or_else(|| starts::main_branch(&tokens));
                let triggers = starts::triggers(&tokens, named, is_aside(file));
                let mut reader = steps::Reader::new(tree, file, named, &block, &tokens, left);
                reader.file(&block, &triggers);
                left = reader.left();
                if let Some((place, why)) = reader.opaque_whole() {
                    found.unread.push(unread(file, text, place, &why));
                    continue;
                }
                if let Some(why) = reader.cut() {
                    found.unread.push(unread(file, text, Place::START, &why));
                }
                let jobs = reader.jobs();
                found.all.push(Pipeline { file: file.to_owned(), triggers, jobs });
            }
            Err(error) => found.unread.push(unread(file, text, error.place, &error.why)),
        }
    }
}

fn unread(file: &str, text: &str, place: Place, why: &str) -> Unread {
    Unread { evidence: Evidence::at(file, text, place), why: format!("the Jenkinsfile {why}") }
}

/// `Jenkinsfile`, `Jenkinsfile.release`, `release.Jenkinsfile`.
fn is_jenkinsfile(path: &str) -> bool {
    let name = name(path);
    name == "Jenkinsfile"
        || name.strip_prefix("Jenkinsfile").is_some_and(|rest| {
            rest.starts_with(['.', '-', '_'])
                && !["md", "txt", "j2", "sh"].iter().any(|end| has_end(name, end))
        })
        || has_end(name, "Jenkinsfile")
        || has_end(name, "jenkinsfile")
}
