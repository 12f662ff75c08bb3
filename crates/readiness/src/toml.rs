//! TOML with the lines of its keys.

use toml_edit::{Document, Item, TableLike, Value};

use crate::finding::Evidence;

/// Deeper brackets are not read.
const DEPTH_MAX: usize = 64;

/// A file that was read.
pub(crate) struct Toml<'a> {
    file: &'a str,
    text: &'a str,
    document: Document<&'a str>,
}

impl<'a> Toml<'a> {
    /// `None` for what is no TOML.
    pub(crate) fn read(file: &'a str, text: &'a str) -> Option<Self> {
        let mut depth = 0_usize;
        for c in text.chars() {
            match c {
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                '\n' => {}
                _ => continue,
            }
            if depth > DEPTH_MAX {
                return None;
            }
        }
        let document = Document::parse(text).ok()?;
        Some(Self { file, text, document })
    }

    /// What stands behind several keys.
    pub(crate) fn at(&self, keys: &[&str]) -> Option<&Item> {
        let mut item = self.document.as_item();
        for key in keys {
            item = item.as_table_like()?.get(key)?;
        }
        Some(item)
    }

    /// The text behind several keys.
    pub(crate) fn text_at(&self, keys: &[&str]) -> Option<&str> {
        self.at(keys)?.as_str()
    }

    /// The number behind several keys.
    pub(crate) fn number_at(&self, keys: &[&str]) -> Option<f64> {
        let item = self.at(keys)?;
        item.as_float()
            .or_else(|| item.as_integer().map(|n| n as f64))
            .or_else(|| item.as_str()?.parse().ok())
    }

    /// The texts of a list behind several keys.
    pub(crate) fn texts_at(&self, keys: &[&str]) -> Vec<&str> {
        self.at(keys)
            .and_then(Item::as_array)
            .map(|list| list.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default()
    }

    /// The lists of texts in a list.
    pub(crate) fn lists_at(&self, keys: &[&str]) -> Vec<Vec<&str>> {
        let lists = self.at(keys).and_then(Item::as_array);
        lists.map(|lists| lists.iter().filter_map(texts).collect()).unwrap_or_default()
    }

    /// The names in a table.
    pub(crate) fn names_in(&self, keys: &[&str]) -> Vec<String> {
        let table = self.at(keys).and_then(Item::as_table_like);
        table
            .map(|table: &dyn TableLike| table.iter().map(|(key, _)| key.to_owned()).collect())
            .unwrap_or_default()
    }

    /// The line of a key in a table.
    pub(crate) fn shown(&self, keys: &[&str]) -> Evidence {
        let span = self.span(keys);
        let line = span.map_or(0, |at| self.text[..at.min(self.text.len())].matches('\n').count());
        Evidence::line(self.file, self.text, line)
    }

    fn span(&self, keys: &[&str]) -> Option<usize> {
        let (last, table) = keys.split_last()?;
        let table = self.at(table)?.as_table_like()?;
        let (key, item) = table.get_key_value(last)?;
        key.span().or_else(|| item.span()).map(|span| span.start)
    }
}

fn texts(list: &Value) -> Option<Vec<&str>> {
    Some(list.as_array()?.iter().filter_map(Value::as_str).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_lines() {
        let text =
            "[a]\nx = 1\n\n[tool.coverage.report]\nfail_under = 85.5\n[[b]]\nl = [\"p\", \"q\"]\n";
        let toml = Toml::read("p.toml", text).unwrap();
        let keys = ["tool", "coverage", "report", "fail_under"];
        assert_eq!(toml.number_at(&keys), Some(85.5));
        assert_eq!(toml.shown(&keys).line, 5);
        assert_eq!(toml.shown(&keys).text, "fail_under = 85.5");
        assert!(Toml::read("p.toml", "a = ").is_none());
        assert!(Toml::read("p.toml", &format!("a = {}", "[".repeat(100_000))).is_none());
    }
}
