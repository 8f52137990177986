//! Phone numbers, in the forms that cannot well be anything else.

use std::ops::Range;

use super::number::{Run, Window};

/// The longest international number with its `00` (ITU-T E.164, section 6.2.1: 15 digits).
const LONGEST: usize = 17;

/// Where phone numbers stand, in bytes. Digits in one piece without `+` are not taken for a phone number.
pub(super) fn phones(runs: &[Run<'_>]) -> Vec<Range<usize>> {
    runs.iter().flat_map(|run| run.numbers(LONGEST, phone)).collect()
}

fn phone(window: Window<'_>) -> Option<Range<usize>> {
    let (digits, shape, before) = (window.digits(), window.shape(), window.before());
    let separators: Vec<&str> = window.separators().collect();
    let outside = before.strip_suffix('(').unwrap_or(before);
    let (outside, is_phone) = match outside.strip_suffix('+') {
        Some(outside) => (outside.strip_suffix('(').unwrap_or(outside), is_international(&digits) && digits.len() >= 8),
        None => {
            let is_phone = is_international_by_zeros(&digits, &shape)
                || is_north_american(&digits, &shape, &separators)
                || has_trunk_zero(&digits, &shape, &separators);
            (outside, is_phone)
        }
    };
    let range = window.range();
    (is_phone && window.stands_alone(outside)).then_some(outside.len()..range.end)
}

/// Digits behind a `+`: a country code and at most 15 in all; in the North American plan, whose code is 1, a whole number.
fn is_international(digits: &[u8]) -> bool {
    match digits {
        [1, national @ ..] => is_north_american_number(national),
        [2..=9, ..] => digits.len() <= 15,
        _ => false,
    }
}

/// `00` in place of the `+`, written in groups.
fn is_international_by_zeros(digits: &[u8], shape: &[usize]) -> bool {
    matches!(digits, [0, 0, rest @ ..] if rest.len() >= 9 && is_international(rest)) && shape.len() >= 2
}

/// `(212) 555-0123`, `1-800-555-0199`, `212.555.0123`; between spaces alone it may be three numbers.
fn is_north_american(digits: &[u8], shape: &[usize], separators: &[&str]) -> bool {
    let national = match (digits, shape) {
        ([1, national @ ..], [1, 3, 3, 4]) => national,
        (national, [3, 3, 4]) => national,
        _ => return false,
    };
    is_north_american_number(national) && separators.iter().any(|separator| separator.contains(['-', '.', ')']))
}

/// Area code and exchange begin with 2 to 9 (ATIS-0300119).
fn is_north_american_number(national: &[u8]) -> bool {
    matches!(national, [2..=9, _, _, 2..=9, ..]) && national.len() == 10
}

/// `020 7946 0958`, `030/1234567`, `0171-1234567`, `01 23 45 67 89`.
fn has_trunk_zero(digits: &[u8], shape: &[usize], separators: &[&str]) -> bool {
    let in_pairs = shape == [2; 5];
    let by_area = matches!(shape, [3..=6, _, ..])
        && shape.iter().all(|group| *group >= 2)
        && separators.iter().all(|separator| !separator.contains('.'));
    matches!(digits, [0, 1..=9, ..]) && (9..=12).contains(&digits.len()) && (in_pairs || by_area)
}

#[cfg(test)]
mod tests {
    use super::super::number::runs;
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = phones(&runs(text)).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn phone_numbers_are_found() {
        // Numbers that are set aside for examples: +1 555 01xx, Ofcom's drama numbers, E.123's own.
        for phone in [
            "+44 20 7946 0958",
            "+44 (0)20 7946 0958",
            "+14155550123",
            "+1 (415) 555-0123",
            "(+49) 30 123456",
            "0044 20 7946 0958",
            "(212) 555-0123",
            "212-555-0123",
            "212.555.0123",
            "1-800-555-0199",
            "020 7946 0958",
            "(020) 7946 0958",
            "030/1234567",
            "01 23 45 67 89",
            "01.23.45.67.89",
        ] {
            check(phone, &[phone]);
            check(&format!("call {phone}."), &[phone]);
            check(&format!("Tel:{phone}, or write"), &[phone]);
        }
        check("212-555-0123 or 212-555-0124", &["212-555-0123", "212-555-0124"]);
    }

    #[test]
    fn other_numbers_are_no_phones() {
        for text in [
            "2125550123",
            "212 555 0123",
            "2009-12-31 10:30",
            "01-02-2009 10:30",
            "EUR 1 234 567 890",
            "+5.3 % to 1,234,567",
            "+1 234 567 people",
            "shares rose 0.212-555-0123",
            "from 100-200-3000 units",
            "id 212-555-0123-99",
            "192.168.100.200",
            "$212.555.0123",
            "2006 2007 2008",
            "+0123456789",
            "",
        ] {
            check(text, &[]);
        }
    }
}
