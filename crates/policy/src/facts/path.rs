//! Paths of POSIX file systems, as text.
//!
//! A path is read as a program does that opens it as it is. Where programs differ, nothing is known: text that some
//! decode (`%2e`, `&#46;`), expand (`~`, `$HOME`, `*`, `{a,b}`), run (`|`) or trim. `file:` URLs are decoded once, since
//! every consumer of them does. Relative paths are relative to nothing known, so only their name is.
//!
//! Not here: what the file system holds. Symbolic links are not followed; whoever has to exclude them forbids
//! `has_parent` and keeps agents from making links.

mod file_url;

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::{Decided, Fact, Kind, Shape, text_of, unicode, unknown};

/// `PATH_MAX` of Linux.
pub(super) const BYTES_MAX: usize = 4096;

/// The set of directories above grows with the square of the depth.
const DEPTH_MAX: usize = 64;

/// - `absolute`: begins at the root
/// - `ancestors`: the path itself and every directory above it, canonical
/// - `ancestors_folded`: the same with case folded, for file systems that ignore case
/// - `canonical`: absolute, without `.`, `..` and empty parts, in NFC
/// - `extension`: what follows the last dot of the name, in lower case; empty where there is none
/// - `has_parent`: `..` is a part of it as written
/// - `hidden`: some part of it begins with a dot; of a relative path, some part of what is written
/// - `name`: its last part
/// - `windows`: it is written as only Windows reads it: a drive, a share, backslashes
pub(super) const FACTS: Shape = &[
    ("absolute", Kind::Bool),
    ("ancestors", Kind::Texts),
    ("ancestors_folded", Kind::Texts),
    ("canonical", Kind::Text),
    ("extension", Kind::Text),
    ("has_parent", Kind::Bool),
    ("hidden", Kind::Bool),
    ("name", Kind::Text),
    ("windows", Kind::Bool),
];

/// Where facts of one path stand in [`FACTS`], for those of several.
pub(super) const ABSOLUTE: usize = 0;
pub(super) const ANCESTORS: usize = 1;
pub(super) const EXTENSION: usize = 4;
pub(super) const HAS_PARENT: usize = 5;
pub(super) const HIDDEN: usize = 6;
pub(super) const NAME: usize = 7;
pub(super) const WINDOWS: usize = 8;

pub(super) fn extract(argument: &Value) -> Vec<Fact> {
    let text = match text_of(argument, BYTES_MAX) {
        Ok(text) => text,
        Err(why) => return unknown(FACTS, why),
    };
    let text = match file_url::decoded(text) {
        Ok(Some(decoded)) => Cow::Owned(decoded),
        Ok(None) => Cow::Borrowed(text),
        Err(why) => return unknown(FACTS, why),
    };
    if is_windows(&text) {
        let mut facts = unknown(FACTS, "a path of Windows");
        facts[WINDOWS] = Fact::Bool(true);
        return facts;
    }
    let composed = unicode::composed(&text);
    match unambiguous(&text).and_then(|()| Parts::of(&composed)) {
        Ok(parts) => parts.facts(),
        Err(why) => unknown(FACTS, why),
    }
}

fn is_windows(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.contains('\\') || (bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':')
}

/// Every program that opens paths reads the text alike.
fn unambiguous(text: &str) -> Decided<()> {
    if text.is_empty() {
        return Err("an empty path");
    }
    if text.starts_with(' ') {
        return Err("spaces around it");
    }
    if text.starts_with('~') {
        return Err("a home directory");
    }
    if text.starts_with("//") && !text.starts_with("///") {
        return Err("two slashes at the start, which systems read differently");
    }
    if text.contains("://") {
        return Err("a URL");
    }
    if text.contains("::$") || text.contains("..namedfork") {
        return Err("a stream of a file");
    }
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        ascii_unambiguous(*byte, &bytes[at + 1..])?;
    }
    if text.is_ascii() {
        return Ok(());
    }
    text.chars().find_map(unicode::ambiguous).map_or(Ok(()), Err)
}

/// One byte, and those after it. Bytes beyond ASCII are judged as characters.
fn ascii_unambiguous(byte: u8, rest: &[u8]) -> Decided<()> {
    match byte {
        0..=0x1f | 0x7f => Err("control characters"),
        b'*' | b'?' | b'[' => Err("a pattern"),
        b'{' if rest.contains(&b'}') => Err("a pattern"),
        b'|' | b'<' | b'>' | b'`' => Err("characters of a shell"),
        b'$' if rest
            .first()
            .is_some_and(|next| next.is_ascii_alphanumeric() || b"_{(".contains(next)) =>
        {
            Err("a variable")
        }
        b'%' => percent_unambiguous(rest),
        b'&' if rest.first() == Some(&b'#') => Err("encoded characters"),
        _ => Ok(()),
    }
}

/// `%41` is decoded by some; `%u2215` by few; `%TEMP%` is a variable elsewhere.
fn percent_unambiguous(rest: &[u8]) -> Decided<()> {
    let hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    match rest {
        [first, second, ..] if hex(&[*first, *second]) => Err("encoded characters"),
        [b'u' | b'U', digits @ ..] if digits.len() >= 4 && hex(&digits[..4]) => {
            Err("encoded characters")
        }
        _ if rest.contains(&b'%') => Err("a variable"),
        _ => Ok(()),
    }
}

