//! Figures as business news writes them: `EUR 13.1 mn`, `$2,300`, `16.6 %`, `EUR0 .9 m`.

use std::ops::Range;

/// Currencies that stand before or after a number, as they are written and as what they count.
const CURRENCIES: [(&str, &str); 33] = [
    ("EUR", "EUR"),
    ("euros", "EUR"),
    ("euro", "EUR"),
    ("€", "EUR"),
    ("USD", "USD"),
    ("US$", "USD"),
    ("$", "USD"),
    ("dollars", "USD"),
    ("GBP", "GBP"),
    ("£", "GBP"),
    ("pounds", "GBP"),
    ("SEK", "SEK"),
    ("NOK", "NOK"),
    ("DKK", "DKK"),
    ("crowns", "crowns"),
    ("JPY", "JPY"),
    ("¥", "JPY"),
    ("yen", "JPY"),
    ("CHF", "CHF"),
    ("CNY", "CNY"),
    ("yuan", "CNY"),
    ("RUB", "RUB"),
    ("roubles", "RUB"),
    ("rubles", "RUB"),
    ("LTL", "LTL"),
    ("litas", "LTL"),
    ("LVL", "LVL"),
    ("lats", "LVL"),
    ("EEK", "EEK"),
    ("kroons", "EEK"),
    ("INR", "INR"),
    ("CAD", "CAD"),
    ("AUD", "AUD"),
];
/// What a number is multiplied by, as a power of ten.
const SCALES: [(&str, i32); 13] = [
    ("thousand", 3),
    ("k", 3),
    ("millions", 6),
    ("million", 6),
    ("mln", 6),
    ("mn", 6),
    ("m", 6),
    ("billions", 9),
    ("billion", 9),
    ("bln", 9),
    ("bn", 9),
    ("trillion", 12),
    ("tn", 12),
];
/// How months begin.
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// What makes a number a share.
const PERCENT: [&str; 5] = ["percent", "per cent", "pct", "pc", "%"];

/// A number with what it counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    /// Where it stands, in bytes, its currency and scale included.
    pub(super) span: Range<usize>,
    number: f64,
    currency: Option<&'static str>,
    scale: Option<i32>,
    percent: bool,
}

impl Figure {
    /// Whether two can be set beside each other: a currency or a scale that one of them leaves out is the other's.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        let agree = self.currency.is_none() || other.currency.is_none() || self.currency == other.currency;
        self.percent == other.percent && agree
    }

    /// Whether nothing tells what it counts.
    pub(super) fn is_bare(&self) -> bool {
        self.currency.is_none() && self.scale.is_none() && !self.percent && self.number.fract() == 0.0
    }

    /// Whether they are written in the same currency.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.percent == other.percent && (self.currency == other.currency || other.currency.is_none())
    }

    /// The sizes of this and another one.
    pub(super) fn values_beside(&self, other: &Self) -> (f64, f64) {
        // A number of so many digits is written out: "EUR 4.8 mn from EUR 416,000".
        let written_out = |figure: &Self| figure.scale.is_none() && figure.number.abs() >= 10_000.0;
        let value = |figure: &Self, beside: &Self| {
            let scale = figure.scale.or(if written_out(figure) { None } else { beside.scale });
            figure.number * 10f64.powi(scale.unwrap_or(0))
        };
        (value(self, other), value(other, self))
    }
}

/// The figures of a text, in order. Years, dates, ordinals and parts of names are none.
pub(super) fn figures(text: &str) -> Vec<Figure> {
    let (mut figures, mut from) = (Vec::new(), 0);
    while let Some(start) = text[from..].find(|c: char| c.is_ascii_digit()).map(|at| from + at) {
        let (end, number) = number(text, start);
        from = end;
        let Some(number) = number else { continue };
        let (before, negative, currency_before) = prefix(text, start);
        let (after, scale, percent, currency_after) = suffix(text, end);
        let currency = currency_before.or(currency_after);
        let bare = currency.is_none() && scale.is_none() && !percent;
        let is_year = bare && end - start == 4 && (1900.0..2100.0).contains(&number);
        if is_year || (bare && is_day(text, before)) || is_part(text, before, after) {
            continue;
        }
        from = after;
        let number = if negative { -number } else { number };
        figures.push(Figure { span: before..after, number, currency, scale, percent });
    }
    figures
}

/// Where the number at `start` ends, and the number; none if it is too long to be one.
fn number(text: &str, start: usize) -> (usize, Option<f64>) {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = start + digits(start);
    let mut written = text[start..end].to_owned();
    // Thousands, with a comma that may stand apart: "1,253", "EUR416 ,000".
    while let Some(group) = mark(text, end, ',').filter(|group| digits(*group) == 3) {
        written.push_str(&text[group..group + 3]);
        end = group + 3;
    }
    // Decimals, with a comma, too: "EUR 37,7 mn".
    let comma =
        || text[end..].strip_prefix(',').map(|_| end + 1).filter(|fraction| (1..3).contains(&digits(*fraction)));
    if let Some(fraction) = mark(text, end, '.').or_else(comma) {
        let places = digits(fraction);
        written.push('.');
        written.push_str(&text[fraction..fraction + places]);
        end = fraction + places;
    }
    (end, written.parse().ok().filter(|_| written.len() <= 18))
}

/// Where digits go on after this mark, which a space may stand before.
fn mark(text: &str, at: usize, mark: char) -> Option<usize> {
    let rest = &text[at..];
    let after = rest.strip_prefix(' ').unwrap_or(rest).strip_prefix(mark)?;
    after.starts_with(|c: char| c.is_ascii_digit()).then_some(text.len() - after.len())
}

