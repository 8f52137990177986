//! Digits written in groups, which a card or phone number may be.

use std::ops::Range;

/// The most characters between two groups of one number: `) `, ` - `.
const LONGEST_SEPARATOR: usize = 3;

/// Groups of digits with nothing but separators between them.
#[derive(Debug)]
pub(super) struct Run<'a> {
    text: &'a str,
    groups: Vec<Range<usize>>,
}

/// Some neighbouring groups of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    text: &'a str,
    groups: &'a [Range<usize>],
}

/// All runs of a text, in order.
pub(super) fn runs(text: &str) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for group in groups(text) {
        let last = runs.last_mut().and_then(|run| Some((run.groups.last()?.end, run)));
        match last {
            Some((end, run)) if separates(&text[end..group.start]) => run.groups.push(group),
            _ => runs.push(Run { text, groups: vec![group] }),
        }
    }
    runs
}

fn groups(text: &str) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
        match groups.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => groups.push(at..at + 1),
        }
    }
    groups
}

fn separates(between: &str) -> bool {
    between.len() <= LONGEST_SEPARATOR && between.chars().all(|c| " -./()".contains(c))
}

impl<'a> Run<'a> {
    /// Every number in the run that `accept` takes, in bytes: from left to right, the longest first.
    ///
    /// `accept` gets windows of at most `most_digits` digits, and answers with the number's range.
    pub(super) fn numbers(
        &'a self,
        most_digits: usize,
        accept: impl Fn(Window<'a>) -> Option<Range<usize>>,
    ) -> Vec<Range<usize>> {
        let (mut found, mut start) = (Vec::new(), 0);
        while start < self.groups.len() {
            let mut digits = 0;
            let fits = |group: &&Range<usize>| {
                digits += group.len();
                digits <= most_digits
            };
            let longest = self.groups[start..].iter().take_while(fits).count();
            let accepted = (start + 1..=start + longest).rev().find_map(|end| {
                let window = Window { text: self.text, groups: &self.groups[start..end] };
                Some((end, accept(window)?))
            });
            match accepted {
                Some((end, range)) => {
                    found.push(range);
                    start = end;
                }
                None => start += 1,
            }
        }
        found
    }
}

impl<'a> Window<'a> {
    /// The digits, 0 to 9.
    pub(super) fn digits(&self) -> Vec<u8> {
        let bytes = self.groups.iter().flat_map(|group| self.text[group.clone()].bytes());
        bytes.map(|byte| byte - b'0').collect()
    }

    /// How many digits each group has.
    pub(super) fn shape(&self) -> Vec<usize> {
        self.groups.iter().map(ExactSizeIterator::len).collect()
    }

    /// What stands between the groups.
    pub(super) fn separators(&self) -> impl Iterator<Item = &'a str> + '_ {
        let text = self.text;
        self.groups.windows(2).filter_map(move |pair| match pair {
            [left, right] => Some(&text[left.end..right.start]),
            _ => None,
        })
    }

    /// The bytes from the first to the last digit.
    pub(super) fn range(&self) -> Range<usize> {
        match (self.groups.first(), self.groups.last()) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => 0..0,
        }
    }

    /// What stands before the first digit.
    pub(super) fn before(&self) -> &'a str {
        &self.text[..self.range().start]
    }

    /// Whether this is a number of its own where it ends, and where `before` ends: no part of a word, a longer number, an
    /// amount or an address of the web.
    pub(super) fn stands_alone(&self, before: &str) -> bool {
        let mut backwards = before.chars().rev();
        let joined_before = match backwards.next() {
            Some('.' | ',') => backwards.next().is_some_and(char::is_numeric),
            Some(c) => c.is_alphanumeric() || "_-/$€£¥#%@+".contains(c),
            None => false,
        };
        let mut forwards = self.text[self.range().end..].chars();
        let joined_after = match forwards.next() {
            Some('-' | '.' | '/' | ',' | ':') => forwards.next().is_some_and(char::is_numeric),
            Some(c) => c.is_alphanumeric() || "_%".contains(c),
            None => false,
        };
        !joined_before && !joined_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_groups_between_separators() {
        let shapes = |text: &str| -> Vec<Vec<usize>> {
            runs(text).iter().map(|run| run.groups.iter().map(ExactSizeIterator::len).collect()).collect()
        };
        assert_eq!(shapes("+44 (0) 20 7946-0958, 12 and 3"), [vec![2, 1, 2, 4, 4], vec![2], vec![1]]);
        assert_eq!(shapes("no digits"), Vec::<Vec<usize>>::new());
        assert_eq!(shapes("1 ü 2"), [vec![1], vec![1]]);
    }

    #[test]
    fn the_longest_window_wins_and_none_is_too_long() {
        let run = runs("12 345 6789 0").remove(0);
        let three = |window: Window<'_>| (window.shape().len() == 3).then(|| window.range());
        assert_eq!(run.numbers(9, three).first(), Some(&(0..11)));
        assert_eq!(run.numbers(8, three).first(), Some(&(3..13)));
    }
}
