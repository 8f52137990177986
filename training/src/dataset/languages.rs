//! The languages that texts are in, told by their trigrams and scripts. Short texts say little: what the detector is not sure of is
//! in no language.

use serde::{Deserialize, Serialize};
use whatlang::Lang;

/// ISO 639-3 codes, which the detector gives, and those of two letters.
const CODES: &str = "afr af aka ak amh am ara ar aze az bel be ben bn bul bg cat ca ces cs cmn zh cym cy dan da deu de ell el eng en \
                     epo eo est et fin fi fra fr guj gu heb he hin hi hrv hr hun hu hye hy ind id ita it jav jv jpn ja kan kn \
                     kat ka khm km kor ko lat la lav lv lit lt mal ml mar mr mkd mk mya my nep ne nld nl nob nb ori or pan pa \
                     pes fa pol pl por pt ron ro rus ru sin si slk sk slv sl sna sn spa es srp sr swe sv tam ta tel te tgl tl \
                     tha th tuk tk tur tr ukr uk urd ur uzb uz vie vi yid yi zul zu";

/// The code of a text's language, `en`; none where the detector is not sure.
pub(super) fn language(text: &str) -> Option<&'static str> {
    reliable(text).map(code)
}

fn reliable(text: &str) -> Option<Lang> {
    whatlang::detect(text).filter(whatlang::Info::is_reliable).map(|info| info.lang())
}

/// In two letters, where there is such a code.
fn code(language: Lang) -> &'static str {
    let codes: Vec<&str> = CODES.split_whitespace().collect();
    let short = codes.chunks_exact(2).find(|pair| pair[0] == language.code()).map(|pair| pair[1]);
    short.unwrap_or_else(|| language.code())
}

/// A set of languages; in a file, their codes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Languages(
    /// A bit for each of the detector's languages, in its order.
    u128,
);

impl Languages {
    /// No choice.
    pub const ALL: Self = Self(0);

    /// Whether it has none: then there is nothing to choose by.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Whether a text may be in one of them: it is, or the detector is not sure, or there is none.
    pub(super) fn may_have(self, text: &str) -> bool {
        self.is_empty() || reliable(text).is_none_or(|language| self.0 & bit(language) != 0)
    }
}

fn bit(language: Lang) -> u128 {
    Lang::all().iter().position(|own| *own == language).map_or(0, |place| 1 << place)
}

impl TryFrom<Vec<String>> for Languages {
    type Error = String;

    fn try_from(codes: Vec<String>) -> Result<Self, Self::Error> {
        codes.iter().try_fold(Self::default(), |languages, wanted| {
            let known = Lang::all().iter().find(|own| code(**own) == wanted || own.code() == wanted);
            known.map(|own| Self(languages.0 | bit(*own))).ok_or_else(|| {
                let known: Vec<&str> = Lang::all().iter().map(|own| code(*own)).collect();
                format!("unknown language {wanted:?}; the languages are {}", known.join(", "))
            })
        })
    }
}

impl From<Languages> for Vec<String> {
    fn from(languages: Languages) -> Self {
        let of_set = Lang::all().iter().filter(|own| languages.0 & bit(**own) != 0);
        of_set.map(|own| code(*own).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "Operating profit rose to thirteen million euros in the third quarter of the year.";
    const GERMAN: &str = "Das Unternehmen meldete am Donnerstag einen höheren Gewinn als im Vorjahr erwartet.";

    fn set(codes: &[&str]) -> Result<Languages, String> {
        codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>().try_into()
    }

    #[test]
    fn every_language_has_a_code_of_two_letters_and_a_bit_of_its_own() {
        let all: Vec<&str> = Lang::all().iter().map(|own| code(*own)).collect();
        assert!(all.iter().all(|code| code.len() == 2) && all.len() <= 128, "{all:?}");
        assert_eq!(Vec::<String>::from(set(&all).unwrap()), all);
    }

    #[test]
    fn texts_are_told_apart_and_short_ones_are_not() {
        assert_eq!((language(ENGLISH), language(GERMAN)), (Some("en"), Some("de")));
        assert_eq!(language("公司第三季度的利润高于去年同期"), Some("zh"));
        assert_eq!((language("ok"), language("12.5 %")), (None, None));
        let (english, none) = (set(&["en"]).unwrap(), Languages::default());
        assert!(english.may_have(ENGLISH) && !english.may_have(GERMAN) && english.may_have("ok"));
        assert!(none.may_have(GERMAN) && set(&["deu", "en"]).unwrap().may_have(GERMAN));
    }

    #[test]
    fn an_unknown_code_lists_the_known_ones() {
        let message = set(&["en", "english"]).unwrap_err();
        assert!(message.contains("\"english\"") && message.contains("fr"), "{message}");
    }
}
