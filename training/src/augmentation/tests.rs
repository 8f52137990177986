use super::*;

const TEXT: &str = "Operating profit rose to EUR 13.1 mn, from EUR 8.7 mn in the corresponding period of last year.";

fn changed(kind: AugmentationKind, rate: f64, seed: u64) -> String {
    let augmentation = Augmentation { rate: Some(rate), ..Augmentation::new(kind) };
    let augmenter = augmentation.build(Path::new("")).unwrap();
    augmenter.augment(&[TEXT], &mut Random::new(seed, "test")).unwrap().pop().unwrap()
}

const BY_WORDS: [AugmentationKind; 6] = [
    AugmentationKind::Swap,
    AugmentationKind::Deletion,
    AugmentationKind::Typos,
    AugmentationKind::Case,
    AugmentationKind::Punctuation,
    AugmentationKind::Spacing,
];

#[test]
fn a_seed_gives_the_same_change_and_another_seed_another() {
    for kind in BY_WORDS {
        let texts: Vec<String> = (0..20).map(|seed| changed(kind, 0.3, seed)).collect();
        assert_eq!(texts, (0..20).map(|seed| changed(kind, 0.3, seed)).collect::<Vec<_>>(), "{kind:?}");
        let distinct: std::collections::BTreeSet<&String> = texts.iter().collect();
        assert!(distinct.len() > 15, "{kind:?}: {distinct:?}");
    }
}

#[test]
fn as_many_words_are_changed_as_the_rate_says() {
    let before: Vec<&str> = TEXT.split(' ').collect();
    let differing = |kind, rate| {
        let count = |seed| {
            let text = changed(kind, rate, seed);
            before.iter().zip(text.split(' ')).filter(|(one, other)| *one != other).count()
        };
        (0..400).map(count).sum::<usize>() as f64 / (400 * before.len()) as f64
    };
    // 11 of the 18 words have three letters or more.
    let typos = differing(AugmentationKind::Typos, 0.4);
    assert!((typos - 0.4 * 11.0 / 18.0).abs() < 0.03, "{typos}");
    let marks = differing(AugmentationKind::Punctuation, 0.4);
    assert!((marks - 0.4).abs() < 0.03, "{marks}");
    // Two swaps of 18 words move four, less what moves back or is a second EUR.
    let swapped = differing(AugmentationKind::Swap, 0.1);
    assert!((0.18..0.23).contains(&swapped), "{swapped}");
    let left = |seed| changed(AugmentationKind::Deletion, 0.4, seed).split(' ').count();
    let left = (0..400).map(left).sum::<usize>() as f64 / 400.0;
    // One word is spared.
    assert!((left - (1.0 + 0.6 * 17.0)).abs() < 0.4, "{left}");
}

#[test]
fn what_stays_stays() {
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
        letters.sort_unstable();
        letters
    };
    let words = |text: &str| {
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        words.sort_unstable();
        words
    };
    for seed in 0..50 {
        assert_eq!(words(&changed(AugmentationKind::Swap, 0.5, seed)), words(TEXT));
        assert_eq!(letters(&changed(AugmentationKind::Spacing, 0.5, seed)), letters(TEXT));
        assert_eq!(changed(AugmentationKind::Case, 0.5, seed).to_lowercase(), TEXT.to_lowercase());
        let deleted = changed(AugmentationKind::Deletion, 1.0, seed);
        assert!(TEXT.split(' ').any(|word| word == deleted), "one word is left: {deleted}");
        let marks = |c: char| !c.is_ascii_punctuation();
        let bare = |text: &str| text.chars().filter(|c| marks(*c)).collect::<String>();
        assert_eq!(bare(&changed(AugmentationKind::Punctuation, 0.5, seed)), bare(TEXT));
    }
}

#[test]
fn a_text_of_one_word_is_no_trouble() {
    for kind in BY_WORDS {
        let augmenter = Augmentation { rate: Some(1.0), ..Augmentation::new(kind) }.build(Path::new("")).unwrap();
        for text in ["profit", "a", "-", "12"] {
            for seed in 0..20 {
                let changed = augmenter.augment(&[text], &mut Random::new(seed, "test")).unwrap();
                assert!(!changed[0].trim().is_empty(), "{kind:?} made nothing of {text:?}");
            }
        }
    }
}

#[test]
fn whole_words_in_upper_case() {
    let upper = Case { rate: 1.0, letters: Some(Letters::Upper) };
    assert_eq!(upper.augment(&["a Bc 3"], &mut Random::new(1, "test")).unwrap(), ["A BC 3"]);
}
