use super::*;
use crate::explanation::page;

fn explanation() -> Explanation {
    let word = |word: &str, start: usize, attribution: f64| Attribution {
        word: word.to_owned(),
        start,
        end: start + word.chars().count(),
        attribution,
    };
    Explanation {
        text: "Çelik <AG> fell, again & again".to_owned(),
        head: "sentiment".to_owned(),
        kind: TaskKind::SingleLabel,
        label: "negative".to_owned(),
        answer: 0.75,
        baseline: 0.25,
        words: vec![
            word("Çelik", 0, -0.05),
            word("AG", 7, 0.00001),
            word("fell", 11, 0.4),
            word(",", 15, 0.0),
            word("again", 17, 0.15),
        ],
        steps: 32,
        completeness_error: 0.0042,
        complete: true,
        cut: true,
    }
}

#[test]
fn the_strongest_words_are_told_in_figures() {
    let expected = "sentiment: negative 0.7500 (0.2500 with padding for words)\n\
                    Çelik <AG> fell, again & again\n  \
                    raise it: fell +0.4000  again +0.1500\n  \
                    lower it: Çelik -0.0500\n  \
                    completeness error 0.42 % in 32 steps; the model reads the first 22 characters alone";
    assert_eq!(explanation().to_string(), expected);
    let hint = Explanation { complete: false, completeness_error: 0.2, cut: false, ..explanation() }.to_string();
    assert!(hint.contains("20.00 % in 32 steps, which is too much") && !hint.contains("alone"), "{hint}");
}

#[test]
fn numbers_have_the_digits_that_count() {
    let check = |answer: f64, value: f64, expected: &str| {
        let number = Explanation { kind: TaskKind::Regression, answer, baseline: 0.0, ..explanation() };
        assert_eq!(number.figure(value), expected);
    };
    check(1234.5, -12.34, "-12");
    check(-12.345, 0.5, "0.50");
    check(0.0123, 0.01, "0.01000");
    check(0.0, 0.0, "0.000000000");
}

#[test]
fn colours_stand_around_words_and_take_nothing_away() {
    let coloured = explanation().coloured();
    let strong = format!("\u{1b}[48;5;{};38;5;16mfell\u{1b}[0m", RAISING[3]);
    let weak = format!("\u{1b}[48;5;{};38;5;16mÇelik\u{1b}[0m <AG> ", LOWERING[0]);
    assert!(coloured.contains(&strong) && coloured.contains(&weak), "{coloured:?}");
    assert!(coloured.contains("\u{1b}[2m & again\u{1b}[0m\n"), "{coloured:?}");
    let mut plain = coloured;
    while let Some(start) = plain.find('\u{1b}') {
        let end = start + plain[start..].find('m').unwrap();
        plain.replace_range(start..=end, "");
    }
    assert_eq!(plain, explanation().to_string());
}

#[test]
fn a_page_shows_each_text_as_it_is() {
    let page = page("news@3 <b>", &[explanation(), explanation()]);
    assert!(page.starts_with("<!doctype html>") && page.contains("<h1>news@3 &lt;b&gt;</h1>"), "{page}");
    assert_eq!(page.matches("<article>").count(), 2);
    for part in [
        "rgba(56, 132, 255, 0.75)\" title=\"+0.4000\">fell</mark>",
        "rgba(255, 140, 26, 0.09)\" title=\"-0.0500\">Çelik</mark> &lt;",
        "<span class=\"unread\"> &amp; again</span>",
        "completeness error 0.42 % in 32 steps",
    ] {
        assert!(page.contains(part), "no {part} in\n{page}");
    }
    assert!(!page.contains("<AG>") && !page.contains("http"), "{page}");
}
