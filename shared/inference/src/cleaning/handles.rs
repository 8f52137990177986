//! Names of accounts: `@name`.

use std::ops::Range;

/// The longest name that the large networks allow.
const LONGEST: usize = 30;

/// Where names stand, in bytes, with the sign. What follows a letter, a digit or a slash is part of an address.
pub(super) fn spans(text: &str) -> Vec<Range<usize>> {
    let span = |(at, _): (usize, &str)| {
        let name = text[at + 1..].split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
        let after = text[at + 1 + name.len()..].chars().next();
        let stands_alone = !text[..at].ends_with(|c: char| c.is_alphanumeric() || "_/.@-+".contains(c))
            && !after.is_some_and(|c| c.is_alphanumeric() || c == '@');
        let is_name = name.len() <= LONGEST && name.contains(|c: char| c.is_ascii_alphabetic());
        (stands_alone && is_name).then_some(at..at + 1 + name.len())
    };
    text.match_indices('@').filter_map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = spans(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn names_are_found() {
        check("@CNBC: thanks (@jim_cramer), @a1!", &["@CNBC", "@jim_cramer", "@a1"]);
        check("RT @x", &["@x"]);
    }

    #[test]
    fn addresses_and_prices_are_no_names() {
        for text in ["a@b.example", "@ 5", "5 @2.30", "x/@me", "@@a", "@", "@user@host.example", "@größe"] {
            check(text, &[]);
        }
        check(&format!("@{}", "a".repeat(31)), &[]);
    }
}
