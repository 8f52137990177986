//! The sample data keeps what its README promises.

#![expect(clippy::unwrap_used, reason = "a broken sample must fail its test")]

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sentiment_monitor::entities::CompanyDictionary;
use sentiment_monitor::samples::{COMPANIES, FEED, LABELLED};

const README: &str = include_str!("../samples/README.md");

/// Each incident's company, first and last minute, and headlines, as the README's table has them.
const INCIDENTS: [(&str, &str, &str, usize); 5] = [
    ("Brightmoor Foods", "2026-03-09 13:05", "2026-03-10 19:40", 21),
    ("Norvale Bank", "2026-03-11 07:10", "2026-03-12 18:30", 24),
    ("Telquist", "2026-03-13 15:45", "2026-03-14 21:20", 19),
    ("Calder Voss", "2026-03-16 06:35", "2026-03-17 17:50", 23),
    ("Hallenberg Industries", "2026-03-19 06:20", "2026-03-20 18:10", 16),
];

const TOPICS: [&str; 11] = [
    "credit",
    "earnings",
    "labour",
    "legal",
    "macro",
    "management",
    "markets",
    "mergers",
    "operations",
    "products",
    "regulation",
];

fn rows(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn header(csv: &str) -> &str {
    csv.lines().next().unwrap()
}

fn words(headline: &str) -> BTreeSet<String> {
    headline.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

#[test]
fn labelled_headlines_are_whole_distinct_and_balanced() {
    assert_eq!(header(LABELLED), "headline,sentiment,topic,gravity");
    let rows = rows(LABELLED);
    let mut seen = HashSet::new();
    let mut sentiments = BTreeMap::<&str, usize>::new();
    let mut topics = BTreeMap::<&str, usize>::new();
    let mut gravities = BTreeMap::<&str, usize>::new();
    for row in &rows {
        let length = row[0].split_whitespace().count();
        assert!((3..=30).contains(&length), "{length} words: {}", row[0]);
        assert!(seen.insert(row[0].to_lowercase()), "twice: {}", row[0]);
        *sentiments.entry(&row[1]).or_default() += 1;
        *topics.entry(&row[2]).or_default() += 1;
        *gravities.entry(&row[3]).or_default() += 1;
        assert!(row[3] != "grave" || row[1] == "negative", "only bad news is grave: {}", row[0]);
    }
    assert!(rows.len() >= 900, "{}", rows.len());
    assert_eq!(sentiments.keys().copied().collect::<Vec<_>>(), ["negative", "neutral", "positive"]);
    assert_eq!(topics.keys().copied().collect::<Vec<_>>(), TOPICS);
    assert_eq!(gravities.keys().copied().collect::<Vec<_>>(), ["grave", "ordinary"]);
    for (label, count) in sentiments.into_iter().chain(gravities) {
        assert!(count * 5 >= rows.len(), "{label}: {count} of {}", rows.len());
        assert!(README.contains(&format!("`{label}` {count}")), "README has another count of {label} than {count}");
    }
    for (label, count) in topics {
        assert!(count * 20 >= rows.len(), "{label}: {count} of {}", rows.len());
    }
}

#[test]
fn feed_is_in_event_time_order_with_distinct_ids() {
    assert_eq!(header(FEED), "id,published_utc,headline,source");
    let rows = rows(FEED);
    assert!(rows.windows(2).all(|pair| pair[0][1] <= pair[1][1]), "event-time order");
    assert_eq!(rows.iter().map(|row| &row[0]).collect::<HashSet<_>>().len(), rows.len(), "distinct ids");
    assert!(rows.iter().all(|row| row.iter().all(|field| !field.trim().is_empty())), "no empty field");
}

#[test]
fn feed_and_labelled_headlines_do_not_overlap() {
    let labelled: Vec<_> = rows(LABELLED).into_iter().map(|row| (words(&row[0]), row[0].clone())).collect();
    for row in rows(FEED) {
        let headline = words(&row[2]);
        for (known, text) in &labelled {
            let shared = headline.intersection(known).count();
            let all = headline.len() + known.len() - shared;
            assert!(shared * 3 < all * 2, "{:?} is too close to {text:?}", row[2]);
        }
    }
}

#[test]
fn every_incident_stands_where_the_readme_says() {
    let dictionary = CompanyDictionary::parse(COMPANIES.as_bytes(), "companies.csv").unwrap();
    let feed = rows(FEED);
    for (company, first, last, headlines) in INCIDENTS {
        let line = format!("| {company} | {first} | {last} | {headlines} |");
        assert!(README.contains(&line), "README lacks {line:?}");
        let about: Vec<String> = feed
            .iter()
            .filter(|row| dictionary.find(None, &row[2]).first().is_some_and(|mention| &*mention.name == company))
            .map(|row| row[1][..16].replace('T', " "))
            .filter(|minute| (first..=last).contains(&minute.as_str()))
            .collect();
        assert_eq!(about.len(), headlines, "{company}");
        assert_eq!((about[0].as_str(), about[about.len() - 1].as_str()), (first, last), "{company}");
    }
}

#[test]
fn readme_counts_the_rows() {
    for (file, csv) in [("companies.csv", COMPANIES), ("labelled.csv", LABELLED), ("feed.csv", FEED)] {
        let count = rows(csv).len();
        let count = format!("{},{:03}", count / 1000, count % 1000);
        let line = README.lines().find(|line| line.starts_with(&format!("| `{file}` |"))).unwrap();
        assert!(line.contains(&count), "{file} has {count} rows: {line}");
    }
}
