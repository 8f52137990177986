use super::*;
use crate::evaluation::Perturbation;
use crate::evaluation::predictions::rows_of;

fn evaluation() -> Evaluation {
    let (a, b) = ([0.9, 0.1], [0.2, 0.8]);
    let predictions = rows_of(&[(0, a), (0, a), (0, b), (1, b)]);
    let other = rows_of(&[(0, a), (0, b), (0, b), (1, b)]);
    let mut evaluation = Evaluation::of(&predictions);
    evaluation.slices = vec![Slice::of("topic", ["oil", "oil", "", "oil"], &predictions)];
    let perturbation = Perturbation {
        name: "typos".to_owned(),
        changed_rows: 3,
        accuracy: 0.5,
        macro_f1: 0.25,
        flipped_rows: 1,
        flipped: 0.25,
    };
    evaluation.robustness = Some(Robustness { perturbations: vec![perturbation] });
    evaluation.against = Some(Comparison::of("other@2", &predictions, &other));
    evaluation
}

#[test]
fn the_terminal_sees_aligned_tables() {
    let text = evaluation().to_string();
    let expected = [
        "head (4 rows)  precision  recall     f1  support  ROC AUC  avg precision\n\
         a                  1.000   0.667  0.800        3    0.833          0.917\n\
         b                  0.500   1.000  0.667        1    0.833          0.500\n\
         macro mean                        0.733        4    0.833          0.708\n",
        "accuracy           0.7500",
        "true \\ predicted  a  b\n\
         a                 2  1\n\
         b                 ·  1\n",
        "topic    rows  labels  accuracy  macro F1\n\
         oil         3       2    1.0000    1.0000\n\
         (empty)     1       1    0.0000    0.0000\n",
        "robustness   rows changed  accuracy  macro F1  labels that flip\n\
         typos                   3    0.5000    0.2500            25.0 %\n\
         as they are                  0.7500    0.7333\n",
        "against other@2  accuracy  macro F1  right alone\n\
         this model         0.7500    0.7333            1\n\
         other@2            0.5000    0.5000            0\n\
         2 rows both right, 1 both wrong; McNemar's test of accuracy (exact): p = 1.0000",
    ];
    for part in expected {
        assert!(text.contains(part), "no\n{part}\nin\n{text}");
    }
    assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
}

#[test]
fn markdown_has_every_table_and_the_reliability() {
    let document = evaluation().markdown("news@3 on held-out.csv");
    assert!(document.starts_with("# news@3 on held-out.csv\n\n## head (4 rows)\n\n|  | precision |"), "{document}");
    for part in ["## all labels\n", "## true \\\\ predicted\n", "## topic\n", "## against other@2\n", "## confidence\n"]
    {
        assert!(document.contains(part), "no {part:?} in\n{document}");
    }
    assert!(document.contains("| 0.867 to 0.933 | 2 | 0.9000 | 1.0000 |\n"), "{document}");
}

#[test]
fn many_values_and_long_labels_stay_readable() {
    let mut evaluation = evaluation();
    for label in &mut evaluation.report.labels {
        label.label = format!("{} with a name that goes on and on and on and on", label.label);
    }
    let values: Vec<String> = (0..4).map(|value| value.to_string()).collect();
    let slice = Slice::of("id", values.iter().map(String::as_str), &rows_of(&[(0, [1.0, 0.0]); 4]));
    assert!(values_of(&slice, 3).contains("and 1 smaller ones"), "{}", values_of(&slice, 3));
    let text = evaluation.to_string();
    assert!(text.lines().any(|line| line.starts_with("true \\ predicted") && line.ends_with("1  2")), "{text}");
    assert!(text.contains("\n 2 b with a name"), "{text}");
}

#[test]
fn json_keeps_the_fields_of_the_report() {
    let evaluation = evaluation();
    let json = serde_json::to_value(&evaluation).unwrap();
    let report: crate::metrics::EvaluationReport = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(report, evaluation.report);
    assert_eq!(json["against"]["mcnemar"]["method"], "exact");
    assert_eq!(json["slices"][0]["values"][0]["rows"], 3);
    assert_eq!(json["intervals"]["resamples"], 1000);
    let plain = serde_json::to_value(Evaluation::of(&rows_of(&[(0, [1.0, 0.0])]))).unwrap();
    assert!(plain.get("against").is_none() && plain.get("slices").is_none());
    assert!(plain["temperature"].is_null() && plain["ranking"]["roc_auc"].is_null());
}

fn values_of(slice: &Slice, shown: usize) -> String {
    values(slice, shown).text()
}
