//! International bank account numbers (ISO 13616-1:2020).

use std::ops::Range;

/// Each country's IBAN length in characters, as in the registry that SWIFT keeps for ISO 13616.
const LENGTHS: &str = "\
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 \
    ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 \
    LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 \
    QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

/// Where IBANs stand, in bytes: in one piece or with single spaces, of the right length and check digits.
pub(super) fn ibans(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut next = 0;
    while let Some(range) = (next..bytes.len()).find_map(|start| Some(start..iban_end(bytes, start)?)) {
        next = range.end;
        found.push(range);
    }
    found
}

/// The end of the IBAN that begins here.
fn iban_end(bytes: &[u8], start: usize) -> Option<usize> {
    let head = bytes.get(start..start + 4)?;
    if !(head[..2].iter().all(u8::is_ascii_alphabetic) && head[2..].iter().all(u8::is_ascii_digit)) {
        return None;
    }
    // A byte of a longer character counts as a letter.
    let is_inside =
        |index: usize| bytes.get(index).is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii());
    if start.checked_sub(1).is_some_and(is_inside) {
        return None;
    }
    let length = country_length(head)?;
    let mut characters = Vec::with_capacity(length);
    let mut end = start;
    while characters.len() < length {
        let byte = *bytes.get(end)?;
        let single_space = byte == b' ' && bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric);
        if byte.is_ascii_alphanumeric() {
            characters.push(byte.to_ascii_uppercase());
        } else if !single_space {
            return None;
        }
        end += 1;
    }
    (!is_inside(end) && remainder(&characters) == 1).then_some(end)
}

fn country_length(head: &[u8]) -> Option<usize> {
    let entry = LENGTHS.split(' ').find(|entry| entry.as_bytes()[..2].eq_ignore_ascii_case(&head[..2]))?;
    entry[2..].parse().ok()
}

/// The number that ISO 7064's MOD 97-10 takes: the first four characters behind the rest, letters as 10 to 35; 1 if sound.
fn remainder(characters: &[u8]) -> u32 {
    let (head, rest) = characters.split_at(characters.len().min(4));
    rest.iter().chain(head).fold(0, |remainder, character| {
        let value = char::from(*character).to_digit(36).unwrap_or(0);
        (remainder * if value < 10 { 10 } else { 100 } + value) % 97
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = ibans(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn the_registrys_examples_are_sound() {
        // SWIFT, "IBAN Registry": the examples in print and in electronic form.
        for iban in [
            "BE68 5390 0754 7034",
            "CH93 0076 2011 6238 5295 7",
            "DE89 3704 0044 0532 0130 00",
            "ES91 2100 0418 4502 0005 1332",
            "FR14 2004 1010 0505 0001 3M02 606",
            "GB29 NWBK 6016 1331 9268 19",
            "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
            "NL91 ABNA 0417 1643 00",
            "NO93 8601 1117 947",
            "SA03 8000 0000 6080 1016 7519",
        ] {
            check(iban, &[iban]);
            check(&format!("to {iban} and more"), &[iban]);
            let joined = iban.replace(' ', "");
            check(&format!("({joined})."), &[&joined]);
            check(&joined.to_lowercase(), &[&joined.to_lowercase()]);
        }
    }

    #[test]
    fn a_changed_swapped_or_missing_digit_is_no_iban() {
        for text in [
            "DE89 3704 0044 0532 0130 01",
            "DE89 3704 0044 0532 0103 00",
            "DE89 3704 0044 0532 0130 0",
            "DE8937040044053201300",
            "DE893704004405320130000",
            "XDE89370400440532013000",
            "éDE89370400440532013000",
            "DE89  370400440532013000",
            "ZZ89 3704 0044 0532 0130 00",
            "in DE 89 3704",
            "",
        ] {
            check(text, &[]);
        }
        let two = "DE89370400440532013000 GB29NWBK60161331926819";
        check(two, &["DE89370400440532013000", "GB29NWBK60161331926819"]);
    }

    #[test]
    fn the_remainder_is_the_one_in_the_standard() {
        // 3214282912345698765432161182 mod 97 = 1, the worked example for GB82 WEST 1234 5698 7654 32.
        assert_eq!(remainder(b"GB82WEST12345698765432"), 1);
        assert_eq!(remainder(b"GB00WEST12345698765432"), 98 - 82);
    }
}
