//! What cleaning may change beyond spaces and control characters, chosen per task. By default it changes nothing: what was
//! trained on must be what is served, and a monitor does not do these things to its feed.

mod entities;
mod handles;
mod html;
mod urls;

use std::ops::Range;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::Languages;
use super::card::with_placeholders;
use super::cleaning::{Cleaning, plain};

/// What takes an address's place.
const URL: &str = "[URL]";
/// What takes an account name's place.
const HANDLE: &str = "[HANDLE]";

/// How a task's rows are cleaned.
///
/// ```toml
/// cleaning = { html = true, unicode = "nfkc", urls = "replace", handles = "drop", mask_personal_data = true }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CleaningRules {
    /// Take texts for HTML: tags go, character references become what they stand for.
    pub html: bool,
    /// The Unicode form that texts are brought into; none leaves them as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unicode: Option<UnicodeForm>,
    /// Web addresses; their placeholder is `[URL]`.
    pub urls: Treatment,
    /// `@name`; the placeholder is `[HANDLE]`.
    pub handles: Treatment,
    /// Put `[EMAIL]`, `[PHONE]`, `[CARD]` and `[IBAN]` in the place of personal data.
    pub mask_personal_data: bool,
    /// Keep one text of several that are almost the same, and none that is almost one of a validation or test file.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub drop_near_duplicates: bool,
    /// Keep rows in these languages alone, by their codes: `["en", "de"]`; all where it is not set. A row of whose language the detector
    /// is not sure stays, and so do those of validation and test files.
    #[serde(skip_serializing_if = "Languages::is_empty")]
    pub languages: Languages,
}

/// A Unicode normalisation form (UAX #15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnicodeForm {
    /// Composed: one character for `é`, however it was typed.
    Nfc,
    /// Composed, and characters that only look different become one: `ﬁ`, `①`, full-width letters.
    Nfkc,
}

/// What becomes of a finding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Treatment {
    /// It stays.
    #[default]
    Keep,
    /// It goes.
    Drop,
    /// A placeholder takes its place.
    Replace,
}

impl CleaningRules {
    /// Those that change texts: what whoever serves the model must do to texts, too.
    pub fn of_texts(self) -> Self {
        Self { drop_near_duplicates: false, languages: Languages::default(), ..self }
    }

    /// Whether any of these changes texts.
    pub fn changes_texts(self) -> bool {
        self.of_texts() != Self::default()
    }

    /// A text as a model of these rules reads it: what becomes of each row's text.
    pub fn tidied(self, text: &str) -> String {
        plain(&self.apply(text, &mut Cleaning::default()))
    }

    /// The text by these rules, but for its spaces and control characters; what they met is added to `cleaning`.
    pub(super) fn apply(self, text: &str, cleaning: &mut Cleaning) -> String {
        let mut text = text.to_owned();
        if self.html {
            change(&mut text, html::text_of, &mut cleaning.html);
        }
        match self.unicode {
            Some(UnicodeForm::Nfc) => change(&mut text, |text| text.nfc().collect(), &mut cleaning.unicode),
            Some(UnicodeForm::Nfkc) => change(&mut text, |text| text.nfkc().collect(), &mut cleaning.unicode),
            None => {}
        }
        change(&mut text, |text| self.urls.apply(text, urls::spans, URL), &mut cleaning.urls);
        if self.mask_personal_data {
            let (masked, kinds) = with_placeholders(&text);
            kinds.into_iter().for_each(|kind| *cleaning.personal_data(kind) += 1);
            text = masked;
        }
        // After the e-mail addresses, which have the same sign.
        change(&mut text, |text| self.handles.apply(text, handles::spans, HANDLE), &mut cleaning.handles);
        text
    }
}

impl Treatment {
    fn apply(self, text: &str, spans: fn(&str) -> Vec<Range<usize>>, placeholder: &str) -> String {
        let replacement = match self {
            Self::Keep => return text.to_owned(),
            Self::Drop => "",
            Self::Replace => placeholder,
        };
        let (mut treated, mut end) = (String::with_capacity(text.len()), 0);
        for span in spans(text) {
            treated.push_str(&text[end..span.start]);
            treated.push_str(replacement);
            end = span.end;
        }
        treated + &text[end..]
    }
}

fn change(text: &mut String, by: impl FnOnce(&str) -> String, rows: &mut usize) {
    let changed = by(text);
    *rows += usize::from(changed != *text);
    *text = changed;
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: CleaningRules = CleaningRules {
        html: true,
        unicode: Some(UnicodeForm::Nfkc),
        urls: Treatment::Replace,
        handles: Treatment::Replace,
        mask_personal_data: true,
        drop_near_duplicates: false,
        languages: Languages::ALL,
    };

    #[track_caller]
    fn check(rules: CleaningRules, text: &str, expected: &str) {
        assert_eq!(rules.apply(text, &mut Cleaning::default()), expected, "{text}");
    }

    #[test]
    fn nothing_changes_unless_asked_for() {
        let text = "<b>\u{fb01}</b> &amp; http://a.example @me jane@example.org";
        check(CleaningRules::default(), text, text);
        assert!(!CleaningRules { drop_near_duplicates: true, ..CleaningRules::default() }.changes_texts());
        assert!(ALL.changes_texts());
    }

    #[test]
    fn each_rule_does_its_part() {
        let rules = CleaningRules::default();
        check(CleaningRules { html: true, ..rules }, "R&amp;D <b>up</b>", "R&D up");
        check(CleaningRules { unicode: Some(UnicodeForm::Nfc), ..rules }, "e\u{301}\u{fb01}", "\u{e9}\u{fb01}");
        check(CleaningRules { unicode: Some(UnicodeForm::Nfkc), ..rules }, "e\u{301}\u{fb01}", "\u{e9}fi");
        check(CleaningRules { urls: Treatment::Replace, ..rules }, "see www.a.example.", "see [URL].");
        check(CleaningRules { urls: Treatment::Drop, ..rules }, "see www.a.example.", "see .");
        check(CleaningRules { handles: Treatment::Drop, ..rules }, "@me and a@b.example", " and a@b.example");
        check(CleaningRules { mask_personal_data: true, ..rules }, "+44 20 7946 0958 @me", "[PHONE] @me");
    }

    #[test]
    fn rules_work_together_and_are_counted() {
        let mut cleaning = Cleaning::default();
        let text = "<p>jane@example.org, joe@example.org or @jane: https://a.example/@joe?x=1&amp;y</p>";
        assert_eq!(ALL.apply(text, &mut cleaning), " [EMAIL], [EMAIL] or [HANDLE]: [URL] ");
        ALL.apply("card 4111 1111 1111 1111, DE89 3704 0044 0532 0130 00", &mut cleaning);
        let counted = Cleaning {
            html: 1,
            urls: 1,
            handles: 1,
            email_addresses: 1,
            payment_cards: 1,
            ibans: 1,
            ..Cleaning::default()
        };
        assert_eq!(cleaning, counted);
    }

    #[test]
    fn what_has_been_cleaned_stays() {
        for text in ["jane@example.org <b>", "x &amp;amp; @a http://b.example", "4111 1111 1111 1111"] {
            let rules = CleaningRules { html: false, ..ALL };
            let once = rules.apply(text, &mut Cleaning::default());
            check(rules, &once, &once);
        }
    }
}
