//! What a model does to texts before it reads them, beyond spaces and control characters.
//!
//! A model's `config.json` has its rules under `text_cleaning`. They are those that its training's texts were cleaned by, and its
//! tokenizer follows them, so that whoever asks the model need not.

mod entities;
mod figures;
mod handles;
mod html;
pub mod personal;
mod urls;

use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use personal::PersonalKind;

/// What takes an address's place.
const URL: &str = "[URL]";
/// What takes an account name's place.
const HANDLE: &str = "[HANDLE]";

/// How texts are changed, in the order of the fields; not at all by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextRules {
    /// Take texts for HTML: tags go, character references become what they stand for.
    pub html: bool,
    /// The Unicode form that texts are brought into; none leaves them as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unicode: Option<UnicodeForm>,
    /// Web addresses; their placeholder is `[URL]`.
    pub urls: Treatment,
    /// Put `[EMAIL]`, `[PHONE]`, `[CARD]` and `[IBAN]` in the place of personal data.
    pub mask_personal_data: bool,
    /// `@name`; the placeholder is `[HANDLE]`.
    pub handles: Treatment,
    /// Say behind a figure that is set beside an earlier one whether it is `higher` or `lower`, in English texts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub compare_figures: bool,
}

/// What rules changed in a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// There was HTML.
    pub html: bool,
    /// It was in another Unicode form.
    pub unicode: bool,
    /// There were web addresses.
    pub urls: bool,
    /// The personal data that placeholders stand for now.
    pub personal: BTreeSet<PersonalKind>,
    /// There were `@names`.
    pub handles: bool,
    /// There were figures beside each other.
    pub compared_figures: bool,
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

impl TextRules {
    /// Whether they change texts.
    pub fn change_texts(self) -> bool {
        self != Self::default()
    }

    /// A text as a model of these rules reads it, with single spaces and without control characters.
    pub fn tidied(self, text: &str) -> String {
        plain(&self.apply(text).0)
    }

    /// The text by these rules, but for its spaces and control characters, and what was changed.
    pub fn apply(self, text: &str) -> (String, Changes) {
        let (mut text, mut changes) = (text.to_owned(), Changes::default());
        if self.html {
            changes.html = change(&mut text, html::text_of);
        }
        changes.unicode = match self.unicode {
            Some(UnicodeForm::Nfc) => change(&mut text, |text| text.nfc().collect()),
            Some(UnicodeForm::Nfkc) => change(&mut text, |text| text.nfkc().collect()),
            None => false,
        };
        changes.urls = change(&mut text, |text| self.urls.apply(text, urls::spans, URL));
        if self.mask_personal_data {
            (text, changes.personal) = personal::with_placeholders(&text);
        }
        // After the e-mail addresses, which have the same sign.
        changes.handles = change(&mut text, |text| self.handles.apply(text, handles::spans, HANDLE));
        if self.compare_figures {
            changes.compared_figures = change(&mut text, figures::with_comparisons);
        }
        (text, changes)
    }
}

/// A text with single spaces and without control characters.
pub fn plain(text: &str) -> String {
    let parts = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ")
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

/// Tells whether it is another text now.
fn change(text: &mut String, by: impl FnOnce(&str) -> String) -> bool {
    let changed = by(text);
    let is_other = changed != *text;
    *text = changed;
    is_other
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: TextRules = TextRules {
        html: true,
        unicode: Some(UnicodeForm::Nfkc),
        urls: Treatment::Replace,
        mask_personal_data: true,
        handles: Treatment::Replace,
        compare_figures: true,
    };

    #[track_caller]
    fn check(rules: TextRules, text: &str, expected: &str) {
        assert_eq!(rules.apply(text).0, expected, "{text}");
    }

    #[test]
    fn nothing_changes_unless_asked_for() {
        let text = "<b>\u{fb01}</b> &amp; http://a.example @me jane@example.org";
        assert_eq!(TextRules::default().apply(text), (text.to_owned(), Changes::default()));
        assert!(!TextRules::default().change_texts() && ALL.change_texts());
    }

    #[test]
    fn each_rule_does_its_part() {
        let rules = TextRules::default();
        check(TextRules { html: true, ..rules }, "R&amp;D <b>up</b>", "R&D up");
        check(TextRules { unicode: Some(UnicodeForm::Nfc), ..rules }, "e\u{301}\u{fb01}", "\u{e9}\u{fb01}");
        check(TextRules { unicode: Some(UnicodeForm::Nfkc), ..rules }, "e\u{301}\u{fb01}", "\u{e9}fi");
        check(TextRules { urls: Treatment::Replace, ..rules }, "see www.a.example.", "see [URL].");
        check(TextRules { urls: Treatment::Drop, ..rules }, "see www.a.example.", "see .");
        check(TextRules { handles: Treatment::Drop, ..rules }, "@me and a@b.example", " and a@b.example");
        check(TextRules { mask_personal_data: true, ..rules }, "+44 20 7946 0958 @me", "[PHONE] @me");
        check(TextRules { compare_figures: true, ..rules }, "5 % from 4 %", "5 % higher from 4 %");
    }

    #[test]
    fn rules_work_together_and_tell_what_they_changed() {
        let text = "<p>jane@example.org, joe@example.org or @jane: https://a.example/@joe?x=1&amp;y</p>";
        let (cleaned, changes) = ALL.apply(text);
        assert_eq!(cleaned, " [EMAIL], [EMAIL] or [HANDLE]: [URL] ");
        let personal = [PersonalKind::EmailAddress].into();
        assert_eq!(changes, Changes { html: true, urls: true, handles: true, personal, ..Changes::default() });
        assert_eq!(ALL.tidied(text), "[EMAIL], [EMAIL] or [HANDLE]: [URL]");
        let (_, changes) = ALL.apply("card 4111 1111 1111 1111, DE89 3704 0044 0532 0130 00");
        let personal = [PersonalKind::PaymentCard, PersonalKind::Iban].into();
        assert_eq!(changes, Changes { personal, ..Changes::default() });
    }

    #[test]
    fn what_has_been_cleaned_stays() {
        for text in ["jane@example.org <b>", "x &amp;amp; @a http://b.example", "4111 1111 1111 1111", "5 % from 4 %"] {
            let rules = TextRules { html: false, ..ALL };
            let once = rules.apply(text).0;
            check(rules, &once, &once);
        }
    }
}
