//! How a word is written, which a tokenizer that lower-cases hides from its model.

/// How many shapes there are.
pub const WORD_SHAPES: usize = 4;

/// A word's shape: 0 without capital letters, 1 with the first letter as its only one, 2 in capitals throughout, 3 with others.
/// These are the capitalisation features of Collobert and others, "Natural Language Processing (Almost) from Scratch", 2011.
pub(super) fn shape(word: &str) -> u8 {
    let mut letters = word.chars().filter(|character| character.is_alphabetic());
    let begins = letters.next().is_some_and(char::is_uppercase);
    let (capitals, others) = letters.fold((0, 0), |(capitals, others), letter| match letter.is_uppercase() {
        true => (capitals + 1, others),
        false => (capitals, others + 1),
    });
    match (begins, capitals, others) {
        (false, 0, _) => 0,
        (true, 0, _) => 1,
        (true, _, 0) => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_by_its_capitals() {
        let check =
            |expected: u8, words: &str| words.split(' ').for_each(|word| assert_eq!(shape(word), expected, "{word}"));
        check(0, "rain 1996 , ß 東京 o'clock");
        check(1, "Rain I U. \"May Élan 3M-x");
        check(2, "EU U.S. ATP-3 ÉÉ");
        check(3, "iPhone McDonald WTOs xX");
        assert_eq!(shape(""), 0);
    }
}
