//! Web addresses.

use std::ops::Range;

/// What an address begins with. One without any of these is told from a word by nothing but guessing.
const BEGINNINGS: [&str; 4] = ["http://", "https://", "ftp://", "www."];

/// Where addresses stand, in bytes, without the punctuation of the sentence around them.
pub(super) fn spans(text: &str) -> Vec<Range<usize>> {
    // Of the same length in bytes, other than `to_lowercase`.
    let lower = text.to_ascii_lowercase();
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    while let Some(start) = BEGINNINGS.iter().filter_map(|beginning| Some(from + lower[from..].find(beginning)?)).min()
    {
        let length = length(&text[start..]);
        let stands_alone = !text[..start].ends_with(|c: char| c.is_alphanumeric() || c == '@');
        let beginning =
            BEGINNINGS.iter().find(|beginning| lower[start..].starts_with(**beginning)).map_or(0, |all| all.len());
        if stands_alone && length > beginning {
            spans.push(start..start + length);
        }
        from = start + length.max(beginning);
    }
    spans
}

/// The characters that an address may have (RFC 3986, section 2), less what ends a sentence or a bracket around it.
fn length(text: &str) -> usize {
    let may_be = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    let mut url = &text[..text.find(|c| !may_be(c)).unwrap_or(text.len())];
    while let Some(last) = url.chars().next_back() {
        let count = |c: char| url.matches(c).count();
        let is_outside = match last {
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '&' => true,
            ')' => count(')') > count('('),
            ']' => count(']') > count('['),
            _ => false,
        };
        if !is_outside {
            break;
        }
        url = &url[..url.len() - 1];
    }
    url.len()
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
    fn addresses_are_found_without_the_sentence_around_them() {
        check("see http://t.co/aB1, or www.example.org/x?y=1.", &["http://t.co/aB1", "www.example.org/x?y=1"]);
        check("(HTTPS://example.org/a_(b)) too", &["HTTPS://example.org/a_(b)"]);
        check("\"http://a.example\"http://b.example", &["http://a.example", "http://b.example"]);
        check("看http://例.cn吧 http://a.example/真", &["http://a.example/"]);
        check("http://t.co/x…", &["http://t.co/x"]);
        check("https://web.archive.org/http://a.example", &["https://web.archive.org/http://a.example"]);
    }

    #[test]
    fn other_words_are_no_addresses() {
        for text in ["http:// www. ftp://", "xhttp://a.example", "example.org", "awww.nice", "me@www.example.org", ""] {
            check(text, &[]);
        }
    }
}
