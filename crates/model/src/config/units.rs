//! Human units to plain numbers.

/// The longest span of time in a file: ten years.
const DURATION_MAX_MS: u64 = 3_650 * 86_400_000;

/// Milliseconds of `4h`, `1h30m`, `250ms`.
pub fn duration_ms(text: &str) -> Result<u64, &'static str> {
    let malformed = "is not a duration";
    let mut rest = text;
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(malformed);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(malformed)?;
        let (count, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(end);
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(malformed),
        };
        if count.is_empty() {
            return Err(malformed);
        }
        total = count
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(unit_ms))
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= DURATION_MAX_MS)
            .ok_or("is longer than ten years")?;
        rest = next;
    }
    Ok(total)
}

/// `4h`, `1h30m`, `250ms`.
pub(super) fn show_duration(mut ms: u64) -> String {
    if ms == 0 {
        return "0s".into();
    }
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut text = String::new();
    for (unit, unit_ms) in units {
        if ms >= unit_ms && (unit != "d" || ms.is_multiple_of(unit_ms)) {
            text.push_str(&(ms / unit_ms).to_string());
            text.push_str(unit);
            ms %= unit_ms;
        }
    }
    text
}

/// Bytes of `32MiB`.
pub(super) fn size_bytes(text: &str) -> Result<u64, &'static str> {
    let malformed = "is not a size";
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(malformed)?;
    let (count, unit) = text.split_at(digits);
    let unit_bytes: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(malformed),
    };
    let count: u64 = count.parse().map_err(|_| malformed)?;
    count.checked_mul(unit_bytes).filter(|bytes| *bytes <= 1 << 40).ok_or("is larger than 1024GiB")
}

/// Basis points of a number of percent.
pub(super) fn basis_points(percent: f64) -> Result<u32, &'static str> {
    if !percent.is_finite() {
        return Err("is not a finite number");
    }
    if percent < 0.0 {
        return Err("is negative");
    }
    if percent > 100.0 {
        return Err("is more than 100 %");
    }
    let points = percent * 100.0;
    if (points - points.round()).abs() > 1e-6 {
        return Err("has more than two decimals");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 10,000, see above"
    )]
    Ok(points.round() as u32)
}

/// Basis points as percent: `12.5`.
pub(super) fn show_percent(basis_points: u32) -> f64 {
    f64::from(basis_points) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration_ms("4h"), Ok(14_400_000));
        assert_eq!(duration_ms("1h30m"), Ok(5_400_000));
        assert_eq!(duration_ms("250ms"), Ok(250));
        for bad in ["", "4", "h", "4 h", "4x", "-4h", "4h3"] {
            assert_eq!(duration_ms(bad), Err("is not a duration"), "{bad}");
        }
        for long in ["4000d", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(duration_ms(long), Err("is longer than ten years"), "{long}");
        }
        for text in ["0s", "4h", "1h30m", "250ms", "7d", "25h"] {
            assert_eq!(show_duration(duration_ms(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size_bytes("32MiB"), Ok(33_554_432));
        assert_eq!(size_bytes("0B"), Ok(0));
        for bad in ["", "32", "MiB", "32MB", "9999999999GiB"] {
            assert!(size_bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn weights() {
        assert_eq!(basis_points(12.34), Ok(1_234));
        assert_eq!(basis_points(0.01), Ok(1));
        assert_eq!(basis_points(100.0), Ok(10_000));
        for bad in [-0.01, 100.01, 0.001, f64::NAN, f64::INFINITY] {
            assert!(basis_points(bad).is_err(), "{bad}");
        }
    }
}
