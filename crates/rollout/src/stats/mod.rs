//! Tests that may be read at any moment: their error is bounded over all looks together.
//!
//! Each gives the logarithm of an e-value: a number that, were the null hypothesis true, would
//! stay below `1/α` for ever with probability `1 − α` (Ville's inequality). All of them are
//! functions of counts alone, so windows of many gateways merge in any order. Nothing here knows
//! what is measured.
//!
//! Ramdas, Grünwald, Vovk & Shafer, *Game-theoretic statistics and safe anytime-valid inference*,
//! Statistical Science 38(4) 2023.

pub mod bernoulli;
pub mod bounded;
pub mod mean;
pub mod quantile;
pub mod share;

/// `ln Σ exp(x)`, without overflow. −∞ for nothing.
pub(crate) fn ln_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    top + terms.map(|term| (term - top).exp()).sum::<f64>().ln()
}

/// From a value that is refuted at `1 − alpha` towards one that is not: how far it stays refuted, with
/// half of the budget for this side. `ln_e` is the evidence against a value.
pub(crate) fn refuted_until(
    mut refuted: f64,
    mut kept: f64,
    alpha: f64,
    ln_e: impl Fn(f64) -> Option<f64>,
) -> f64 {
    let limit = (2.0 / alpha).ln();
    for _ in 0..40 {
        let middle = f64::midpoint(refuted, kept);
        if ln_e(middle).is_some_and(|ln_e| ln_e >= limit) {
            refuted = middle;
        } else {
            kept = middle;
        }
    }
    refuted
}

/// `n · x`, where no events of an impossible kind are no contradiction: `0 · −∞ = 0`.
pub(crate) fn times(n: u64, x: f64) -> f64 {
    if n == 0 { 0.0 } else { n as f64 * x }
}

/// `ln Σ weight · exp(ln_e)` over alternatives with their weights.
pub(crate) fn mixture<const N: usize>(
    alternatives: &[(f64, f64); N],
    ln_e: impl Fn(f64) -> f64,
) -> f64 {
    let mut terms = [0.0; N];
    for (term, (alternative, _)) in terms.iter_mut().zip(alternatives) {
        *term = ln_e(*alternative);
    }
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    let weighted =
        terms.iter().zip(alternatives).map(|(term, (_, weight))| weight * (term - top).exp());
    top + weighted.sum::<f64>().ln()
}
