//! HTML to text: what a browser would show, in one line.

use super::entities;

/// Tags that stand within a word's line: nothing takes their place. Any other one parts words.
const INLINE: [&str; 26] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "em", "font", "i", "ins", "kbd", "mark", "q",
    "s", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "wbr",
];

/// The text without tags and comments, and with what character references stand for.
pub(super) fn text_of(html: &str) -> String {
    entities::decoded(&without_tags(html))
}

fn without_tags(html: &str) -> String {
    let (mut text, mut rest) = (String::with_capacity(html.len()), html);
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        match markup(rest) {
            Some((length, replacement)) => {
                text.push_str(replacement);
                rest = &rest[length..];
            }
            None => {
                text.push('<');
                rest = &rest[1..];
            }
        }
    }
    text + rest
}

/// How long the markup is with which a text begins, in bytes, and what takes its place. None if it is none: `x < 5`.
fn markup(text: &str) -> Option<(usize, &'static str)> {
    if text.starts_with("<!--") {
        return Some((text.find("-->")? + "-->".len(), " "));
    }
    let body = text[1..].trim_start_matches(['/', '!', '?']);
    let name = body
        .split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .filter(|name| name.starts_with(|c: char| !c.is_ascii_digit()))?;
    let after = &body[name.len()..];
    if name.is_empty() || !after.starts_with(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/') {
        return None;
    }
    let start = text.len() - after.len();
    let end = start + end_of_tag(after)?;
    let name = name.to_ascii_lowercase();
    if matches!(name.as_str(), "script" | "style") && !text.starts_with("</") {
        // What stands between is nothing to read; without an end it is the rest.
        let rest = text[end..].to_ascii_lowercase();
        let close = rest.find(&format!("</{name}")).and_then(|at| Some(at + rest[at..].find('>')? + 1));
        return Some((end + close.unwrap_or(rest.len()), " "));
    }
    Some((end, if INLINE.contains(&name.as_str()) { "" } else { " " }))
}

/// The bytes up to and with the `>` that ends a tag; one in a quoted value does not. None if another tag begins before.
fn end_of_tag(attributes: &str) -> Option<usize> {
    let (mut quote, mut last) = (None, ' ');
    for (at, c) in attributes.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if last == '=' => quote = Some(c),
            (None, '>') => return Some(at + 1),
            (None, '<') => return None,
            (None, _) => {}
        }
        if !c.is_whitespace() {
            last = c;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(html: &str, expected: &str) {
        assert_eq!(text_of(html), expected, "{html}");
    }

    #[test]
    fn tags_go_and_words_stay_apart() {
        check("<p>Shares <b>f</b>all</p><p>again</p>", " Shares fall  again ");
        check("rise<br/>5 %<BR>more", "rise 5 % more");
        check("<a href=\"x?a>b\" title='c > d'>here</a>", "here");
        check("<!DOCTYPE html><!-- a > b --><h1 class=x>T</h1>", "   T ");
        check("a<script>if (a < b) { x() }</script >b<style>p {}</STYLE>c", "a b c");
        check("a<script>never ends", "a ");
    }

    #[test]
    fn what_is_no_tag_stays() {
        for text in ["profit < 5 and > 3", "a <3 b", "<>", "<", "x <b", "i <b and c < d> e", "<-- here", "<5>", "<é>"]
        {
            check(text, text);
        }
        check("&lt;b&gt; R&amp;D", "<b> R&D");
    }
}
