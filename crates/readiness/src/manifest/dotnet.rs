//! Projects of `MSBuild`, however their elements are laid out in lines.

use super::Dependency;
use crate::finding::{Evidence, Place, count};

/// Most of a line that is shown; a whole project may be one line.
const LINE_BYTES_MAX: usize = 4096;

/// What a project names as its packages and frameworks, and the SDK of servers. A `PackageVersion` only says which version
/// projects get that ask for it.
pub(super) fn project(path: &str, text: &str) -> Vec<Dependency> {
    let mut all = Vec::new();
    let mut reader = Reader { text, at: 0, counted: 0, line: 0, line_start: 0, column: 0 };
    while let Some((tag, place)) = reader.tag() {
        if let Some(name) = named(tag) {
            all.push(Dependency { name, evidence: Evidence::shown(path, reader.line(), place) });
        }
    }
    all
}

/// Where a project is read; comments are passed by.
struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// Up to where lines and columns are counted, both from 0.
    counted: usize,
    line: usize,
    line_start: usize,
    column: usize,
}

impl<'t> Reader<'t> {
    /// The next tag, and where it begins.
    fn tag(&mut self) -> Option<(&'t str, Place)> {
        loop {
            let start = self.at + self.text[self.at..].find('<')?;
            let rest = &self.text[start..];
            let is_comment = rest.starts_with("<!--");
            let end = if is_comment { rest.find("-->")? + 3 } else { end_of_tag(rest)? };
            self.pass(start);
            let place = Place { line: count(self.line + 1), column: count(self.column + 1) };
            self.at = start + end;
            if !is_comment {
                return Some((&rest[..end], place));
            }
        }
    }

    /// Counts up to a place.
    fn pass(&mut self, to: usize) {
        let passed = &self.text[self.counted..to];
        if let Some(last) = passed.rfind('\n') {
            self.line += passed.matches('\n').count();
            self.line_start = self.counted + last + 1;
            self.column = 0;
        }
        self.column += self.text[self.counted.max(self.line_start)..to].chars().count();
        self.counted = to;
    }

    /// The line of the last tag.
    fn line(&self) -> &'t str {
        let end = self.text.floor_char_boundary(self.line_start + LINE_BYTES_MAX);
        self.text[self.line_start..end].lines().next().unwrap_or_default()
    }
}

/// Behind the bracket that closes a tag; those in quotes are text.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices()
        .find(|(_, c)| {
            match quote {
                Some(open) if open == *c => quote = None,
                None if matches!(c, '"' | '\'') => quote = Some(*c),
                _ => {}
            }
            quote.is_none() && *c == '>'
        })
        .map(|(at, _)| at + 1)
}

/// What a tag asks for.
fn named(tag: &str) -> Option<String> {
    let tag = tag.trim_start_matches('<');
    let kind = tag.split(|c: char| c.is_whitespace() || matches!(c, '/' | '>')).next()?;
    match kind {
        "Project" | "Sdk" => {
            let sdk = attribute(tag, if kind == "Sdk" { "Name" } else { "Sdk" })?;
            let mut names = sdk.split(';').map(|one| one.split('/').next().unwrap_or_default());
            names
                .any(|name| name == "Microsoft.NET.Sdk.Web")
                .then(|| "microsoft.net.sdk.web".into())
        }
        "PackageReference" | "FrameworkReference" => {
            Some(attribute(tag, "Include")?.to_ascii_lowercase())
        }
        _ => None,
    }
}

/// The value of an attribute.
fn attribute<'t>(tag: &'t str, wanted: &str) -> Option<&'t str> {
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once('=') {
        let name = before.trim_end().rsplit(char::is_whitespace).next().unwrap_or_default();
        let value = after.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, after) = value[1..].split_once(quote)?;
        if name == wanted {
            return Some(value);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    #[test]
    fn elements_are_read_wherever_lines_end() {
        let project = |text: &str| -> Vec<(String, u32, u32)> {
            let all = super::project("a.csproj", text).into_iter();
            all.map(|one| (one.name, one.evidence.line, one.evidence.column)).collect()
        };
        let one = "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><ItemGroup><PackageReference Include=\"A.B\" Version=\"1\" /><!-- <PackageReference Include=\"No\" /> --><PackageReference Condition=\"'$(A)' > '1'\" Include='C' /><PackageVersion Include=\"D\" /></ItemGroup></Project>";
        let names: Vec<String> = project(one).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["microsoft.net.sdk.web", "a.b", "c"]);
        let many = one.replace("><", ">\n<").replace(" Include=\"A.B\"", "\n  Include=\"A.B\"");
        let more: Vec<String> = project(&many).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, more);
        assert_eq!(project("<a>\n <FrameworkReference Include=\"F\"/>"), [("f".into(), 2, 2)]);
        for broken in [
            "<",
            "<a",
            "<!--",
            "<PackageReference Include",
            "<Project Sdk=>",
            "\u{e9}<\u{e9}=\u{e9}>",
        ] {
            assert!(project(broken).is_empty(), "{broken}");
        }
    }
}
