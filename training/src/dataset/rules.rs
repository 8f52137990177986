//! What cleaning may change beyond spaces and control characters, and which rows it leaves out; by default nothing and none.

use inference::cleaning::{TextRules, Treatment, UnicodeForm};
use serde::{Deserialize, Serialize};

use super::Languages;

/// How a task's rows are cleaned.
///
/// ```toml
/// cleaning = { html = true, unicode = "nfkc", urls = "replace", handles = "drop", mask_personal_data = true }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CleaningRules {
    /// [`TextRules::html`].
    pub html: bool,
    /// [`TextRules::unicode`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unicode: Option<UnicodeForm>,
    /// [`TextRules::urls`].
    pub urls: Treatment,
    /// [`TextRules::handles`].
    pub handles: Treatment,
    /// [`TextRules::mask_personal_data`].
    pub mask_personal_data: bool,
    /// [`TextRules::compare_figures`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub compare_figures: bool,
    /// Keep one text of several that are almost the same, and none that is almost one of a validation or test file.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub drop_near_duplicates: bool,
    /// Keep rows in these languages alone, by their codes: `["en", "de"]`; all where it is not set. A row of whose language the detector
    /// is not sure stays, and so do those of validation and test files.
    #[serde(skip_serializing_if = "Languages::is_empty")]
    pub languages: Languages,
}

impl CleaningRules {
    /// Those that change texts: what the model must do to texts, too.
    pub fn of_texts(self) -> TextRules {
        let Self { html, unicode, urls, handles, mask_personal_data, compare_figures, .. } = self;
        TextRules { html, unicode, urls, mask_personal_data, handles, compare_figures }
    }
}