/// A path without its `.`, `..` and empty parts.
struct Parts<'a> {
    absolute: bool,
    /// `..` was among them.
    has_parent: bool,
    /// It leads above the directory that it is relative to.
    leaves_base: bool,
    names: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Decided<Self> {
        let absolute = text.starts_with('/');
        let mut has_parent = false;
        let mut leaves_base = false;
        let mut parts = Vec::with_capacity(8);
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    has_parent = true;
                    leaves_base |= parts.pop().is_none() && !absolute;
                }
                // Windows drops them; filters that strip `../` once make `..` of `....`
                _ if part.ends_with(['.', ' ']) => {
                    return Err("a part that ends with a dot or space");
                }
                // parameters of a path, which some servers cut off
                _ if part.starts_with("..;") || part.starts_with(".;") => {
                    return Err("a part that some read as the directory above");
                }
                _ => parts.push(part),
            }
        }
        if parts.len() > DEPTH_MAX {
            return Err("too deep");
        }
        if absolute && is_magic(&parts) {
            return Err("a link that the system makes");
        }
        Ok(Self { absolute, has_parent, leaves_base, names: parts })
    }

    fn facts(&self) -> Vec<Fact> {
        let name = self.names.last().copied().ok_or("it has no name");
        let hidden = self.names.iter().any(|part| part.starts_with('.'));
        let canonical = if self.absolute { Ok(self.canonical()) } else { Err("a relative path") };
        let ancestors_folded = canonical
            .as_ref()
            .map_err(|why| *why)
            .and_then(|canonical| unicode::folded(canonical))
            .map(|folded| ancestors(&folded));
        let ancestors = canonical.as_deref().map(ancestors).map_err(|why| *why);
        vec![
            Fact::Bool(self.absolute),
            ancestors.into(),
            ancestors_folded.into(),
            canonical.into(),
            name.map(extension).into(),
            Fact::Bool(self.has_parent),
            // where it leads to from there, parts that nobody wrote may be hidden
            if hidden || !self.leaves_base { Ok(hidden) } else { Err("above a relative path") }
                .into(),
            name.map(str::to_owned).into(),
            Fact::Bool(false),
        ]
    }

    fn canonical(&self) -> String {
        if self.names.is_empty() {
            return "/".to_owned();
        }
        let mut whole = String::with_capacity(self.names.iter().map(|part| part.len() + 1).sum());
        for part in &self.names {
            whole.push('/');
            whole.push_str(part);
        }
        whole
    }
}

/// A canonical path and every directory above it.
pub(super) fn ancestors(canonical: &str) -> BTreeSet<String> {
    let above = canonical.match_indices('/').skip(1).map(|(at, _)| canonical[..at].to_owned());
    ["/".to_owned(), canonical.to_owned()].into_iter().chain(above).collect()
}

fn extension(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((before, after)) if !before.is_empty() => {
            unicode::composed(&after.to_lowercase()).into_owned()
        }
        _ => String::new(),
    }
}

/// Links of `/proc` and the like lead anywhere, without anybody having made them.
fn is_magic(parts: &[&str]) -> bool {
    const LINKS: [&str; 5] = ["root", "cwd", "exe", "fd", "map_files"];
    match parts {
        ["proc", rest @ ..] => rest.iter().any(|part| LINKS.contains(part)),
        ["dev", "fd" | "stdin" | "stdout" | "stderr", ..] | [".vol", ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn canonical(text: &str) -> Option<String> {
        match extract(&json!(text)).swap_remove(3) {
            Fact::Text(text) => Some(text),
            _ => None,
        }
    }

    #[test]
    fn paths_have_one_spelling() {
        for (written, expected) in [
            ("/", "/"),
            ("/srv/data", "/srv/data"),
            ("/srv//data/./x/", "/srv/data/x"),
            ("/srv/data/../../etc/passwd", "/etc/passwd"),
            ("/../..", "/"),
            ("///etc", "/etc"),
            ("/srv/cafe\u{301}", "/srv/café"),
            ("/srv/100%", "/srv/100%"),
            ("file:///srv/a%20b", "/srv/a b"),
        ] {
            assert_eq!(canonical(written).as_deref(), Some(expected), "{written}");
        }
    }

    #[test]
    fn above_a_path_is_every_directory() {
        let expected = ["/", "/a", "/a/b", "/a/b/c"].map(str::to_owned).into();
        assert_eq!(ancestors("/a/b/c"), expected);
        assert_eq!(ancestors("/"), ["/".to_owned()].into());
    }

    #[test]
    fn names_and_extensions() {
        for (written, name, extension) in [
            ("/a/Report.PDF", "Report.PDF", "pdf"),
            ("/a/.bashrc", ".bashrc", ""),
            ("/a/.env.local", ".env.local", "local"),
            ("a/b.tar.gz", "b.tar.gz", "gz"),
            ("/a/b/..", "a", ""),
        ] {
            let facts = extract(&json!(written));
            assert_eq!(facts[7], Fact::Text(name.to_owned()), "{written}");
            assert_eq!(facts[4], Fact::Text(extension.to_owned()), "{written}");
        }
    }

    #[test]
    fn relative_paths_are_relative_to_nothing_known() {
        let facts = extract(&json!("../secret/.key"));
        assert_eq!(facts[0], Fact::Bool(false));
        assert_eq!(facts[1], Fact::Unknown("a relative path"));
        assert_eq!(facts[3], Fact::Unknown("a relative path"));
        assert_eq!(facts[5], Fact::Bool(true));
        assert_eq!(facts[6], Fact::Bool(true));
    }

    #[test]
    fn what_is_written_of_a_relative_path_is_hidden_or_not() {
        for (written, hidden) in [
            ("a/b", Fact::Bool(false)),
            ("./a/../b", Fact::Bool(false)),
            ("a/.git/x", Fact::Bool(true)),
            ("a/.git/../x", Fact::Bool(false)),
            ("../x", Fact::Unknown("above a relative path")),
            ("a/../../a/x", Fact::Unknown("above a relative path")),
            ("/../x", Fact::Bool(false)),
        ] {
            assert_eq!(extract(&json!(written))[6], hidden, "{written}");
        }
    }
}
