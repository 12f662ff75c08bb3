//! Cobertura's XML: the lines of classes, by the files that these are in. What it claims as a rate is not looked at.

use jiff::civil::Date;

use super::GivenError;
use super::coverage::{Builder, Coverage, day_of};
use super::xml::{self, Seen};

const KIND: &str = "a Cobertura report";

/// From here on a timestamp is in milliseconds; in seconds it would be the year 5138.
const MILLISECONDS_FROM: u64 = 100_000_000_000;

pub(super) fn read(text: &str) -> Result<Coverage, GivenError> {
    let mut builder = Builder::new(KIND, "Cobertura");
    let mut date = None;
    let mut has_packages = false;
    let mut class_depth = None;
    xml::walk(text, KIND, |seen| {
        match seen {
            Seen::Begins(element) => match element.name() {
                b"coverage" if element.depth == 1 => {
                    date = element.number("timestamp").and_then(day);
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
    Ok(builder.finish(date))
}

fn day(timestamp: u64) -> Option<Date> {
    day_of(if timestamp < MILLISECONDS_FROM { timestamp.checked_mul(1000)? } else { timestamp })
}
