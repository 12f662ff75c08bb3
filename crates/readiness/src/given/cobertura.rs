//! Cobertura's XML: the lines of classes, by the files that these are in. What it claims as a rate is not looked at.

use jiff::civil::Date;

use super::GivenError;
use super::coverage::{Builder, Coverage, day_of};
use super::xml::{self, Seen};
use crate::finding::cut;

const KIND: &str = "a Cobertura report";

/// Longest day that is told as it is written.
const DAY_CHARS_MAX: usize = 40;

/// From here on a timestamp is in milliseconds; in seconds it would be the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

pub(super) fn read(text: &str) -> Result<Coverage, GivenError> {
    let mut builder = Builder::new(KIND, "Cobertura");
    let (mut date, mut odd_day) = (None, None);
    let mut has_packages = false;
    let mut class_depth = None;
    xml::walk(text, KIND, |seen| {
        match seen {
            Seen::Begins(element) => match element.name() {
                b"coverage" if element.depth == 1 => {
                    if let Some(written) = element.attribute("timestamp") {
                        date = day(&written);
                        odd_day = date.is_none().then(|| cut(&written, DAY_CHARS_MAX));
                    }
                }
                b"packages" => has_packages = true,
                b"class" => {
                    let file = element.attribute("filename");
                    let file =
                        file.ok_or_else(|| GivenError::broken(KIND, "a class without a file"))?;
                    builder.file("", &file)?;
                    class_depth = Some(element.depth);
                }
                b"line" if class_depth.is_some() => {
                    let number = element.number("number").and_then(|n| u32::try_from(n).ok());
                    let (Some(number), Some(hits)) = (number, element.number("hits")) else {
                        return Err(GivenError::broken(KIND, "a line without number or hits"));
                    };
                    builder.line(number, hits > 0)?;
                }
                _ => {}
            },
            Seen::Ends(depth) if class_depth == Some(depth) => class_depth = None,
            Seen::Ends(_) => {}
        }
        Ok(())
    })?;
    if !has_packages {
        return Err(GivenError::Unknown(
            "XML that begins with <coverage> and is not Cobertura's".into(),
        ));
    }
    Ok(builder.finish(date).with_odd_day(odd_day))
}

/// The day of a time in seconds or milliseconds, whole or not.
fn day(timestamp: &str) -> Option<Date> {
    let time = timestamp.trim().parse::<f64>().ok().filter(|time| (1.0..1e15).contains(time))?;
    let ms = if time < MILLISECONDS_FROM { time * 1000.0 } else { time };
    day_of(format!("{ms:.0}").parse().ok()?)
}
