use std::path::Path;

use foundation::{Failure, FailureKind};

use super::{CompanyDictionary, EntityError};

const SAMPLE: &str = include_str!("../../samples/companies.csv");

fn sample() -> CompanyDictionary {
    CompanyDictionary::parse(SAMPLE.as_bytes(), "companies.csv").unwrap()
}

fn dictionary(rows: &str) -> CompanyDictionary {
    CompanyDictionary::parse(format!("name,ticker,aliases\n{rows}").as_bytes(), "companies.csv").unwrap()
}

fn error(csv: &[u8]) -> EntityError {
    CompanyDictionary::parse(csv, "companies.csv").unwrap_err()
}

fn names(dictionary: &CompanyDictionary, text: &str) -> Vec<String> {
    dictionary.find(None, text).iter().map(|mention| mention.name.to_string()).collect()
}

#[test]
fn sample_dictionary_is_broad_and_clean() {
    let sample = sample();
    assert!(sample.companies().len() >= 350, "{}", sample.companies().len());
    assert_eq!(sample.conflicts(), [], "aliases that two companies claim");
}

#[test]
fn names_in_headlines() {
    let sample = sample();
    let check = |text: &str, expected: &[&str]| assert_eq!(names(&sample, text), expected, "{text}");
    check("Bear Stearns shares plunge", &["Bear Stearns"]);
    check("JPMorgan raises bid for Bear to $10", &["JPMorgan Chase", "Bear Stearns"]);
    check("Stocks enter bear market", &[]);
    check("Bear market is over, says fund", &[]);
    check("CIT wins time from lenders", &["CIT Group"]);
    check("Officials cite progress on talks", &[]);
    check("Delta Air cuts flights", &["Delta Air Lines"]);
    check("Floods in the delta; rebels strike in the Niger Delta", &[]);
    check("GM's pension gap widens", &["General Motors"]);
    check("Sale of AIG-owned aircraft lessor stalls", &["AIG"]);
    check("Citigroup sells unit as Citi shrinks", &["Citigroup"]);
    check("Royal Bank of Scotland and Royal Bank of Canada", &["Royal Bank of Scotland", "Royal Bank of Canada"]);
    check("Fannie, Freddie seek capital", &["Fannie Mae", "Freddie Mac"]);
    check("Harrison Ford film opens", &[]);
    check("Ford opens plant", &["Ford"]);
    check("Cars could ford the river", &[]);
    check("J.P. Morgan, P&G, AT&T and Procter and Gamble", &["JPMorgan Chase", "Procter & Gamble", "AT&T"]);
    check("S&P 500 falls", &[]);
    check("U.S. bank rescue drafted", &[]);
    check("Apple, orange and shell", &["Apple"]);
    check("Sales miss target at Target", &["Target"]);
    check("WALMART AND FEDEX HIRE", &["Wal-Mart", "FedEx"]);
    check("NESTLÉ and Nestle", &["Nestle"]);
    check("Long $AAPL, short $tsla, paid $7203", &["Apple", "Tesla"]);
    check("People's Bank of China drains cash", &[]);
    check("Deutsche Telekom and Deutsche Bank", &["Deutsche Telekom", "Deutsche Bank"]);
}

#[test]
fn case_rules_and_markers() {
    let marked =
        dictionary("Gap,GPS,=The Gap Store|~gapco\nHalifax,,\nAcme Rail,,\nBoxer,,!boxer shorts\nBoxer Shorts Co,,\n");
    let check = |text: &str, expected: &[&str]| assert_eq!(names(&marked, text), expected, "{text}");
    check("gap GAP", &[]);
    check("Gap", &["Gap"]);
    check("the gap store", &[]);
    check("At The Gap Store", &["Gap"]);
    check("GAPCO gapco", &["Gap"]);
    check("HALIFAX", &["Halifax"]);
    check("halifax", &[]);
    check("ACME rail", &["Acme Rail"]);
    check("BOXER SHORTS recalled", &[]);
    check("Boxer Shorts Co sold", &["Boxer Shorts Co"]);
    check("Boxer sells shorts", &["Boxer"]);
    for rows in ["Acme,,!Acme Rail\nAcme Rail,,\n", "Acme Rail,,\nAcme,,!Acme Rail\n"] {
        assert_eq!(
            names(&dictionary(rows), "Acme Rail"),
            ["Acme Rail"],
            "a phrase gives way to a company of that name"
        );
    }
}

#[test]
fn shorter_name_is_tried_when_the_longer_stands_in_the_wrong_case() {
    let nested = dictionary("Delta,,\nDelta Air Lines,,=Delta Air Lines\nAir Lines Group,,\n");
    assert_eq!(names(&nested, "Delta air lines up"), ["Delta"]);
    assert_eq!(names(&nested, "Delta Air Lines up"), ["Delta Air Lines"]);
    assert_eq!(names(&nested, "delta air lines group up"), ["Air Lines Group"]);
}

