use std::path::Path;

use super::*;
use crate::error::Location;
use crate::out_of_fold::JudgedRow;
use crate::random::Random;

fn judged(labels: &[&str], rows: impl IntoIterator<Item = (usize, Vec<f64>)>) -> OutOfFold {
    let row = |(index, (label, probabilities)): (usize, (usize, Vec<f64>))| JudgedRow {
        fold: 1,
        at: Location { path: Path::new("rows.csv").into(), line: index as u64 + 2 },
        text: format!("text {index}, ask jane@example.org"),
        label,
        probabilities,
    };
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    OutOfFold { task: "tone".to_owned(), labels, rows: rows.into_iter().enumerate().map(row).collect() }
}

#[test]
fn the_joint_is_that_counted_by_hand() {
    // The thresholds: (0.9 + 0.8 + 0.1) / 3 = 0.6 for the first label, (0.7 + 0.5 + 0.3) / 3 = 0.5 for the second.
    let rows = [
        (0, vec![0.9, 0.1, 0.0]),
        (0, vec![0.8, 0.2, 0.0]),
        (0, vec![0.1, 0.9, 0.0]),
        (1, vec![0.3, 0.7, 0.0]),
        (1, vec![0.5, 0.5, 0.0]),
        // Below both thresholds: in no cell.
        (1, vec![0.55, 0.3, 0.15]),
    ];
    let judged = judged(&["down", "up", "flat"], rows);
    let audit = LabelAudit::of(&judged).unwrap();
    let thresholds: Vec<_> = audit.labels.iter().map(|label| label.threshold).collect();
    assert!((thresholds[0].unwrap() - 0.6).abs() < 1e-12 && (thresholds[1].unwrap() - 0.5).abs() < 1e-12);
    assert_eq!(thresholds[2], None, "a label that no row has");
    assert_eq!(audit.confident_joint, [[2, 1, 0], [0, 2, 0], [0, 0, 0]]);
    // One of three confident rows is off: so is one of the label's three rows.
    let estimated: Vec<f64> = audit.labels.iter().map(|label| label.estimated_errors).collect();
    assert_eq!((estimated, audit.estimated_errors), (vec![1.0, 0.0, 0.0], 1.0));
    let [finding] = &audit.findings[..] else { panic!("{:?}", audit.findings) };
    assert_eq!((finding.at.to_string(), finding.suggested.as_str()), ("rows.csv:4".to_owned(), "up"));
    assert!((finding.margin + 0.8).abs() < 1e-12);
    assert_eq!(finding.text, "text 2, ask j***@***.org");
}

#[test]
fn turned_labels_are_found_and_counted_and_the_plainest_stand_first() {
    let mut random = Random::new(3, "audit");
    let (mut turned, mut rows) = (0, Vec::new());
    for index in 0..3000 {
        let truth = index % 3;
        // A model that is right, more or less surely.
        let own = 0.4 + 0.55 * random.unit();
        let mut probabilities = vec![(1.0 - own) / 2.0; 3];
        probabilities[truth] = own;
        // Label 0 is taken for label 1 one time in five; the others are right.
        let is_turned = truth == 0 && random.below(5) == 0;
        turned += usize::from(is_turned);
        rows.push((if is_turned { 1 } else { truth }, probabilities));
    }
    let is_turned: Vec<bool> = rows.iter().enumerate().map(|(index, (label, _))| index % 3 != *label).collect();
    let audit = LabelAudit::of(&judged(&["a", "b", "c"], rows)).unwrap();
    assert!(audit.findings.iter().all(|finding| is_turned[finding.row] && finding.suggested == "a"));
    assert!(audit.findings.len() * 10 > turned * 4, "{} of {turned} found", audit.findings.len());
    // The rows of which the model is sure stand for those of which it is not.
    assert!((audit.estimated_errors / turned as f64 - 1.0).abs() < 0.35, "{} for {turned}", audit.estimated_errors);
    assert!(audit.findings.windows(2).all(|pair| pair[0].margin <= pair[1].margin));
}

#[test]
fn all_findings_are_in_the_csv_with_their_whole_texts() {
    let rows = [(0, vec![0.9, 0.1]), (0, vec![0.2, 0.8]), (1, vec![0.1, 0.9])];
    let judged = [judged(&["down", "up"], rows)];
    let audits = [LabelAudit::of(&judged[0]).unwrap()];
    let file = tempfile::NamedTempFile::new().unwrap();
    // The second row is below the threshold of its own label, but not above that of the other.
    assert!(audits[0].findings.is_empty());
    write_csv(file.path(), &judged, &audits).unwrap();
    let header = "task,file,line,label,suggested,margin,label_probability,suggested_probability,text\n";
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), header);

    let rows = [(0, vec![0.9, 0.1]), (0, vec![0.1, 0.9]), (1, vec![0.2, 0.8])];
    let judged = [super::tests::judged(&["down", "up"], rows)];
    let audits = [LabelAudit::of(&judged[0]).unwrap()];
    write_csv(file.path(), &judged, &audits).unwrap();
    let row = "tone,rows.csv,3,down,up,-0.8000,0.1000,0.9000,\"text 1, ask jane@example.org\"\n";
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), format!("{header}{row}"));
}

#[test]
fn no_rows_and_no_probabilities_are_refused() {
    let none = judged(&["down", "up"], []);
    assert!(matches!(LabelAudit::of(&none), Err(TrainingError::NoRows)));
    let message = LabelAudit::of(&judged(&["down", "up"], [(0, vec![0.9, 0.9])])).unwrap_err().to_string();
    assert!(message.contains("rows.csv:2"), "{message}");
}
