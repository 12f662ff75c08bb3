//! Templates of Helm charts as YAML: what is put in becomes a mark, what decides goes away, and each line stays where it is.

use crate::yaml::{self, Node};

/// Stands for what a chart puts in.
pub(crate) const PUT_IN: &str = "__put_in__";

/// A template without its actions.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) text: String,
    /// Lines, from 1, that are there only when something that the chart's own values do not switch on says so.
    unsure: Vec<u32>,
}

impl Plain {
    pub(super) fn is_unsure(&self, line: u32) -> bool {
        self.unsure.binary_search(&line).is_ok()
    }
}

/// Reads a template. `values` are those of the chart, when they could be read.
pub(super) fn plain(text: &str, values: Option<&Node>) -> Plain {
    let mut reader = Reader {
        values,
        open: Vec::new(),
        unsure: 0,
        line: 1,
        has_content: false,
        is_blank: true,
        plain: Plain { text: String::with_capacity(text.len()), unsure: Vec::new() },
    };
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let (before, action) = rest.split_at(start);
        reader.text(before);
        let action = &action[2..];
        let Some(end) = action.find("}}") else { break };
        let (inside, after) = (&action[..end], &action[end + 2..]);
        let starts_line = reader.is_blank;
        let first = after.chars().find(|c| *c == '\n' || !c.is_whitespace());
        let ends_line = first.is_none_or(|c| c == '\n');
        reader.action(inside, starts_line && ends_line);
        rest = after;
    }
    reader.text(rest);
    reader.plain
}

struct Reader<'a> {
    values: Option<&'a Node>,
    /// For each block that is open, whether it may be left out.
    open: Vec<bool>,
    /// How many of them may.
    unsure: usize,
    line: u32,
    /// Something of this document was there already.
    has_content: bool,
    /// Nothing is on this line yet.
    is_blank: bool,
    plain: Plain,
}

impl Reader<'_> {
    fn text(&mut self, text: &str) {
        for (at, line) in text.split('\n').enumerate() {
            if at > 0 {
                self.end_line();
            }
            self.is_blank &= line.trim().is_empty();
            if line.trim_start().starts_with("---") {
                self.has_content = false;
            } else if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
                self.has_content = true;
            }
            self.plain.text.push_str(line);
            if self.unsure > 0 && self.plain.unsure.last() != Some(&self.line) {
                self.plain.unsure.push(self.line);
            }
        }
    }

    fn action(&mut self, inside: &str, is_alone: bool) {
        let code = inside.trim_start_matches('-').trim_end_matches('-').trim();
        let word = code.split_whitespace().next().unwrap_or_default();
        match word {
            // A condition about a whole document says whether it is used at all, not how.
            "if" | "with" | "range" => {
                self.open(self.has_content && !self.holds(code));
            }
            "define" | "block" => self.open(false),
            "else" => {
                if self.close().is_some() {
                    self.open(true);
                }
            }
            "end" => {
                self.close();
            }
            _ if code.starts_with("/*") || code.starts_with('$') && code.contains(":=") => {}
            _ if is_alone => {}
            _ => {
                self.plain.text.push_str(PUT_IN);
                self.is_blank = false;
            }
        }
        // An action may be longer than a line.
        inside.matches('\n').for_each(|_| self.end_line());
    }

    fn end_line(&mut self) {
        self.plain.text.push('\n');
        self.line = self.line.saturating_add(1);
        self.is_blank = true;
    }

    fn open(&mut self, may_be_left_out: bool) {
        self.open.push(may_be_left_out);
        self.unsure += usize::from(may_be_left_out);
    }

    fn close(&mut self) -> Option<bool> {
        let last = self.open.pop()?;
        self.unsure -= usize::from(last);
        Some(last)
    }

    /// Whether a condition is a value that the chart itself switches on.
    fn holds(&self, code: &str) -> bool {
        let mut words = code.split_whitespace().skip(1);
        let (Some(path), None) = (words.next(), words.next()) else { return false };
        let Some(path) = path.strip_prefix(".Values.") else { return false };
        let keys: Vec<&str> = path.split('.').collect();
        self.values.and_then(|values| values.at(&keys)).is_some_and(|node| match node.truth() {
            Some(truth) => truth,
            None if node.is_map() => !node.entries().is_empty(),
            None if node.is_list() => !node.items().is_empty(),
            None => node.text().is_some_and(|text| !text.is_empty() && text != "0"),
        })
    }
}

/// The values of a chart.
pub(super) fn values(text: Option<&str>) -> Option<Node> {
    yaml::document(text?).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_where_they_are_and_conditions_are_told() {
        let values = values(Some("on: {enabled: true}\noff: {enabled: false}\n")).unwrap();
        let text = "{{- if .Values.off.enabled }}\na: {{ .Values.x }}\n{{- /* two\nlines */}}\nb:\n  {{- toYaml .Values.b | nindent 2 }}\n{{- if .Values.on.enabled }}\nc: 1\n{{- end }}\n{{- if .Values.off.enabled }}\nd: 1\n{{- else }}\ne: 1\n{{- end }}\nf: \"{{ .a }}:{{ .b }}\"\n{{- end }}\n";
        let plain = plain(text, Some(&values));
        let root = yaml::document(&plain.text).unwrap().unwrap();
        assert_eq!(root.get("a").unwrap().text(), Some(PUT_IN));
        assert!(root.get("b").unwrap().is_null());
        assert_eq!(root.get("f").unwrap().text(), Some("__put_in__:__put_in__"));
        for (key, line, unsure) in
            [("a", 2, false), ("c", 8, false), ("d", 11, true), ("e", 13, true), ("f", 15, false)]
        {
            assert_eq!(root.entry(key).unwrap().key_place.line, line, "{key}");
            assert_eq!(plain.is_unsure(line), unsure, "{key}");
        }
    }

    #[test]
    fn an_action_alone_on_its_line_puts_nothing_there() {
        for (text, expected) in [
            ("  {{ a }}  \nb", "    \nb"),
            ("{{ a }}{{ b }}", "__put_in____put_in__"),
            ("{{ a }} b", "__put_in__ b"),
            ("b {{ a }}\n{{ a\n}}\n  {{ a }}", "b __put_in__\n\n\n  "),
        ] {
            assert_eq!(plain(text, None).text, expected, "{text}");
        }
        // Each action looked over the whole line again.
        let line = "{{ a }}".repeat(150_000);
        assert_eq!(plain(&line, None).text.len(), 150_000 * PUT_IN.len());
    }

    #[test]
    fn what_does_not_end_is_no_panic() {
        for text in
            ["{{", "a: {{ b", "{{ end }}{{ end }}", "{{ else }}", "{{ if }}\n{{ if .Values. }}"]
        {
            assert!(plain(text, None).text.len() <= text.len() + PUT_IN.len());
        }
    }
}
