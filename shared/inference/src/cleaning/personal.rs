//! Personal data in texts: e-mail addresses, phone numbers, payment cards and IBANs.
//!
//! The scanners look for what has a form that can be checked. They are a warning, not a proof of absence: names and postal
//! addresses have no such form.

mod bank;
mod email;
mod number;
mod payment;
mod phone;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A kind of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonalKind {
    /// `local@domain` (RFC 5322, without quoted local parts).
    EmailAddress,
    /// An international number (ITU-T E.164), a North American one, or one with a trunk zero, written in groups.
    PhoneNumber,
    /// A card number of a known issuer's range whose check digit agrees (ISO/IEC 7812-1).
    PaymentCard,
    /// An IBAN of its country's length whose check digits agree (ISO 13616).
    Iban,
}

/// A finding in one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: PersonalKind,
    /// Where it stands, in bytes, on characters' borders.
    pub range: Range<usize>,
}

impl PersonalKind {
    /// All kinds, in the order of a card.
    pub const ALL: [Self; 4] = [Self::EmailAddress, Self::PhoneNumber, Self::PaymentCard, Self::Iban];

    /// What takes a value's place.
    fn placeholder(self) -> &'static str {
        match self {
            Self::EmailAddress => "[EMAIL]",
            Self::PhoneNumber => "[PHONE]",
            Self::PaymentCard => "[CARD]",
            Self::Iban => "[IBAN]",
        }
    }

    /// What may be shown of a value.
    pub fn mask(self, value: &str) -> String {
        match self {
            Self::EmailAddress => email::mask(value),
            Self::PhoneNumber => keep_ends(value, 0, 2),
            Self::PaymentCard => keep_ends(value, 0, 4),
            Self::Iban => keep_ends(value, 2, 2),
        }
    }
}

impl fmt::Display for PersonalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmailAddress => "e-mail addresses",
            Self::PhoneNumber => "phone numbers",
            Self::PaymentCard => "payment cards",
            Self::Iban => "IBANs",
        })
    }
}

/// The text with every finding masked: `j***@***.org`.
pub fn masked(text: &str) -> String {
    rewritten(text, |kind, value| kind.mask(value))
}

/// The text with a placeholder for every finding, and the kinds that were found.
pub(super) fn with_placeholders(text: &str) -> (String, BTreeSet<PersonalKind>) {
    let mut kinds = BTreeSet::new();
    let text = rewritten(text, |kind, _| {
        kinds.insert(kind);
        kind.placeholder().to_owned()
    });
    (text, kinds)
}

fn rewritten(text: &str, mut write: impl FnMut(PersonalKind, &str) -> String) -> String {
    let (mut written, mut end) = (String::with_capacity(text.len()), 0);
    for Finding { kind, range } in findings(text) {
        written.push_str(&text[end..range.start]);
        written.push_str(&write(kind, &text[range.clone()]));
        end = range.end;
    }
    written + &text[end..]
}

/// All findings, in the text's order, none of which overlap: what is checked best wins.
pub fn findings(text: &str) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut add = |kind: PersonalKind, ranges: Vec<Range<usize>>| {
        for range in ranges {
            if found.iter().all(|other| range.end <= other.range.start || other.range.end <= range.start) {
                found.push(Finding { kind, range });
            }
        }
    };
    add(PersonalKind::Iban, bank::ibans(text));
    add(PersonalKind::EmailAddress, email::addresses(text));
    let runs = number::runs(text);
    add(PersonalKind::PaymentCard, payment::cards(&runs));
    add(PersonalKind::PhoneNumber, phone::phones(&runs));
    found.sort_unstable_by_key(|finding| finding.range.start);
    found
}

/// Letters and digits become asterisks, but for the first `head` and the last `tail` of them; separators stay.
fn keep_ends(value: &str, head: usize, tail: usize) -> String {
    let all = value.chars().filter(|c| c.is_alphanumeric()).count();
    let mut index = 0;
    let shown = value.chars().map(|c| {
        if !c.is_alphanumeric() {
            return c;
        }
        index += 1;
        if index <= head || index + tail > all { c } else { '*' }
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_count_once() {
        // The account's digits would pass for a card, the address's for a phone number.
        let text = "GB82 WEST 1234 5698 7654 32, 212-555-0123@example.org";
        let kinds: Vec<PersonalKind> = findings(text).into_iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, [PersonalKind::Iban, PersonalKind::EmailAddress]);
    }

    #[test]
    fn masking_leaves_the_rest_of_a_text() {
        assert_eq!(masked("Zürich: jane@example.org, 4222222222222!"), "Zürich: j***@***.org, *********2222!");
        assert_eq!(masked("profit rose 5 %"), "profit rose 5 %");
        assert_eq!(masked(""), "");
        let (text, kinds) = with_placeholders("Zürich: jane@example.org, joe@example.org, 4222222222222!");
        assert_eq!(text, "Zürich: [EMAIL], [EMAIL], [CARD]!");
        assert_eq!(Vec::from_iter(kinds), [PersonalKind::EmailAddress, PersonalKind::PaymentCard]);
    }
}
