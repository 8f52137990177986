//! Misspelled words.

use super::WordChange;
use super::keyboard;
use crate::random::Random;

/// Shorter words are left: in `up` or `no`, a letter is a meaning.
const SHORTEST: usize = 3;

/// A letter of each misspelled word becomes its neighbour on the keyboard, changes places with the next one, is left out or doubled:
/// the four slips of a typist (after Damerau, "A technique for computer detection and correction of spelling errors", 1964).
/// Figures stay as they are.
#[derive(Debug)]
pub(crate) struct Typos {
    /// The share of words of at least three letters that are misspelled.
    pub(crate) rate: f64,
}

impl WordChange for Typos {
    fn change(&self, words: &mut Vec<String>, random: &mut Random) {
        for word in words {
            let mut letters: Vec<char> = word.chars().collect();
            let places: Vec<usize> = (0..letters.len()).filter(|place| letters[*place].is_alphabetic()).collect();
            if places.len() >= SHORTEST && random.unit() < self.rate {
                slip(&mut letters, places[random.below(places.len())], random);
                *word = letters.into_iter().collect();
            }
        }
    }
}

/// What cannot be done at this place becomes a doubled letter.
fn slip(letters: &mut Vec<char>, place: usize, random: &mut Random) {
    let own = letters[place];
    let next = letters.get(place + 1).copied().filter(|next| next.is_alphabetic() && *next != own);
    match (random.below(4), keyboard::neighbour(own, random), next) {
        (0, Some(near), _) => letters[place] = near,
        (1, _, Some(_)) => letters.swap(place, place + 1),
        (2, _, _) => drop(letters.remove(place)),
        _ => letters.insert(place, own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slip_is_one_letter_away_and_all_are_made() {
        let mut random = Random::new(1, "test");
        let (mut shorter, mut longer, mut swapped, mut neighbour) = (0, 0, 0, 0);
        for _ in 0..400 {
            let mut words = vec!["profit".to_owned()];
            Typos { rate: 1.0 }.change(&mut words, &mut random);
            let (word, differing) =
                (&words[0], words[0].chars().zip("profit".chars()).filter(|(one, other)| one != other).count());
            match (word.len(), differing) {
                (5, _) => shorter += 1,
                (7, _) => longer += 1,
                (6, 2) => swapped += 1,
                (6, 1) => neighbour += 1,
                _ => panic!("{word}"),
            }
        }
        assert!(
            shorter > 70 && longer > 70 && swapped > 50 && neighbour > 70,
            "{shorter} {longer} {swapped} {neighbour}"
        );
    }

    #[test]
    fn figures_and_short_words_stay() {
        let mut words: Vec<String> = ["up", "12.5%", "Q3", "-", ""].map(str::to_owned).into();
        let before = words.clone();
        Typos { rate: 1.0 }.change(&mut words, &mut Random::new(1, "test"));
        assert_eq!(words, before);
    }
}
