//! Where costs came from.

use super::{Cell, Look, Part, Section};
use crate::prices::PriceSources;

pub(super) fn prices(prices: &PriceSources) -> Vec<Section> {
    let PriceSources { known, unknown, known_unnamed, unknown_unnamed, .. } = prices;
    let all = known + unknown;
    if all == 0 {
        return Vec::new();
    }
    let mut rows: Vec<[Cell; 2]> = Vec::new();
    for one in &prices.tables {
        rows.push([one.table.as_str().into(), one.interactions.to_string().into()]);
    }
    if *known_unnamed > 0 {
        let unnamed = Cell::new("not named", Look::Open);
        rows.push([unnamed, known_unnamed.to_string().into()]);
    }
    let tables = Section::new(Part::Prices, "Where costs come from")
        .line(format!("The cost of {known} of {all} interactions is known."))
        .table(["table of prices", "interactions"], rows);
    if *unknown == 0 {
        return vec![tables];
    }
    let mut rows: Vec<[Cell; 3]> = Vec::new();
    for one in &prices.unpriced {
        let model = one.model.as_deref().unwrap_or("none named");
        rows.push([model.into(), one.interactions.to_string().into(), one.why().into()]);
    }
    if *unknown_unnamed > 0 {
        let unnamed = Cell::new("not named", Look::Open);
        rows.push([unnamed, unknown_unnamed.to_string().into(), "".into()]);
    }
    let models = Section::new(Part::Prices, "Costs that are not known")
        .line(format!("The cost of {unknown} of {all} interactions is not known and in no sum. `prices` in lockgate.yaml gives models a price."))
        .table(["model", "interactions", "why"], rows);
    vec![tables, models]
}
