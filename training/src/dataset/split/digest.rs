//! The split by digest: a row's side is a function of its text alone.

use super::{Side, Splitting};
use crate::dataset::key;

/// Places rows in their order. The test side is cut from the low end of the digests and the validation side from the high end,
/// so that changing one share moves no row of the other side.
pub(super) fn place(splitting: &Splitting<'_>) -> Vec<(usize, Side)> {
    let side = |text: &str| {
        let place = place_of(text);
        if place < splitting.shares.test {
            Side::Test
        } else if place >= 1.0 - splitting.shares.validation {
            Side::Validation
        } else {
            Side::Train
        }
    };
    splitting.rows.iter().enumerate().map(|(row, content)| (row, side(&content.text))).collect()
}

/// From 0 to below 1, evenly spread: the leading 52 bits of the SHA-256 of the text's [`key`], which texts that differ only in
/// case have in common.
pub(crate) fn place_of(text: &str) -> f64 {
    let digest = foundation::digest::sha256(key(text).as_bytes());
    let leading = digest.bytes().take(13).fold(0u64, |bits, digit| bits * 16 + u64::from(hex_value(digit)));
    leading as f64 / (1u64 << 52) as f64
}

fn hex_value(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_the_standards_digests() {
        // SHA-256 of "abc" begins with ba7816bf (FIPS 180-2, appendix B.1).
        assert!((place_of("abc") - f64::from(0xba78_16bf_u32) / 4_294_967_296.0).abs() < 1e-9);
        assert_eq!(place_of("ABC"), place_of("abc"));
    }
}
