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
