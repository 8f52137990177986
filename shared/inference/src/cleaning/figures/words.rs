//! A text's words, with where they stand.

/// A word between spaces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a> {
    /// Where it begins, in bytes, marks included.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// Whether a sentence ends with it: the next word has a capital.
    pub(super) ends_sentence: bool,
    /// Whether a part of a sentence ends with it: a comma, a semicolon or a colon does, or a full stop.
    pub(super) ends_part: bool,
    /// As it is written.
    written: &'a str,
}

impl Word<'_> {
    /// Whether it is this word, in whatever case and with marks around it.
    pub(super) fn is(&self, word: &str) -> bool {
        self.written.trim_matches(|c: char| !c.is_alphanumeric()).eq_ignore_ascii_case(word)
    }

    /// Whether it begins with a bracket.
    pub(super) fn opens_bracket(&self) -> bool {
        self.written.starts_with('(')
    }
}

/// The words in order.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = text
        .split_whitespace()
        .map(|written| {
            let start = written.as_ptr() as usize - text.as_ptr() as usize;
            let ends_part = written.ends_with([',', ';', ':', '.']);
            Word { start, end: start + written.len(), ends_sentence: false, ends_part, written }
        })
        .collect();
    for at in 1..words.len() {
        let begins = words[at].written.starts_with(char::is_uppercase);
        // "vs." and the like end no sentence: what follows an abbreviation of a few letters is not looked at.
        let before = words[at - 1].written;
        words[at - 1].ends_sentence =
            begins && before.ends_with(['.', ';', '!', '?']) && (before.len() > 4 || before.len() == 1);
    }
    words
}
