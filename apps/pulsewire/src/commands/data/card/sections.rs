//! A data card as sections of a report.

use training::dataset::card::{DataCard, Duplicates, Leakage, Leaks, Lengths, NearDuplicates, Place, TextAt};

use crate::commands::data::report::{Grid, Report, Section, Side};

/// Labels that a report lists.
const LISTED_LABELS: usize = 200;

/// The report of a card.
pub(super) fn report(card: &DataCard) -> Report {
    let mut sections = vec![
        overview(card),
        labels(card),
        languages(card),
        lengths(card),
        duplicates(&card.duplicates),
        near_duplicates(&card.near_duplicates),
    ];
    sections.extend(card.leakage.as_ref().map(leakage));
    sections.push(personal_data(card));
    Report { title: "Data card", sections }
}

fn overview(card: &DataCard) -> Section {
    let mut grid = Grid::new([("figure", Side::Left), ("value", Side::Left)]);
    for file in &card.files {
        grid.add(["file".to_owned(), file.clone()]);
    }
    let figures = [
        ("rows", card.rows.to_string()),
        ("empty texts, left out", card.empty_texts.to_string()),
        ("texts with control characters", card.control_characters.to_string()),
        ("labels with stray spaces", card.trimmed_labels.to_string()),
        ("different texts", card.duplicates.distinct_texts.to_string()),
        ("different labels", card.labels.len().to_string()),
        ("sha256 of labels and texts", card.digest.clone()),
    ];
    figures.into_iter().for_each(|(name, value)| grid.add([name.to_owned(), value]));
    Section { title: "Data".into(), grids: vec![grid], notes: Vec::new() }
}

fn labels(card: &DataCard) -> Section {
    let mut grid = Grid::new([("label", Side::Left), ("rows", Side::Right), ("share", Side::Right)]);
    for label in card.labels.iter().take(LISTED_LABELS) {
        grid.add([label.label.clone(), label.rows.to_string(), percent(label.share)]);
    }
    let mut notes = Vec::new();
    if let Some(more) = card.labels.len().checked_sub(LISTED_LABELS).filter(|more| *more > 0) {
        notes.push(format!("and {more} more labels: is --label the right column?"));
    }
    notes.extend(card.look_alike_labels.iter().map(|pair| {
        let (first, second) = (quoted(&pair.first, &pair.first_at), quoted(&pair.second, &pair.second_at));
        format!("label {second} looks like {first}: training refuses this; write both alike, or rename one")
    }));
    Section { title: "Labels".into(), grids: vec![grid], notes }
}

fn languages(card: &DataCard) -> Section {
    let mut grid = Grid::new([("language", Side::Left), ("rows", Side::Right), ("share", Side::Right)]);
    for count in &card.languages {
        let language = count.language.clone().unwrap_or_else(|| "unsure".to_owned());
        grid.add([language, count.rows.to_string(), percent(count.share)]);
    }
    let note = "told by the texts' letters: of short ones and of those with many names the detector is not sure, and now and then it errs";
    Section { title: "Languages".into(), grids: vec![grid], notes: vec![note.to_owned()] }
}

fn lengths(card: &DataCard) -> Section {
    let columns = ["min", "median", "95 %", "max"].map(|heading| (heading, Side::Right));
    let mut grid = Grid::new(std::iter::once(("length in", Side::Left)).chain(columns));
    let mut add = |unit: &str, Lengths { min, median, p95, max }: Lengths| {
        let figures = [min, median, p95, max].map(|length| length.to_string());
        let [min, median, p95, max] = figures;
        grid.add([unit.to_owned(), min, median, p95, max]);
    };
    card.characters.into_iter().for_each(|lengths| add("characters", lengths));
    card.tokens.into_iter().for_each(|tokens| add("tokens", tokens.lengths));
    let note = match card.tokens {
        Some(tokens) => {
            let rows = card.labels.iter().map(|label| label.rows).sum();
            let cut = part(tokens.cut_rows, rows);
            format!("{cut} of the rows have more than {} tokens: training does not see their end", tokens.max_tokens)
        }
        None => "tokens are not counted without the base encoder: `pulsewire setup` fetches it".to_owned(),
    };
    Section { title: "Lengths".into(), grids: vec![grid], notes: vec![note] }
}

fn duplicates(found: &Duplicates) -> Section {
    let figures = figures([
        ("rows that repeat a text with its label", found.repeated_rows.to_string()),
        ("texts with more than one label", found.conflicting_texts.to_string()),
        ("rows of those texts", found.conflicting_rows.to_string()),
    ]);
    let mut conflicts = Grid::new(["at", "label", "text"].map(|heading| (heading, Side::Left)));
    for conflict in &found.shown {
        let mut text = conflict.text.clone();
        for label in &conflict.labels {
            conflicts.add([label.at.to_string(), label.label.clone(), std::mem::take(&mut text)]);
        }
    }
    let note = shown_note(found.shown.len(), found.conflicting_texts, "texts with more than one label");
    Section { title: "Duplicates".into(), grids: filled([figures, conflicts]), notes: note.into_iter().collect() }
}

