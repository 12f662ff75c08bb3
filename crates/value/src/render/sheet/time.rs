//! What changed: versions, windows, points in time, months to come.

use super::{Cell, Look, Part, Section};
use crate::catalog::MeasureId;
use crate::forecast::Forecast;
use crate::gather::End;
use crate::render::figure::{plain, signed, with_unit};
use crate::report::{Change, Step, Trend, ValueReport, VersionValue};

pub(super) fn versions(report: &ValueReport) -> Section {
    let section = Section::new(Part::Versions, "Versions: what each release did");
    if report.versions.is_empty() {
        return section.line("No version answered in this window.");
    }
    let rows = report.versions.iter().map(|one| {
        let mut cells = [
            one.agent.to_string().into(),
            one.version.to_string().into(),
            report.window.told(one.first_wall_ms).into(),
            ended(one).into(),
            one.change
                .as_ref()
                .map_or_else(String::new, |change| change.against.to_string())
                .into(),
            "".into(),
            "".into(),
            "".into(),
            "".into(),
            "".into(),
        ];
        let ids = [
            MeasureId::Interactions,
            MeasureId::ReplacementRate,
            MeasureId::ErrorRate,
            MeasureId::CostPerResolved,
            MeasureId::Nps,
        ];
        for (cell, id) in cells.iter_mut().skip(5).zip(ids) {
            *cell = of_version(one, id);
        }
        cells
    });
    section
        .line("A change against the version that was stable when its release began stands in brackets; it counts as better or worse only when chance alone would not do as much.")
        .table(
            ["agent", "version", "first seen", "release", "compared with", "interactions", "replacement", "errors", "cost per resolved", "NPS"],
            rows,
        )
}

fn ended(one: &VersionValue) -> &'static str {
    match one.end {
        Some(End::Promoted) => "promoted",
        Some(End::RolledBack) => "rolled back",
        Some(End::Aborted) => "aborted",
        Some(End::Superseded) => "superseded",
        None => "",
    }
}

fn of_version(one: &VersionValue, id: MeasureId) -> Cell {
    let measured = one.measures.iter().find(|measured| measured.id == id);
    let Some(value) = measured.and_then(|measured| measured.value) else {
        return Cell::new("missing", Look::Open);
    };
    let shown = with_unit(value, id.spec().unit);
    let change = one.change.as_ref().and_then(|change| change.rows.iter().find(|row| row.id == id));
    match change.and_then(|row| Some((row, row.change?))) {
        Some((row, change)) => {
            Cell::new(format!("{shown} ({})", signed(change, id.spec().unit)), look(row))
        }
        None => shown.into(),
    }
}

fn look(change: &Change) -> Look {
    match change.better {
        Some(true) => Look::Good,
        Some(false) => Look::Bad,
        None => Look::Plain,
    }
}

pub(super) fn compared(report: &ValueReport) -> Option<Section> {
    let compared = report.compared.as_ref()?;
    let before = &compared.before;
    let (from, to) = (before.told(before.from_wall_ms()), before.told(before.to_wall_ms()));
    let rows = compared.rows.iter().map(|row| {
        let spec = row.id.spec();
        let shown = |value: Option<f64>| {
            value.map_or_else(|| "missing".to_owned(), |value| with_unit(value, spec.unit))
        };
        let change = row.change.map_or_else(String::new, |change| signed(change, spec.unit));
        [
            spec.label.into(),
            shown(row.before).into(),
            shown(row.after).into(),
            Cell::new(change, look(row)),
        ]
    });
    let section = Section::new(Part::Compared, "Against another window")
        .line(format!("Before: {from} to {to} {}.", before.time_zone()));
    Some(section.table(["measure", "before", "now", "change"], rows))
}

pub(super) fn trend(trend: &Trend) -> Section {
    let step = match trend.step {
        Step::Day => "day",
        Step::Week => "week",
        Step::Month => "month",
    };
    let section = Section::new(Part::Trend, format!("By {step}"));
    if trend.points.is_empty() {
        return section.line("Nothing happened in this window.");
    }
    let shown = |value: Option<f64>, unit: &str| {
        value.map_or_else(
            || Cell::new("missing", Look::Open),
            |value| format!("{}{unit}", plain(value)).into(),
        )
    };
    let rows = trend.points.iter().map(|point| {
        [
            point.from.to_string().into(),
            plain(point.interactions as f64).into(),
            shown(point.replacement_rate, " %"),
            shown(point.error_rate, " %"),
            shown(point.nps, ""),
            shown(point.cost_usd, " USD"),
        ]
    });
    section.table(["from", "interactions", "replacement", "errors", "NPS", "cost"], rows)
}

pub(super) fn forecast(forecast: &Forecast) -> Section {
    let mut section = Section::new(Part::Forecast, "When the investment comes back");
    let month = |date: jiff::civil::Date| date.strftime("%Y-%m").to_string();
    if let Some(missing) = &forecast.missing {
        section = section.line(format!("No month: {}.", missing.why));
    }
    if let Some(payback) = forecast.payback {
        let told = if forecast.reached {
            "It came back in"
        } else {
            "At the mean of the months seen it comes back in"
        };
        section = section.line(format!("{told} {}.", month(payback)));
        if !forecast.reached {
            let earliest = forecast.earliest.map_or_else(|| "unknown".to_owned(), month);
            let latest = forecast.latest.map_or_else(|| "perhaps never".to_owned(), month);
            section = section.line(format!("95 % interval of the mean: {earliest} to {latest}."));
        }
    }
    if let (Some(mean), Some(low), Some(high)) =
        (forecast.monthly_net_usd, forecast.monthly_low_usd, forecast.monthly_high_usd)
    {
        section = section.line(format!(
            "Net saving of a whole month: {} USD ({} to {}).",
            plain(mean),
            plain(low),
            plain(high)
        ));
    }
    if let Some(investment) = forecast.investment_usd {
        section = section.line(format!("Invested: {} USD.", plain(investment)));
    }
    for assumption in &forecast.assumptions {
        section = section.line(format!("Assumed: {assumption}."));
    }
    let rows = forecast.months.iter().map(|one| {
        let owed = one.cumulative_usd.map_or_else(String::new, |sum| format!("{} USD", plain(sum)));
        let days = format!("{} of {}", plain(one.counted_days), one.month.days_in_month());
        let net = format!("{} USD", plain(one.net_usd));
        [month(one.month).into(), days.into(), net.into(), owed.into()]
    });
    section.table(["month", "days that count", "net saving", "sum less investment"], rows)
}
