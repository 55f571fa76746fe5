//! Whether a request costs the same however many organizations there are (SCALE-7): the processors' time for a
//! request of client credentials over 10 organizations against 100, 1,000 and 10,000.

use super::closed::Figure;
use std::fmt::Write;

const FROM: &str = "token-10";
const TO: [&str; 3] = ["token-100", "token-1000", "token-10000"];
const BAND: f64 = 0.2;

/// A sentence, when the curve was measured.
pub fn verdict(figures: &[Figure]) -> Option<String> {
    let cost = |name: &str| {
        let figure = figures.iter().find(|figure| figure.name == name)?;
        Some(figure.server_us + figure.database_us.unwrap_or(0.0))
    };
    let from = cost(FROM)?;
    let ratios: Vec<f64> = TO
        .iter()
        .map(|name| Some(cost(name)? / from))
        .collect::<Option<_>>()?;
    let flat = ratios.iter().all(|ratio| (ratio - 1.0).abs() <= BAND);
    let mut text = format!(
        "{}: a request costs {from:.0} µs over 10 organizations",
        if flat {
            "flat within ± 20 %"
        } else {
            "NOT flat within ± 20 %"
        }
    );
    for (organizations, ratio) in ["100", "1,000", "10,000"].iter().zip(ratios) {
        let _ = write!(text, ", {ratio:.2} times that over {organizations}");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &str, server_us: f64) -> Figure {
        Figure {
            name: name.into(),
            about: String::new(),
            organizations: 1,
            connections: 1,
            per_second: 1.0,
            per_second_least: 1.0,
            per_second_most: 1.0,
            p50_ms: 1.0,
            p99_ms: 1.0,
            p999_ms: 1.0,
            server_us,
            server_us_least: 1.0,
            server_us_most: 1.0,
            database_us: Some(10.0),
            switches: 1.0,
            resident_mib: 1,
            failed: 0.0,
        }
    }

    #[test]
    fn a_rise_beyond_the_band_is_told_and_a_part_of_the_curve_tells_nothing() {
        let curve = |last| {
            let costs = [90.0, 100.0, 80.0, last];
            let names = ["token-10", "token-100", "token-1000", "token-10000"];
            names
                .iter()
                .zip(costs)
                .map(|(name, us)| figure(name, us))
                .collect::<Vec<_>>()
        };
        let told = verdict(&curve(109.0)).unwrap();
        assert!(
            told.starts_with("flat") && told.contains("1.19 times that over 10,000"),
            "{told}"
        );
        assert!(verdict(&curve(112.0)).unwrap().starts_with("NOT flat"));
        assert!(verdict(&curve(100.0)[..3]).is_none());
    }
}
