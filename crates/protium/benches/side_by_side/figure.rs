//! One line of the table: what was measured, beside what, and whether it is enough.

use std::fmt::Write as _;

/// A figure and the bound that it must reach.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) measured: String,
    pub(crate) against: String,
    pub(crate) reference: String,
    pub(crate) ratio: String,
    pub(crate) target: String,
    pub(crate) reached: bool,
}

impl Figure {
    /// Protium does at least `part` (0.35 is 35 %) of the reference's requests per second.
    pub(crate) fn share(what: impl Into<String>, measured: f64, against: &str, reference: f64, part: f64) -> Self {
        let ratio = measured / reference;
        Self {
            what: what.into(),
            measured: rate(measured),
            against: against.to_owned(),
            reference: rate(reference),
            ratio: format!("{:.0} %", ratio * 100.0),
            target: format!("≥ {:.0} %", part * 100.0),
            reached: ratio >= part,
        }
    }

    /// Protium does at least `times` of the reference's operations per second.
    pub(crate) fn times(what: impl Into<String>, measured: f64, against: &str, reference: f64, times: f64) -> Self {
        let ratio = measured / reference;
        Self {
            what: what.into(),
            measured: rate(measured),
            against: against.to_owned(),
            reference: rate(reference),
            ratio: format!("{ratio:.1} ×"),
            target: format!("≥ {times:.0} ×"),
            reached: ratio >= times,
        }
    }

    /// At most so much of a unit.
    pub(crate) fn bound(
        what: impl Into<String>,
        measured: f64,
        against: impl Into<String>,
        bound: f64,
        unit: &str,
    ) -> Self {
        let digits = usize::from(measured < 10.0 && measured.fract() != 0.0);
        Self {
            what: what.into(),
            measured: format!("{measured:.digits$} {unit}"),
            against: against.into(),
            reference: String::new(),
            ratio: String::new(),
            target: format!("≤ {bound} {unit}"),
            reached: measured <= bound,
        }
    }
}

impl Figure {
    /// A figure without a bound.
    pub(crate) fn told(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            measured: measured.into(),
            against: String::new(),
            reference: String::new(),
            ratio: String::new(),
            target: String::new(),
            reached: true,
        }
    }
}

fn rate(per_second: f64) -> String {
    let digits = usize::from(per_second < 100.0);
    format!("{per_second:.digits$} /s")
}

/// The figures as a table in Markdown, which reads well in a terminal too.
pub(crate) fn table(figures: &[Figure]) -> String {
    let heading = ["what", "Protium", "beside", "reference", "ratio", "target", ""].map(str::to_owned);
    let rows = figures.iter().map(|figure| {
        let verdict = if figure.reached { "ok" } else { "MISS" };
        let cells = [&figure.what, &figure.measured, &figure.against, &figure.reference, &figure.ratio, &figure.target];
        let [what, measured, against, reference, ratio, target] = cells.map(Clone::clone);
        [what, measured, against, reference, ratio, target, verdict.to_owned()]
    });
    let rows: Vec<[String; 7]> = std::iter::once(heading).chain(rows).collect();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..7).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if number == 0 {
            widths.iter().for_each(|width| {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            });
            text.push_str("|\n");
        }
    }
    text
}
