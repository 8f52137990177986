//! Where letters stand on a keyboard.

use crate::random::Random;

/// QWERTY's rows; each stands half a key to the right of the one above it.
const ROWS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];

/// A letter whose key touches this one's, in the same case; none for what is no letter of these rows.
pub(super) fn neighbour(letter: char, random: &mut Random) -> Option<char> {
    let (row, column) = place(letter.to_ascii_lowercase())?;
    // Left and right, two above, two below.
    let around = [(0, -1), (0, 1), (-1, 0), (-1, 1), (1, -1), (1, 0)];
    let key = |(down, right): (isize, isize)| {
        let keys = ROWS.get(row.checked_add_signed(down)?)?.as_bytes();
        keys.get(column.checked_add_signed(right)?).map(|key| char::from(*key))
    };
    let near: Vec<char> = around.into_iter().filter_map(key).collect();
    let found = near[random.below(near.len())];
    Some(if letter.is_ascii_uppercase() { found.to_ascii_uppercase() } else { found })
}

fn place(letter: char) -> Option<(usize, usize)> {
    ROWS.iter().enumerate().find_map(|(row, keys)| Some((row, keys.find(letter)?)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn neighbours_are_the_keys_around() {
        let mut random = Random::new(1, "test");
        let mut around = |letter| (0..200).filter_map(|_| neighbour(letter, &mut random)).collect::<BTreeSet<char>>();
        assert_eq!(around('s'), BTreeSet::from(['a', 'd', 'w', 'e', 'z', 'x']));
        assert_eq!(around('Q'), BTreeSet::from(['W', 'A']));
        assert_eq!(around('m'), BTreeSet::from(['n', 'j', 'k']));
        assert!(around('é').is_empty() && around('7').is_empty());
    }
}
