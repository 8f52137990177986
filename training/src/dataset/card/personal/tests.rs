use std::path::Path;

use super::*;
use crate::error::Location;

fn row(text: &str, line: u64) -> Row {
    Row {
        text: text.to_owned(),
        agreement: 1.0,
        label: "a".to_owned(),
        at: Location { path: Path::new("rows.csv").into(), line },
        extra: Vec::new(),
    }
}

#[test]
fn every_kind_is_counted_masked_and_placed() {
    let rows = [
        row("nothing here but 2009 and 5 %", 2),
        row("mail jane@example.org or joe@example.org", 3),
        row("card 4111 1111 1111 1111, IBAN DE89 3704 0044 0532 0130 00", 4),
        row("call +44 20 7946 0958", 5),
        row("ann@example.com", 6),
        row("bob@example.com", 7),
    ];
    let [email, phone, card, iban] = PersonalData::scan(&rows).try_into().unwrap();
    assert_eq!((email.kind, email.count, email.rows), (PersonalKind::EmailAddress, 4, 3));
    let shown: Vec<_> = email.shown.iter().map(|place| (place.masked.as_str(), place.at.to_string())).collect();
    let expected = [("j***@***.org", 3), ("j***@***.org", 3), ("a***@***.com", 6)];
    assert_eq!(shown, expected.map(|(masked, line)| (masked, format!("rows.csv:{line}"))));
    assert_eq!((phone.count, phone.shown[0].masked.as_str()), (1, "+** ** **** **58"));
    assert_eq!((card.count, card.shown[0].masked.as_str()), (1, "**** **** **** 1111"));
    assert_eq!((iban.count, iban.shown[0].masked.as_str()), (1, "DE** **** **** **** **** 00"));
}

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
