//! YAML (and JSON, which is YAML) to a tree with places. Files that others wrote for other programs: several documents,
//! anchors, merge keys and tags are taken, within bounds. What goes beyond them is an error with a place, never a panic.

mod node;

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

pub(crate) use self::node::{Entry, Kind, Node};
use crate::finding::{Place, count};

/// Deepest nesting.
const DEPTH_MAX: usize = 64;

/// Most values of a file, with those that aliases repeat.
const VALUES_MAX: usize = 200_000;

/// Bytes of a text that count as one more value: aliases repeat them, too.
const VALUE_BYTES: usize = 64;

/// Why a text is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) place: Place,
    pub(crate) why: String,
}

/// All documents of a text.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, Unread> {
    let mut builder = Builder::default();
    // The parser ends at a NUL without a word.
    if let Some(at) = text.find('\0') {
        let line = text[..at].matches('\n').count() + 1;
        return Err(Unread {
            place: Place { line: count(line), column: 1 },
            why: "holds a NUL".into(),
        });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser::<StrInput<'_>>::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| Unread {
            place: inside(text, place(error.marker().line(), error.marker().col())),
            why: format!("is not valid YAML: {}", error.info()),
        })?;
        if matches!(event, Event::StreamEnd) {
            break;
        }
        builder.take(event, span)?;
    }
    Ok(builder.documents)
}

/// The first document; an empty text has none.
pub(crate) fn document(text: &str) -> Result<Option<Node>, Unread> {
    documents(text).map(|all| all.into_iter().next())
}

/// What ends too early is wrong where it ends: the parser counts a line more where the last one has no end.
fn inside(text: &str, at: Place) -> Place {
    let last = count(text.replace("\r\n", "\n").matches(['\n', '\r']).count() + 1);
    if at.line > last { Place { line: last, column: 1 } } else { at }
}

fn place(line: usize, column_from_zero: usize) -> Place {
    Place { line: count(line).max(1), column: count(column_from_zero).saturating_add(1) }
}

struct Frame {
    node: Node,
    anchor: usize,
    /// How many values there were before this one.
    values_before: usize,
    key: Option<(String, Place)>,
}

#[derive(Default)]
struct Builder {
    stack: Vec<Frame>,
    documents: Vec<Node>,
    anchors: HashMap<usize, (Node, usize)>,
    values: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Unread> {
        let at = place(span.start.line(), span.start.col());
        match event {
            Event::DocumentStart(_) => self.anchors.clear(),
            Event::Alias(id) => {
                // An anchor inside itself is not there yet, and means nothing.
                let (node, values) =
                    self.anchors.get(&id).cloned().unwrap_or_else(|| (Node::null(at), 1));
                self.count(values, at)?;
                self.value(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref().map(named);
                let values = 1 + (text.len() + long(tag.as_deref())) / VALUE_BYTES;
                self.count(values, at)?;
                let plain = style == ScalarStyle::Plain;
                let literal = style == ScalarStyle::Literal;
                let text = text.into_owned();
                let kind = Kind::Scalar { text, plain, literal };
                let node = Node { place: at, tag, kind };
                if anchor > 0 {
                    self.anchors.insert(anchor, (node.clone(), values));
                }
                self.value(node);
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Kind::List(Vec::new()), anchor, tag.as_deref(), at)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.open(Kind::Map(Vec::new()), anchor, tag.as_deref(), at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, values: usize, at: Place) -> Result<(), Unread> {
        self.values = self.values.saturating_add(values);
        if self.values > VALUES_MAX {
            let why =
                format!("has more than {VALUES_MAX} values, counted with what its aliases repeat");
            return Err(Unread { place: at, why });
        }
        Ok(())
    }

    fn open(
        &mut self,
        kind: Kind,
        anchor: usize,
        tag: Option<&Tag>,
        at: Place,
    ) -> Result<(), Unread> {
        let values_before = self.values;
        let tag = tag.map(named);
        self.count(1 + long(tag.as_deref()) / VALUE_BYTES, at)?;
        if self.stack.len() >= DEPTH_MAX {
            return Err(Unread {
                place: at,
                why: format!("is nested deeper than {DEPTH_MAX} levels"),
            });
        }
        let node = Node { place: at, tag, kind };
        self.stack.push(Frame { node, anchor, values_before, key: None });
        Ok(())
    }

    fn close(&mut self) {
        let Some(Frame { mut node, anchor, values_before, .. }) = self.stack.pop() else { return };
        node.merge();
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), self.values - values_before));
        }
        self.value(node);
    }

    fn value(&mut self, node: Node) {
        let Some(frame) = self.stack.last_mut() else {
            self.documents.push(node);
            return;
        };
        match &mut frame.node.kind {
            Kind::List(items) => items.push(node),
            Kind::Map(entries) => {
                if let Some((key, key_place)) = frame.key.take() {
                    // Readers differ about a key that is there twice; the last one wins in most.
                    entries.push(Entry { key, key_place, value: node });
                } else {
                    let place = node.place;
                    frame.key = Some((node.into_text().unwrap_or_default(), place));
                }
            }
            Kind::Scalar { .. } => {}
        }
    }
}

