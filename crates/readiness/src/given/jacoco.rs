//! `JaCoCo`'s XML (report.dtd 1.1): the lines of source files, or where a report leaves them out, their counters.

use super::GivenError;
use super::coverage::{Builder, Coverage, day_of};
use super::xml::{self, Element, Seen};
use crate::finding::cut;

const KIND: &str = "a JaCoCo report";

/// Longest day that is told as it is written.
const DAY_CHARS_MAX: usize = 40;

pub(super) fn read(text: &str) -> Result<Coverage, GivenError> {
    let mut reading = Reading {
        builder: Builder::new(KIND, "JaCoCo"),
        at: Vec::new(),
        last_ms: None,
        odd_day: None,
    };
    let mut is_one = false;
    xml::walk(text, KIND, |seen| {
        match seen {
            Seen::Begins(element) => {
                is_one |=
                    matches!(element.name(), b"sessioninfo" | b"package" | b"group" | b"counter");
                reading.begins(&element)?;
            }
            Seen::Ends(depth) => reading.at.retain(|place| place.depth < depth),
        }
        Ok(())
    })?;
    if !is_one {
        return Err(GivenError::Unknown(
            "XML that begins with <report> and is not JaCoCo's".into(),
        ));
    }
    let Reading { builder, last_ms, odd_day, .. } = reading;
    Ok(builder.finish(last_ms.and_then(day_of)).with_odd_day(odd_day))
}

/// A group, package or source file that is open.
struct Place {
    depth: usize,
    kind: PlaceKind,
    name: String,
}

#[derive(PartialEq, Eq)]
enum PlaceKind {
    Group,
    Package,
    File,
}

struct Reading {
    builder: Builder,
    at: Vec<Place>,
    /// When the last of the runs ended, in milliseconds since the epoch.
    last_ms: Option<u64>,
    odd_day: Option<String>,
}

impl Reading {
    fn begins(&mut self, element: &Element<'_>) -> Result<(), GivenError> {
        let kind = match element.name() {
            b"sessioninfo" => {
                let written = element.attribute("dump");
                let ms = element.number("dump").filter(|ms| day_of(*ms).is_some());
                if ms.is_none() {
                    self.odd_day = written.map(|written| cut(&written, DAY_CHARS_MAX));
                }
                self.last_ms = self.last_ms.max(ms);
                return Ok(());
            }
            b"group" => PlaceKind::Group,
            b"package" => PlaceKind::Package,
            b"sourcefile" => PlaceKind::File,
            b"line" if self.in_file(element) => {
                let number = element.number("nr").and_then(|n| u32::try_from(n).ok());
                let (Some(number), Some(covered)) = (number, element.number("ci")) else {
                    return Err(GivenError::broken(KIND, "a line without nr or ci"));
                };
                return self.builder.line(number, covered > 0);
            }
            b"counter"
                if self.in_file(element)
                    && element.attribute("type").as_deref() == Some("LINE") =>
            {
                let (Some(missed), Some(covered)) =
                    (element.number("missed"), element.number("covered"))
                else {
                    return Err(GivenError::broken(KIND, "a counter without missed or covered"));
                };
                return self.builder.counted(missed, covered);
            }
            _ => return Ok(()),
        };
        let name = element.attribute("name").unwrap_or_default();
        self.at.push(Place { depth: element.depth, kind, name });
        if self.at.last().is_some_and(|place| place.kind == PlaceKind::File) {
            let names = |wanted: &PlaceKind| {
                let of = self.at.iter().filter(|place| place.kind == *wanted);
                of.map(|place| place.name.as_str()).collect::<Vec<_>>().join("/")
            };
            let path = format!("{}/{}", names(&PlaceKind::Package), names(&PlaceKind::File));
            self.builder.file(&names(&PlaceKind::Group), &path)?;
        }
        Ok(())
    }

    /// Directly in a source file; classes and packages have counters too.
    fn in_file(&self, element: &Element<'_>) -> bool {
        let last = self.at.last();
        last.is_some_and(|at| at.kind == PlaceKind::File && at.depth + 1 == element.depth)
    }
}