/// Where a figure begins, whether it is below zero, and its currency, if that stands before.
fn prefix(text: &str, start: usize) -> (usize, bool, Option<&'static str>) {
    let mut before = &text[..start];
    let minus = |before: &str| {
        let rest = before.strip_suffix('-').or_else(|| before.strip_suffix('\u{2212}'))?;
        // Elsewhere it is a hyphen: "F-16".
        (rest.is_empty() || rest.ends_with([' ', '('])).then_some(rest.len())
    };
    let mut negative = false;
    if let Some(end) = minus(before) {
        (before, negative) = (&before[..end], true);
    }
    let close = before.strip_suffix(' ').unwrap_or(before);
    let currency = CURRENCIES
        .iter()
        .find(|(written, _)| close.strip_suffix(written).is_some_and(|rest| !rest.ends_with(char::is_alphanumeric)));
    match currency {
        Some((written, currency)) => {
            let rest = close.len() - written.len();
            match minus(&close[..rest]) {
                Some(end) => (end, true, Some(currency)),
                None => (rest, negative, Some(currency)),
            }
        }
        None => (before.len(), negative, None),
    }
}

/// Where a figure ends, its scale, whether it is a share, and its currency, if that stands after.
fn suffix(text: &str, end: usize) -> (usize, Option<i32>, bool, Option<&'static str>) {
    if let Some(end) = PERCENT.iter().find_map(|written| unit(text, end, written)) {
        return (end, None, true, None);
    }
    let scale = SCALES.iter().find_map(|(written, power)| Some((unit(text, end, written)?, *power)));
    let end = scale.map_or(end, |(end, _)| end);
    let currency = CURRENCIES.iter().find_map(|(written, name)| Some((unit(text, end, written)?, *name)));
    let end = currency.map_or(end, |(end, _)| end);
    (end, scale.map(|(_, power)| power), false, currency.map(|(_, name)| name))
}

/// Where this unit ends, if it stands here, a space before it or none, and no letter behind it. A sign such as `$` is of the number
/// that follows it.
fn unit(text: &str, at: usize, written: &str) -> Option<usize> {
    let rest = &text[at..];
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let head = rest.get(..written.len()).filter(|head| head.eq_ignore_ascii_case(written))?;
    let after = &rest[head.len()..];
    let ends = !after.starts_with(char::is_alphanumeric);
    let of_next = CURRENCIES.iter().any(|(own, _)| *own == written)
        && after.trim_start().starts_with(|c: char| c.is_ascii_digit());
    (ends && !of_next).then_some(text.len() - after.len())
}

/// Whether a month stands before.
fn is_day(text: &str, start: usize) -> bool {
    let before = text[..start].trim_end();
    let word = before.rsplit(|c: char| !c.is_alphabetic() && c != '.').next().unwrap_or("");
    MONTHS.iter().any(|month| {
        word.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(month)) && word.starts_with(char::is_uppercase)
    })
}

/// Whether it is a part of something else: `3G`, `12th`, `12-month`, `2008/09`, `10:30`.
fn is_part(text: &str, start: usize, end: usize) -> bool {
    let joins = |c: char| c.is_alphanumeric() || "-/:_&".contains(c);
    text[..start].ends_with(joins) || text[end..].starts_with(joins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, f64)]) {
        let found = figures(text);
        let found: Vec<(&str, f64)> =
            found.iter().map(|figure| (&text[figure.span.clone()], figure.values_beside(figure).0)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn numbers_are_read_with_what_they_count() {
        check("profit of EUR 13.1 mn, up", &[("EUR 13.1 mn", 13.1e6)]);
        check("$2,300 or 5k", &[("$2,300", 2300.0), ("5k", 5000.0)]);
        check("16.6 %, 5pct and 3 per cent", &[("16.6 %", 16.6), ("5pct", 5.0), ("3 per cent", 3.0)]);
        check("EUR0 .9 m and EUR416 ,000", &[("EUR0 .9 m", 0.9e6), ("EUR416 ,000", 416_000.0)]);
        check("EUR 37,7 mn, 1,5 %", &[("EUR 37,7 mn", 37.7e6), ("1,5 %", 1.5)]);
        check("-EUR 2 m, EUR -3 m", &[("-EUR 2 m", -2e6), ("EUR -3 m", -3e6)]);
        check("8.5 mln euro ($12.4 mln)", &[("8.5 mln euro", 8.5e6), ("$12.4 mln", 12.4e6)]);
    }

    #[test]
    fn years_dates_and_names_are_none() {
        check("ended August 31, 2006, and Sept. 30", &[]);
        check("in 2008 on 12/11, a 3G or F-16 12-month 7th at 10:30", &[]);
        check("EUR 2000 in 1999", &[("EUR 2000", 2000.0)]);
    }

    #[test]
    fn what_one_leaves_out_is_the_others() {
        let all = figures("EUR 8.77 mn, 7.04, USD 7, 5 %, EUR 416,000");
        let [euros, bare, dollars, share, written_out] = &all[..] else { panic!("{all:?}") };
        assert!(euros.is_beside(bare) && !euros.is_beside(dollars) && !bare.is_beside(share));
        assert_eq!(euros.values_beside(bare), (8.77e6, 7.04e6));
        assert_eq!(euros.values_beside(written_out), (8.77e6, 416_000.0));
    }
}
