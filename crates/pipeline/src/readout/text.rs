//! A readout as text.

use std::fmt::Write as _;

use tessera_spec::shown::grouped;

use super::{ExperimentRead, Readout, VariantRead};

/// Shown in place of a missing number.
const NONE: &str = "-";

pub(super) fn text(readout: &Readout) -> String {
    let of = |experiment: &ExperimentRead| of_experiment(readout, experiment);
    let texts: Vec<String> = readout.experiments.iter().map(of).collect();
    texts.join("\n")
}

/// A number with three significant digits; from 100 on whole.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    let sign = if value < 0.0 { "-" } else { "" };
    if size >= 99.95 {
        return format!("{sign}{}", grouped(size.round() as u64));
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    if size < 0.000_1 {
        return format!("{value:.2e}");
    }
    let decimals = (2 - size.log10().floor() as i32).clamp(0, 6) as usize;
    format!("{value:.decimals$}")
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| NONE.to_owned(), number)
}

fn count(value: i64) -> String {
    grouped(value.unsigned_abs())
}

fn of_experiment(readout: &Readout, experiment: &ExperimentRead) -> String {
    let mut to = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        to,
        "experiment {}, version {} of {}",
        experiment.experiment, readout.version, readout.as_of
    );
    let _ = writeln!(to, "  {}", drawn(experiment));
    let adjusted = match experiment.adjusted {
        true => ", adjusted by what it was then (CUPED)",
        false => "",
    };
    let _ = writeln!(
        to,
        "  compared by {} of customers drawn {} days before or earlier{adjusted}",
        experiment.metric, experiment.measured_days
    );
    if let Some(p) = experiment.srm_p {
        let _ = writeln!(
            to,
            "  chance alone makes groups as uneven as these with probability {}",
            number(p)
        );
    }
    to.push('\n');
    to.push_str(&table(experiment));
    for variant in experiment.variants.iter().filter(|one| !one.control) {
        to.push('\n');
        of_variant(variant, &mut to);
    }
    to
}

/// Who is drawn, and when.
fn drawn(experiment: &ExperimentRead) -> String {
    let whom = match (&experiment.scheme, &experiment.segment) {
        (Some(scheme), Some(segment)) => {
            format!("draws the customers of segment {segment} of scheme {scheme}")
        }
        _ => "draws all customers".to_owned(),
    };
    let from = experiment.starts.map(|day| format!(" from {day}"));
    let to = experiment.ends.map(|day| format!(" to {day}"));
    let ended = match experiment.ended {
        true => "; it has ended",
        false => "",
    };
    format!(
        "{whom}{}{}{ended}",
        from.unwrap_or_default(),
        to.unwrap_or_default()
    )
}

/// The groups, one a line.
fn table(experiment: &ExperimentRead) -> String {
    let mut head = vec![
        "variant",
        "share",
        "drawn",
        "lost",
        "too recent",
        "unknown",
        "compared",
        "mean",
        "std",
    ];
    if experiment.adjusted {
        head.push("adjusted mean");
    }
    let mut rows: Vec<Vec<String>> = vec![head.into_iter().map(str::to_owned).collect()];
    for one in &experiment.variants {
        let mut row = vec![
            one.variant.clone(),
            percent(one.share),
            count(one.enrolled),
            count(one.lost),
            count(one.too_recent),
            count(one.missing),
            count(one.customers),
            shown(one.mean),
            shown(one.std),
        ];
        if experiment.adjusted {
            row.push(shown(one.adjusted_mean));
        }
        rows.push(row);
    }
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|place| {
            let lengths = rows.iter().map(|row| row[place].chars().count());
            lengths.max().unwrap_or_default()
        })
        .collect();
    let mut to = String::new();
    for row in &rows {
        let _ = write!(to, "  {:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            let _ = write!(to, "  {cell:>width$}");
        }
        to.push('\n');
    }
    to
}

fn of_variant(variant: &VariantRead, to: &mut String) {
    let _ = writeln!(to, "  {}: {}", variant.variant, variant.verdict);
    if let Some(difference) = variant.difference {
        let _ = writeln!(to, "    {}", difference_text(variant, difference));
    }
    if let (Some(share), Some(low), Some(high)) =
        (variant.uplift, variant.uplift_low, variant.uplift_high)
    {
        let _ = writeln!(
            to,
            "    {} of control's mean ({} to {} if looked at once)",
            signed(share, percent),
            signed(low, percent),
            signed(high, percent)
        );
    }
    let _ = writeln!(to, "    why: {}", variant.reason);
    if let Some(next) = &variant.next {
        let _ = writeln!(to, "    do: {next}");
    }
}

/// The difference with its two intervals.
fn difference_text(variant: &VariantRead, difference: f64) -> String {
    let range = |low: Option<f64>, high: Option<f64>, when: &str| {
        let (low, high) = low.zip(high)?;
        Some(format!(
            "{} to {} {when}",
            signed(low, number),
            signed(high, number)
        ))
    };
    let anytime = range(
        variant.anytime_low,
        variant.anytime_high,
        "however often it is looked at",
    );
    let once = range(
        variant.difference_low,
        variant.difference_high,
        "if looked at once",
    );
    let p = variant.p.map(|p| format!("p {}", number(p)));
    let parts: Vec<String> = [anytime, once, p].into_iter().flatten().collect();
    format!(
        "{} against control ({})",
        signed(difference, number),
        parts.join("; ")
    )
}

/// A number with its sign.
fn signed(value: f64, shown: fn(f64) -> String) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    format!("{sign}{}", shown(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (value, want) in [
            (0.0, "0"),
            (1234.4, "1,234"),
            (-123.4, "-123"),
            (99.94, "99.9"),
            (99.96, "100"),
            (12.345, "12.3"),
            (-1.0, "-1.00"),
            (0.052_14, "0.0521"),
            (0.000_012_3, "1.23e-5"),
        ] {
            assert_eq!(number(value), want);
        }
        assert_eq!(signed(0.0521, percent), "+5.2%");
        assert_eq!(signed(-0.5, percent), "-50.0%");
    }
}
