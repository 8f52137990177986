//! Two texts that a model reads together.
//!
//! They go through rows, keys and digests as one string, so that whatever looks at a text looks at the pair as a whole. Between
//! them stands a control character, of which cleaned texts have none. Only a tokenizer of pairs takes them apart.

/// What stands between the texts of a pair: U+001E, the record separator.
pub const BETWEEN: char = '\u{1e}';

/// The pair as one string.
pub fn join(first: &str, second: &str) -> String {
    format!("{first}{BETWEEN}{second}")
}

/// The two texts of a pair; none of a text that is no pair.
pub fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once(BETWEEN)
}
