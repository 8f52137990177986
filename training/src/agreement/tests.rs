use super::*;
use crate::source::DataSource;

const COLUMNS: RatingColumns<'_> = RatingColumns { id: "headline", annotator: "who", label: "tone" };

fn read(content: &str) -> Result<Ratings, TrainingError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ratings.csv");
    std::fs::write(&path, format!("who,headline,tone\n{content}")).unwrap();
    Ratings::read(&[DataSource::new(path)], COLUMNS)
}

#[test]
fn every_measure_is_told_that_the_ratings_allow() {
    let content = "ann,1,up\nbob,1,up\nann,2,down\nbob,2,down\nann,3,up\nbob,3, down \nann,4,up\nbob,4,\ncid,1,up\n";
    let agreement = Agreement::of(&read(content).unwrap()).unwrap();
    assert_eq!((agreement.shared_units, agreement.single_units, agreement.blank_labels), (3, 1, 1));
    assert_eq!((agreement.labels.join(" "), agreement.annotators.join(" ")), ("down up".into(), "ann bob cid".into()));
    // Three pairs of ratings of the first unit agree, one of the second; the one of the third does not.
    assert_eq!(agreement.observed, 0.8);
    assert_eq!(agreement.fleiss_kappa, None, "the units have three and two ratings");
    assert!(agreement.krippendorff_alpha.is_some());
    let pairs: Vec<_> = agreement.pairs.iter().map(|pair| (&*pair.first, &*pair.second, pair.units)).collect();
    assert_eq!(pairs, [("ann", "bob", 3), ("ann", "cid", 1), ("bob", "cid", 1)]);
    // Two of three agree; by chance 2/3 · 1/3 twice.
    let kappa = agreement.pairs[0].cohen_kappa.unwrap();
    assert!((kappa - (2.0 / 3.0 - 4.0 / 9.0) / (5.0 / 9.0)).abs() < 1e-12, "{kappa}");
    assert_eq!((agreement.pairs[1].cohen_kappa, agreement.pairs[1].observed), (None, 1.0));
}

#[test]
fn ratings_that_tell_nothing_or_too_much_are_refused() {
    let message = read("ann,1,up\nbob,1,up\nann, 1,down\n").unwrap_err().to_string();
    assert!(message.contains("ratings.csv:4: who: \"ann\" has labelled \"1\" before, at "), "{message}");
    assert!(message.contains("ratings.csv:2;"), "{message}");
    assert!(read("ann,,up\n").unwrap_err().to_string().contains("ratings.csv:2: headline: is empty"));
    assert!(read(",1,up\n").unwrap_err().to_string().contains("ratings.csv:2: who: is empty"));
    let message = Agreement::of(&read("ann,1,up\nbob,2,up\n").unwrap()).unwrap_err().to_string();
    assert!(message.contains("none of 2") && message.contains("\"ann\", \"bob\""), "{message}");
}
