//! Payment card numbers (ISO/IEC 7812-1).

use std::ops::Range;

use super::number::{Run, Window};

/// The longest primary account number.
const LONGEST: usize = 19;

/// Where card numbers stand, in bytes.
pub(super) fn cards(runs: &[Run<'_>]) -> Vec<Range<usize>> {
    runs.iter().flat_map(|run| run.numbers(LONGEST, card)).collect()
}

fn card(window: Window<'_>) -> Option<Range<usize>> {
    let (digits, shape) = (window.digits(), window.shape());
    let mut separators = window.separators();
    let first = separators.next();
    let even = first.is_none_or(|first| matches!(first, " " | "-") && separators.all(|other| other == first));
    // As cards are embossed: 4-4-4-4, 4-6-5, 4-6-4, 4-4-4-4-3.
    let grouped = shape.len() == 1 || (shape[0] == 4 && shape[1..].iter().all(|group| (3..=6).contains(group)));
    let sound = even && grouped && is_issued(&digits) && luhn(&digits) && window.stands_alone(window.before());
    sound.then(|| window.range())
}

/// Whether the check digit agrees: ISO/IEC 7812-1, annex B (Luhn, US patent 2,950,048).
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit) * 2) {
            (0, _) => u32::from(*digit),
            (_, doubled) if doubled > 9 => doubled - 9,
            (_, doubled) => doubled,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether an issuer of payment cards has numbers that begin so and are so long.
fn is_issued(digits: &[u8]) -> bool {
    let Some(head) = digits.get(..4) else { return false };
    let head = head.iter().fold(0, |number, digit| number * 10 + u32::from(*digit));
    match head {
        // Visa.
        4000..=4999 => matches!(digits.len(), 13 | 16 | 19),
        // Mastercard.
        2221..=2720 | 5100..=5599 => digits.len() == 16,
        // American Express.
        3400..=3499 | 3700..=3799 => digits.len() == 15,
        // Diners Club.
        3000..=3059 | 3600..=3699 | 3800..=3999 => (14..=19).contains(&digits.len()),
        // JCB, Discover, UnionPay.
        3528..=3589 | 6011 | 6440..=6599 | 6200..=6299 => (16..=19).contains(&digits.len()),
        // Maestro.
        5000..=5099 | 5600..=5899 | 6300..=6399 | 6700..=6799 => (13..=19).contains(&digits.len()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::number::runs;
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = cards(&runs(text)).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn luhn_agrees_with_the_standard() {
        let digits = |text: &str| text.bytes().map(|byte| byte - b'0').collect::<Vec<_>>();
        // The patent's own scheme on the number that textbooks use: of the ten check digits only 3 agrees.
        for last in 0..10 {
            assert_eq!(luhn(&digits(&format!("7992739871{last}"))), last == 3, "{last}");
        }
        assert!(!luhn(&digits("4111111111111112")) && !luhn(&digits("1411111111111111")));
    }

    #[test]
    fn the_issuers_test_numbers_are_found() {
        for card in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4222222222222",
            "5555-5555-5555-4444",
            "2223003122003222",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "3056 930902 5904",
            "3530111333300000",
            "6200000000000005",
            "6759649826438453",
        ] {
            check(card, &[card]);
            check(&format!("paid with {card}, on 12/31"), &[card]);
            check(&format!("in 2009 {card} 2010"), &[card]);
        }
    }

    #[test]
    fn other_numbers_are_no_cards() {
        for text in [
            "4111 1111 1111 1112",
            "4111 1111-1111 1111",
            "41 11 11 11 11 11 11 11",
            "x4111111111111111",
            "0.4111111111111111",
            "https://example.org/4111111111111111",
            "$4111111111111111",
            "41111111111111111111",
            "1111111111111117",
            "0000 0000 0000 0000",
            "2006 2007 2008 2009",
        ] {
            check(text, &[]);
        }
    }
}
