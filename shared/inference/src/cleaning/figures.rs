//! Figures that are set beside an earlier one of their kind: "EUR 8.8 mn compared to EUR 7.0 mn".
//!
//! A tokenizer cuts numbers into pieces that tell an encoder little of their size. Where a report says that a figure stood at this
//! much and before at that much, and nothing else, whether that is good news is in the two sizes alone. The rule reads them and
//! says it in a word.

mod figure;
mod sentence;
mod words;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use sentence::Sentence;

/// The text with `higher` or `lower` behind each figure that is set beside an earlier one. Equal ones have none; nor have two of which
/// one is a profit and the other a loss, since that is said. What is there already is not said again.
///
/// What compares is English: "compared", "versus", "against", "from", and an earlier figure in brackets.
pub(super) fn with_comparisons(text: &str) -> String {
    let sentence = Sentence::read(text);
    let mut said = BTreeMap::new();
    for (new, old) in sentence.pairs() {
        let (value, earlier) = new.values_beside(old);
        let word = match value.total_cmp(&earlier) {
            Ordering::Greater => "higher",
            Ordering::Less => "lower",
            Ordering::Equal => continue,
        };
        let end = new.span.end;
        let next = sentence.words_from(end).first();
        if !next.is_some_and(|next| next.is(word)) {
            said.entry(end).or_insert(word);
        }
    }
    let (mut told, mut start) = (String::with_capacity(text.len()), 0);
    for (end, word) in said {
        told.push_str(&text[start..end]);
        told.push(' ');
        told.push_str(word);
        start = end;
    }
    told + &text[start..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(with_comparisons(text), expected, "{text}");
        assert_eq!(with_comparisons(expected), expected, "said twice: {expected}");
    }

    #[test]
    fn a_figure_beside_an_earlier_one_is_told_from_it() {
        check(
            "The order book stood at EUR 8.77 mn compared to EUR 7.04 in 2005.",
            "The order book stood at EUR 8.77 mn higher compared to EUR 7.04 in 2005.",
        );
        check("Pretax profit was $4.9m, versus $5.2m", "Pretax profit was $4.9m lower, versus $5.2m");
        check("The return was 16.6 % compared to 15.8 %", "The return was 16.6 % higher compared to 15.8 %");
        check("Sales were EUR131m (EUR76m).", "Sales were EUR131m higher (EUR76m).");
        check("EPS of 0.21 vs. 0.33 a year ago", "EPS of 0.21 lower vs. 0.33 a year ago");
        check(
            "Net sales of EUR 1,253.2 million for 2010, compared with EUR 1.252 billion in 2009",
            "Net sales of EUR 1,253.2 million higher for 2010, compared with EUR 1.252 billion in 2009",
        );
        check("EUR -0.4 mn, against EUR -0.1 mn", "EUR -0.4 mn lower, against EUR -0.1 mn");
    }

    #[test]
    fn from_one_to_another_ends_at_the_second() {
        check("Profit rose to EUR 13.1 mn from EUR 8.7 mn", "Profit rose to EUR 13.1 mn higher from EUR 8.7 mn");
        check(
            "Profit fell from EUR 7.9 mn in 2005 to EUR 5.1 mn",
            "Profit fell from EUR 7.9 mn in 2005 to EUR 5.1 mn lower",
        );
        check("from EUR 2 mn to EUR 3 mn, up from 1 %", "from EUR 2 mn to EUR 3 mn higher, up from 1 %");
        check(
            "Income rose to EUR 16.5 mn from EUR 14.0 mn, and other income to EUR 22.6 mn from EUR 15.2 mn",
            "Income rose to EUR 16.5 mn higher from EUR 14.0 mn, and other income to EUR 22.6 mn higher from EUR 15.2 mn",
        );
        check("50.4 mln euro ($72.5 mln) from 20.1 mln euro", "50.4 mln euro higher ($72.5 mln) from 20.1 mln euro");
    }

    #[test]
    fn figures_of_old_wire_texts_are_read() {
        check("EUR0 .9 m compared to EUR0 .7 m", "EUR0 .9 m higher compared to EUR0 .7 m");
        check("EUR4 .8 m in 2010 from EUR416 ,000 in 2009", "EUR4 .8 m higher in 2010 from EUR416 ,000 in 2009");
    }

    #[test]
    fn losses_are_compared_with_losses_alone() {
        check(
            "A loss of EUR 179mn, compared to a loss of EUR 188mn",
            "A loss of EUR 179mn lower, compared to a loss of EUR 188mn",
        );
        for text in [
            "A profit of EUR 0.9 mn compared to a loss of EUR 0.7 mn",
            "A net loss of EUR 2 mn, versus a profit of EUR 1 mn",
            "It expects a profit of EUR 6.3 mn, from an EUR 9.6 mn loss a year earlier",
            "Earnings per share (EPS) of EUR 0.44 versus loss per share of EUR 2.26",
            "A EUR 1.5 mn loss, compared with a 1.7 mn profit",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn what_is_no_comparison_stays() {
        for text in [
            "Sales rose 5 % to EUR 20 mn.",
            "A target of 142 crowns (USD 23.54)",
            "EUR 10 mn and 5 %, from 2008 to 2009",
            "EUR 5 mn compared to 12 %",
            "EUR 5 million. Compared with others, EUR 6 million is little",
            "EUR 5 mn and EUR 3 mn from EUR 4 mn and EUR 2 mn, respectively",
            "5 mn compared to 5 mn",
            "Profit decreased from EUR 19 mn while sales increased from EUR 155 mn",
            "The spouts 2 are separated from the working area 6 by a wall 8",
            "It buys 24.7 % of the shares from one owner and 3 % from another",
            "About 36 % came from Oslo, 39 % from Bergen",
            "The cost could range from 70 million to 90 million euros",
            "A result of EUR 146 mn, from a loss of EUR 267 mn",
            "Cash flow from operations in May 2008 was EUR 8 mn",
            "It sold 7 million litas (EUR 2 mn)",
            "from Helsinki 12-14 June, 3G phones, 12th place",
            "",
        ] {
            check(text, text);
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(
            parts in prop::collection::vec(
                prop_oneof![
                    Just("EUR"), Just("€"), Just("-"), Just("5"), Just(" "), Just(","), Just("."), Just("12"), Just("mn"), Just("%"),
                    Just("("), Just(")"), Just("from"), Just("to"), Just("compared"), Just("loss"), Just("ä"), Just("\u{2212}"),
                ],
                0..40,
            ),
        ) {
            let text = parts.concat();
            let told = with_comparisons(&text);
            let left: String = told.replace(" higher", "").replace(" lower", "");
            prop_assert_eq!(left, text);
        }
    }
}