#[test]
fn relevance_follows_place() {
    let sample = sample();
    let check = |title: Option<&str>, text: &str, expected: &[(&str, f32)]| {
        let found = sample.find(title, text);
        assert_eq!(found.len(), expected.len(), "{title:?} {text}: {found:?}");
        for (mention, (name, relevance)) in found.iter().zip(expected) {
            assert_eq!(&*mention.name, *name, "{title:?} {text}");
            assert!((mention.relevance - relevance).abs() < 1e-6, "{title:?} {text}: {mention:?}");
        }
    };
    check(None, "Shares of Nokia slide", &[("Nokia", 1.0)]);
    check(None, "Nokia sues Apple", &[("Nokia", 1.0), ("Apple", 0.8)]);
    check(Some("Phone maker sues Apple"), "Nokia said so", &[("Apple", 1.0), ("Nokia", 0.4)]);
    check(Some("Court rules"), "Nokia loses", &[("Nokia", 0.5)]);
    check(None, "U.S. banks need new capital: Goldman", &[("Goldman Sachs", 0.3)]);
    check(
        None,
        "Citi, Merrill face write-offs: Goldman",
        &[("Citigroup", 1.0), ("Merrill Lynch", 0.8), ("Goldman Sachs", 0.2)],
    );
    check(None, "Moody's may cut Bank of America's debt rating", &[("Bank of America", 1.0), ("Moody's", 0.24)]);
    check(None, "Microsoft raises bid for Yahoo", &[("Microsoft", 1.0), ("Yahoo", 0.8)]);
    check(None, "Novartis cuts outlook, faces delay", &[("Novartis", 1.0)]);
    check(None, "Ford raises outlook as GM warns", &[("Ford", 1.0), ("General Motors", 0.8)]);
    check(None, "AIG: talks go on", &[("AIG", 1.0)]);
    check(None, "", &[]);
}

#[test]
fn ticker_comes_with_the_mention() {
    let found = sample().find(None, "Apple rises");
    assert_eq!(found[0].ticker.as_deref(), Some("AAPL"));
}

#[test]
fn first_row_keeps_a_disputed_alias() {
    let disputed = dictionary("First,,Rival Name\nSecond,,rival name\nThird,,=Ion\nFourth,,=ION\n");
    assert_eq!(names(&disputed, "Rival Name"), ["First"]);
    let conflicts = disputed.conflicts();
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!((&*conflicts[0].kept_by, &*conflicts[0].ignored_for, conflicts[0].line), ("First", "Second", 3));
    assert_eq!(names(&disputed, "Ion and ION"), ["Third", "Fourth"]);
}

#[test]
fn errors_name_file_line_and_field() {
    let check = |csv: &[u8], expected: &str| {
        let error = error(csv);
        assert_eq!(error.kind(), FailureKind::Configuration);
        assert_eq!(error.to_string(), expected);
    };
    check(
        b"name,symbol,aliases\nA,,\n",
        "companies.csv:1: column \"ticker\" is missing; the header is \"name,symbol,aliases\", wanted name,ticker,aliases",
    );
    check(b"name,ticker,aliases\nA,,\n ,X,\n", "companies.csv:3: field \"name\" is empty");
    check(b"name,ticker,aliases\nA,,\nB,,\nA,,\n", "companies.csv:4: field \"name\": \"A\" already stands on line 2");
    check(
        b"name,ticker,aliases\nA,,=...\n",
        "companies.csv:2: field \"aliases\": \"=...\" has no letter or digit to match",
    );
    check(b"name,ticker,aliases\n---,,\n", "companies.csv:2: field \"name\": \"---\" has no letter or digit to match");
    check(b"name,ticker,aliases\nA,,\nB,X\n", "companies.csv:3: broken row in company dictionary");
    check(b"name,ticker,aliases\nA,,\n\xff\xfe,,\n", "companies.csv:3: broken row in company dictionary");
    check(b"name,ticker,aliases\n", "companies.csv: no company in the dictionary");
    check(b"", "companies.csv:1: column \"name\" is missing; the header is \"\", wanted name,ticker,aliases");
}

#[test]
fn missing_file_is_named() {
    let error = CompanyDictionary::read(Path::new("/nowhere/companies.csv")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read company dictionary /nowhere/companies.csv");
}

#[test]
fn byte_order_mark_spaces_and_other_columns_do_no_harm() {
    let csv = "\u{feff}ticker, name ,sector,aliases\nX, Acme Rail ,transport, Acme | Acme Railways \n";
    let dictionary = CompanyDictionary::parse(csv.as_bytes(), "companies.csv").unwrap();
    assert_eq!(names(&dictionary, "Acme wins"), ["Acme Rail"]);
}

#[test]
fn odd_texts_do_no_harm() {
    let sample = sample();
    for text in ["\0", "\u{0}AIG\u{0}", "🙂AIG🙂", "$", "$$$", "'s", "&", "&&amp;&", "...", "İİİ", "\u{301}", ":", "-"]
    {
        let expected = if text.contains("AIG") { vec!["AIG".to_owned()] } else { vec![] };
        assert_eq!(names(&sample, text), expected, "{text:?}");
    }
    assert_eq!(names(&sample, &"AIG ".repeat(100_000)), ["AIG"]);
}

proptest::proptest! {
    #[test]
    fn any_text_is_scanned(title in proptest::option::of(".{0,60}"), text in "(.|AIG|Bear |Delta Air |&|\\.|'s| ){0,80}") {
        let found = sample_once().find(title.as_deref(), &text);
        for mention in &found {
            proptest::prop_assert!(mention.relevance > 0.0 && mention.relevance <= 1.0);
        }
    }

    #[test]
    fn a_name_is_found_whatever_stands_around_it(before in "[ a-z,.;()\"]{0,30}", after in "[ ,.;()\"!?]{1}[a-z ,]{0,30}") {
        let text = format!("{before} Volkswagen{after}");
        proptest::prop_assert_eq!(names(sample_once(), &text), ["Volkswagen"]);
    }
}

fn sample_once() -> &'static CompanyDictionary {
    static SAMPLE: std::sync::OnceLock<CompanyDictionary> = std::sync::OnceLock::new();
    SAMPLE.get_or_init(sample)
}
