//! Prices: one's own, and those of a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Unique, items, some_text};
use crate::config::field::Field;
use crate::config::file::{AboveFile, PriceFile, PricesFileFile, TierFile};
use crate::config::place::{Path, Place};
use crate::config::report::Report;
use crate::config::{PriceOverride, PricesFile};
use crate::interaction::ServiceTier;
use crate::price::{Ladder, ModelPrice, Written, WrittenLadder, litellm};
use crate::version::Digest;

/// Takes the rates of a form, which are named the same in all of them.
macro_rules! written {
    ($report:expr, $file:expr, $path:expr) => {{
        let mut take =
            |field: &Field<f64>, name: &str| $report.take(field, &$path.key(name)).copied();
        Written {
            input: take(&$file.input_usd_per_mtok, "input_usd_per_mtok"),
            cached_input: take(&$file.cached_input_usd_per_mtok, "cached_input_usd_per_mtok"),
            cache_write: take(&$file.cache_write_usd_per_mtok, "cache_write_usd_per_mtok"),
            cache_write_1h: take(&$file.cache_write_1h_usd_per_mtok, "cache_write_1h_usd_per_mtok"),
            output: take(&$file.output_usd_per_mtok, "output_usd_per_mtok"),
            reasoning: take(&$file.reasoning_usd_per_mtok, "reasoning_usd_per_mtok"),
        }
    }};
}
/// One's own.
pub(super) fn own(
    report: &mut Report<'_>,
    list: &Field<Vec<Field<PriceFile>>>,
    path: &Path,
) -> Vec<PriceOverride> {
    let mut unique = Unique::of("model");
    let mut prices = Vec::new();
    for (path, file) in items(report, list, path) {
        let model_path = path.key("model");
        let model = some_text(report, &file.model, &model_path);
        if let Some(model) = &model {
            unique.check(report, model, &model_path);
        }
        let usual = WrittenLadder {
            base: written!(report, file, path),
            above: above(report, &file.above, &path.key("above")),
        };
        let mut tiers = BTreeMap::new();
        for (name, field, tier) in [
            ("batch", &file.batch, ServiceTier::Batch),
            ("flex", &file.flex, ServiceTier::Flex),
            ("priority", &file.priority, ServiceTier::Priority),
            ("fast", &file.fast, ServiceTier::Fast),
        ] {
            if let Some(ladder) = at_tier(report, field, &path.key(name), &usual) {
                tiers.insert(tier, ladder);
            }
        }
        if let (Some(model), Some(standard)) = (model, usual.standard()) {
            prices.push(PriceOverride { model, price: ModelPrice { standard, tiers } });
        }
    }
    prices
}

fn at_tier(
    report: &mut Report<'_>,
    field: &Field<TierFile>,
    path: &Path,
    usual: &WrittenLadder,
) -> Option<Ladder> {
    let file = report.take(field, path)?;
    let written = WrittenLadder {
        base: written!(report, file, path),
        above: above(report, &file.above, &path.key("above")),
    };
    written.tier(usual)
}

fn above(
    report: &mut Report<'_>,
    list: &Field<Vec<Field<AboveFile>>>,
    path: &Path,
) -> BTreeMap<u64, Written> {
    let mut above = BTreeMap::new();
    for (path, file) in items(report, list, path) {
        let tokens_path = path.key("input_tokens");
        let tokens = report.take(&file.input_tokens, &tokens_path).copied();
        let written = written!(report, file, path);
        let Some(tokens) = tokens else { continue };
        if above.insert(tokens, written).is_some() {
            let message = format!("`input_tokens` {tokens} is there twice");
            report.error(&tokens_path, message, "write the prices above one length together");
        }
    }
    above
}

/// Those of a file. What cannot be used of it is named.
pub(super) fn from_file(
    report: &mut Report<'_>,
    field: &Field<PricesFileFile>,
    path: &Path,
    files: &BTreeMap<String, String>,
) -> Option<PricesFile> {
    let file = report.take(field, path)?;
    let date_path = path.key("date");
    let date = report.take(&file.date, &date_path).map(|date| date.0.clone());
    if let Some(date) = date.as_ref().filter(|date| date.parse::<jiff::civil::Date>().is_err()) {
        report.error(&date_path, format!("`{date}` is no day"), "write it like `2026-11-27`");
    }
    let path = path.key("file");
    let name = &report.take(&file.file, &path)?.0;
    let Some(text) = files.get(name) else {
        let hint =
            "it is read from beside the configuration file; send it along when you use the API";
        report.error(&path, format!("there is no file `{name}`"), hint);
        return None;
    };
    if text.len() > litellm::BYTES_MAX {
        let message = format!("`{name}` is larger than {} bytes", litellm::BYTES_MAX);
        report.error(&path, message, "leave out models that are not called");
        return None;
    }
    let read = match litellm::read(text) {
        Ok(read) => read,
        Err(wrong) => {
            let place = Place { line: wrong.line, column: wrong.column };
            report.error_in(name, place, wrong.message, wrong.hint);
            return None;
        }
    };
    for note in read.notes {
        let place = Place { line: note.line, column: note.column };
        report.warning_in(name, place, note.message, note.hint);
    }
    let digest = Digest::of(text.as_bytes());
    Some(PricesFile { file: name.clone(), date, digest, list: Arc::new(read.list) })
}
