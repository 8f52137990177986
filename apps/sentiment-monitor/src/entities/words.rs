//! A text as words with one boundary character between them: what names are compared in.

use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// Stands before, between and after words.
pub(super) const BOUNDARY: char = ' ';

/// A word of its own for a colon, or a dash after a space: what follows may name the source of what went before.
pub(super) const BREAK: &str = "|";

/// A text's words, as written and in lower case, byte by byte parallel: `" Bear Stearns 's shares "`.
///
/// Words are runs of Unicode letters and digits, each ideograph or kana a word of its own. Accents fall away, `&` becomes
/// `and`, a possessive is the word `'s`, initials with dots join (`J.P.` is `JP`), `$AAPL` keeps its sign.
pub(super) struct Words {
    cased: String,
    lower: String,
}

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let cased = Splitter::split(text);
        let lower = if cased.is_ascii() { cased.to_ascii_lowercase() } else { cased.chars().map(lower_case).collect() };
        Self { cased, lower }
    }

    pub(super) fn cased(&self) -> &str {
        &self.cased
    }

    pub(super) fn lower(&self) -> &str {
        &self.lower
    }
}

/// The position of the first boundary at or after `from`.
pub(super) fn next_boundary(words: &str, from: usize) -> usize {
    words[from..].find(BOUNDARY).map_or(words.len(), |offset| from + offset)
}

/// Lower case where that takes as many bytes, so that both forms stay parallel.
fn lower_case(character: char) -> char {
    let mut lower = character.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(single), None) if single.len_utf8() == character.len_utf8() => single,
        _ => character,
    }
}

struct Splitter {
    words: String,
    /// Characters since the word, or the initial within it, began.
    run: usize,
}

impl Splitter {
    fn split(text: &str) -> String {
        let mut splitter = Self { words: String::with_capacity(text.len() + text.len() / 4 + 2), run: 0 };
        splitter.words.push(BOUNDARY);
        let mut rest = text.chars();
        let mut previous = BOUNDARY;
        while let Some(character) = rest.next() {
            splitter.take(previous, character, rest.as_str());
            previous = character;
        }
        splitter.end_word();
        splitter.words
    }

    fn take(&mut self, previous: char, character: char, rest: &str) {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' => self.append(character),
            ' ' => self.end_word(),
            '.' if self.joins_initials(previous, rest) => self.run = 0,
            '&' => self.word("and"),
            '\'' | '\u{2019}' | '\u{2018}' | '\u{02bc}' | '`' => {
                let possessive = previous.is_alphanumeric() && starts_with_lone_s(rest);
                self.end_word();
                if possessive {
                    self.words.push('\'');
                }
            }
            '$' if !previous.is_alphanumeric() && rest.starts_with(|next: char| next.is_ascii_alphabetic()) => {
                self.end_word();
                self.words.push('$');
            }
            ':' => self.word(BREAK),
            '-' | '\u{2013}' | '\u{2014}' if previous.is_whitespace() => self.word(BREAK),
            ';' if previous == 'p' && self.words.ends_with(" and amp") => {
                self.words.truncate(self.words.len() - "amp".len());
                self.run = 0;
            }
            _ if character.is_ascii() => self.end_word(),
            _ => self.take_wide(character),
        }
    }

    fn take_wide(&mut self, character: char) {
        if is_combining_mark(character) || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{feff}') {
            return;
        }
        if !character.is_alphanumeric() {
            return self.end_word();
        }
        if stands_alone(character) {
            self.end_word();
            self.append(character);
            return self.end_word();
        }
        match character {
            'ß' => self.append_all("ss"),
            'æ' => self.append_all("ae"),
            'Æ' => self.append_all("Ae"),
            'œ' => self.append_all("oe"),
            'ø' => self.append('o'),
            'Ø' => self.append('O'),
            'ł' => self.append('l'),
            'Ł' => self.append('L'),
            'ı' => self.append('i'),
            _ => {
                let mut base = None;
                decompose_canonical(character, |part| base = base.or(Some(part)));
                self.append(base.unwrap_or(character));
            }
        }
    }

    fn append(&mut self, character: char) {
        self.words.push(character);
        self.run += 1;
    }

    fn append_all(&mut self, characters: &str) {
        characters.chars().for_each(|character| self.append(character));
    }

    fn end_word(&mut self) {
        if !self.words.ends_with(BOUNDARY) {
            self.words.push(BOUNDARY);
        }
        self.run = 0;
    }

    fn word(&mut self, word: &str) {
        self.end_word();
        self.words.push_str(word);
        self.end_word();
    }

    /// Whether a dot stands between two single letters, as in `J.P.` or `U.S.`.
    fn joins_initials(&self, previous: char, rest: &str) -> bool {
        let mut next = rest.chars();
        self.run == 1
            && previous.is_alphabetic()
            && next.next().is_some_and(char::is_alphabetic)
            && !next.next().is_some_and(char::is_alphanumeric)
    }
}

fn starts_with_lone_s(rest: &str) -> bool {
    let mut next = rest.chars();
    matches!(next.next(), Some('s' | 'S')) && !next.next().is_some_and(char::is_alphanumeric)
}

/// Scripts written without spaces: each character is a word.
fn stands_alone(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}')
}

#[cfg(test)]
mod tests {
    use super::Words;

    fn check(text: &str, cased: &str) {
        let words = Words::of(text);
        assert_eq!(words.cased().trim(), cased, "{text}");
        assert_eq!(words.cased().len(), words.lower().len(), "{text}");
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        check("AIG-owned, (3M) posts Q3.", "AIG owned 3M posts Q3");
        check("GM's Opel; Moody’s Toyotas'", "GM 's Opel Moody 's Toyotas");
        check("It's MCDONALD'S", "It 's MCDONALD 'S");
        check("L'Oreal o'sullivan", "L Oreal o sullivan");
        check("", "");
        check(" -- ", "|");
    }

    #[test]
    fn ampersand_is_and() {
        check("P&G and AT & T, S&amp;P", "P and G and AT and T S and P");
    }

    #[test]
    fn initials_join() {
        check("J.P. Morgan, J.P.Morgan", "JP Morgan JP Morgan");
        check("U.S. Steel and E.ON at Amazon.com", "US Steel and E ON at Amazon com");
        check("plan B. A new", "plan B A new");
    }

    #[test]
    fn accents_fall_away() {
        check("Nestlé Société Ne\u{301}stle", "Nestle Societe Nestle");
        check("Møller Straße Łódź İstanbul", "Moller Strasse Lodz Istanbul");
    }

    #[test]
    fn cashtags_keep_their_sign_and_prices_do_not() {
        check("$AAPL US$AAPL $5 $BRK.B", "$AAPL US AAPL 5 $BRK B");
    }

    #[test]
    fn ideographs_are_words() {
        check("苹果发布iPhone", "苹 果 发 布 iPhone");
    }

    #[test]
    fn breaks_are_words() {
        check("losses mount: Goldman", "losses mount | Goldman");
        check("UPDATE 1-Bank fails - paper", "UPDATE 1 Bank fails | paper");
    }
}