fn near_duplicates(found: &NearDuplicates) -> Section {
    let figures = figures([
        ("pairs of texts", found.pairs.to_string()),
        ("pairs without a label in common", found.other_label_pairs.to_string()),
        ("clusters", found.clusters.to_string()),
        ("texts in clusters", found.clustered_texts.to_string()),
        ("texts of the largest cluster", found.largest_cluster.to_string()),
    ]);
    let mut pairs = texts_grid();
    for pair in &found.shown {
        add_texts(&mut pairs, pair.similarity, [&pair.first, &pair.second]);
    }
    let mut notes = vec![format!("a pair has a similarity of at least {:.2}", found.similarity)];
    notes.extend(shown_note(found.shown.len(), found.pairs, "pairs"));
    notes.extend(incomplete_note(found.complete));
    Section { title: "Near-duplicates".into(), grids: filled([figures, pairs]), notes }
}

fn leakage(found: &Leakage) -> Section {
    let columns = ["test rows", "share", "with another label"].map(|heading| (heading, Side::Right));
    let mut figures = Grid::new(std::iter::once(("test texts in the data", Side::Left)).chain(columns));
    let mut add = |name: &str, leaks: &Leaks| {
        let counts = (leaks.rows.to_string(), leaks.other_label_rows.to_string());
        figures.add([name.to_owned(), counts.0, percent(leaks.share), counts.1]);
    };
    add("the same", &found.exact);
    add("almost the same", &found.near);
    figures.add(["all of the test".to_owned(), found.test_rows.to_string(), String::new(), String::new()]);
    let mut texts = texts_grid();
    for leak in found.exact.shown.iter().chain(&found.near.shown) {
        add_texts(&mut texts, leak.similarity, [&leak.test, &leak.data]);
    }
    let mut notes: Vec<String> = incomplete_note(found.complete).into_iter().collect();
    if !texts.is_empty() {
        notes.push("of each kind at most 10 test texts are shown, each above its like in the data".to_owned());
    }
    Section { title: "Leakage".into(), grids: filled([figures, texts]), notes }
}

fn personal_data(card: &DataCard) -> Section {
    let numbers = [("count", Side::Right), ("rows", Side::Right)];
    let columns = std::iter::once(("kind", Side::Left)).chain(numbers).chain([("first, masked", Side::Left)]);
    let mut grid = Grid::new(columns);
    for kind in &card.personal_data {
        let places = kind.shown.iter().map(|place| format!("{} ({})", place.masked, place.at));
        let places = places.collect::<Vec<_>>().join(", ");
        grid.add([kind.kind.to_string(), kind.count.to_string(), kind.rows.to_string(), places]);
    }
    let note = "what has a checkable form is found; names and postal addresses are not looked for";
    Section { title: "Personal data".into(), grids: vec![grid], notes: vec![note.to_owned()] }
}

/// Counts with their names.
fn figures<const N: usize>(counts: [(&str, String); N]) -> Grid {
    let mut grid = Grid::new([("figure", Side::Left), ("count", Side::Right)]);
    counts.into_iter().for_each(|(name, count)| grid.add([name.to_owned(), count]));
    grid
}

fn texts_grid() -> Grid {
    Grid::new([("similarity", Side::Right), ("at", Side::Left), ("label", Side::Left), ("text", Side::Left)])
}

/// Two rows, the similarity in the first.
fn add_texts(grid: &mut Grid, similarity: f64, texts: [&TextAt; 2]) {
    let mut similarity = format!("{similarity:.2}");
    for text in texts {
        grid.add([std::mem::take(&mut similarity), text.at.to_string(), text.label.clone(), text.text.clone()]);
    }
}

fn filled(grids: [Grid; 2]) -> Vec<Grid> {
    grids.into_iter().filter(|grid| !grid.is_empty()).collect()
}

fn shown_note(shown: usize, all: usize, what: &str) -> Option<String> {
    (shown < all).then(|| format!("{shown} of {all} {what} are shown"))
}

fn incomplete_note(complete: bool) -> Option<String> {
    let note = "some texts have so many likenesses that pairs are counted in part: there may be more";
    (!complete).then(|| note.to_owned())
}

fn quoted(label: &str, at: &Place) -> String {
    format!("{label:?} ({at})")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `12 (0.3 %)`.
fn part(rows: usize, all: usize) -> String {
    format!("{rows} ({})", percent(rows as f64 / all.max(1) as f64))
}