fn long(tag: Option<&str>) -> usize {
    tag.map_or(0, str::len)
}

fn named(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keys_and_scripts_have_their_places() {
        let text = "on: push\njobs:\n  a:\n    run: |\n      one\n\n      two\n    b: [x, 'y']\n";
        let root = document(text).unwrap().unwrap();
        let a = root.get("jobs").unwrap().get("a").unwrap();
        assert_eq!(root.entry("on").unwrap().key_place, Place { line: 1, column: 1 });
        assert_eq!(a.get("b").unwrap().items()[1].place, Place { line: 8, column: 12 });
        let run = a.get("run").unwrap();
        assert_eq!(run.text(), Some("one\n\ntwo\n"));
        assert_eq!(run.lines_start(text), 5);
    }

    #[test]
    fn anchors_merge_keys_tags_and_documents_are_taken() {
        let all =
            documents("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\n---\nc: !reference [a, b]\n")
                .unwrap();
        let b = all[0].get("b").unwrap();
        assert_eq!(b.get("p").unwrap().text(), Some("1"));
        assert_eq!(b.get("q").unwrap().text(), Some("3"));
        assert_eq!(all[1].get("c").unwrap().tag.as_deref(), Some("!reference"));
    }

    #[test]
    fn merge_keys_come_as_often_as_they_like() {
        let root = document("<<: {a: 1, b: 2}\nb: 3\n<<: [{a: 4, c: 5}, x, {c: 6}]\n<<: y\n");
        let root = root.unwrap().unwrap();
        let told: Vec<_> = root.entries().iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(told, ["b", "a", "c"]);
        let texts = ["a", "b", "c"].map(|key| root.get(key).unwrap().text().unwrap());
        assert_eq!(texts, ["1", "3", "5"]);
        // Looked for anew for each, these took minutes.
        let many = format!("{{{}k: v}}", "<<: {a: b}, ".repeat(40_000));
        assert_eq!(document(&many).unwrap().unwrap().entries().len(), 2);
    }

    #[test]
    fn json_is_read_with_its_tabs() {
        let root = document("{\n\t\"a\": {\n\t\t\"b\": [1, true, null, \"x\\u00e9\"]\n\t}\n}\n")
            .unwrap()
            .unwrap();
        let b = root.get("a").unwrap().get("b").unwrap();
        assert_eq!(b.items()[3].text(), Some("xé"));
        assert!(b.items()[2].is_null());
        assert_eq!(b.place.line, 3);
    }

    #[test]
    fn what_is_wrong_is_wrong_on_a_line_that_is_there() {
        for (text, line) in [("a: b\nc: {d: [e]", 2), ("a: b\nc: {d: [e]\n", 3), ("[", 1)] {
            assert_eq!(documents(text).unwrap_err().place.line, line, "{text}");
        }
    }

    #[test]
    fn bombs_are_refused_with_a_place() {
        let mut laughs = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x, x]".to_owned()];
        laughs.extend((1..12).map(|n| {
            let before = format!("*a{}, ", n - 1).repeat(10);
            format!("a{n}: &a{n} [{}]", before.trim_end_matches(", "))
        }));
        let laughs = laughs.join("\n");
        let error = documents(&laughs).unwrap_err();
        assert!(error.why.contains("200000 values") && error.place.line < 8, "{error:?}");
        for (text, why) in [
            ("[".repeat(10_000), "recursion limit"),
            (format!("{}x", "- ".repeat(100)), "nested deeper"),
            ("a: [\n".to_owned(), "not valid"),
            ("a: b\0c".to_owned(), "NUL"),
            ("{a: ".repeat(5_000), "recursion limit"),
        ] {
            let error = documents(&text).unwrap_err();
            assert!(error.why.contains(why), "{error:?}");
        }
        // Few values, and more bytes than there is room for.
        let long = "x".repeat(100_000);
        for first in
            [long.clone(), format!("!{long} y"), format!("!{long} [y]"), format!("[{long}]")]
        {
            let text = format!("a: &a {first}\nb: [{}]\n", "*a, ".repeat(20_000));
            assert!(documents(&text).unwrap_err().why.contains("200000 values"));
            assert!(documents(&format!("a: &a {first}\nb: *a\n")).is_ok(), "once it is taken");
        }
        assert!(documents("a: &a [*a]\n").is_ok(), "an anchor in itself is no endless loop");
        assert!(documents("").unwrap().is_empty());
    }
}
