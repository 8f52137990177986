//! What leaves the trainer is what Python's libraries load. `PULSEWIRE_PYTHON` names an interpreter that has `torch`,
//! `transformers` and `optimum[onnxruntime]`; without it, the test says that it is skipped.

use std::process::Command;

use serde::{Deserialize, Serialize};

use super::adapted::adapted;
use super::kinds::run_of_kinds;
use super::words::word_run;
use super::*;
use crate::engine::{AdapterKind, Lora};
use crate::export::{Form, compress};

/// Loads and asks each model as its library's users do. Of words, the answers at their first tokens count.
const SCRIPT: &str = r#"
import json, sys, torch, transformers
from optimum import onnxruntime
LOADERS = {"transformers": (transformers, "AutoModelFor"), "optimum": (onnxruntime, "ORTModelFor")}
def ask(question):
    library, prefix = LOADERS[question["library"]]
    model = getattr(library, prefix + question["task"]).from_pretrained(question["directory"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(question["directory"])
    of_words = question["task"] == "TokenClassification"
    texts = [text.split() for text in question["texts"]] if of_words else question["texts"]
    tokens = tokenizer(texts, padding=True, truncation=True, is_split_into_words=of_words, return_tensors="pt")
    with torch.no_grad():
        logits = model(**tokens).logits
    if of_words:
        words = [tokens.word_ids(row) for row in range(len(texts))]
        logits = torch.stack([logits[row, ids.index(word)]
                              for row, ids in enumerate(words) for word in sorted(set(ids) - {None})])
    config = model.config
    return {"logits": logits.tolist(), "labels": config.id2label, "problem_type": config.problem_type,
            "class": type(model).__name__}
print(json.dumps([ask(question) for question in json.loads(sys.argv[1])]))
"#;

/// What a library is asked.
#[derive(Debug, Serialize)]
struct Question {
    library: &'static str,
    /// The end of the name of the class that loads the model.
    task: &'static str,
    directory: PathBuf,
    texts: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    logits: Vec<Vec<f32>>,
    labels: Value,
    problem_type: Option<String>,
    class: String,
}

/// A model, and what the trainer says of the texts.
struct Asked {
    name: &'static str,
    trained: TrainedModel,
    logits: Array2<f32>,
    labels: Value,
}

impl Asked {
    fn of(name: &'static str, run: &TrainingRun, texts: &[&str], labels: Value) -> Self {
        let trained = train(run, &run.base.as_ref().unwrap().with_file_name(name)).unwrap();
        export(&trained.staging).unwrap();
        Self { name, logits: trained.logits(texts).unwrap(), trained, labels }
    }

    fn kind(&self) -> TaskKind {
        self.trained.report.tasks[0].kind
    }

    fn task(&self) -> &'static str {
        if self.kind() == TaskKind::Tokens { "TokenClassification" } else { "SequenceClassification" }
    }

    #[track_caller]
    fn check(&self, question: &Question, answer: &Answer, limit: f32) {
        let (name, library) = (self.name, question.library);
        assert_eq!(answer.labels, self.labels, "{name} in {library}");
        if self.trained.report.tasks.len() == 1 {
            assert_eq!(answer.problem_type.as_deref(), self.kind().problem_type(), "{name} in {library}");
        }
        if library == "transformers" {
            assert_eq!(answer.class, format!("BertFor{}", self.task()), "{name}");
        }
        let shape = (answer.logits.len(), answer.logits[0].len());
        let logits = Array2::from_shape_vec(shape, answer.logits.concat()).unwrap();
        assert_eq!(logits.dim(), self.logits.dim(), "{name} in {library}");
        let delta = (&logits - &self.logits).iter().fold(0.0f32, |largest, delta| largest.max(delta.abs()));
        let size = self.logits.iter().fold(1.0f32, |largest, logit| largest.max(logit.abs()));
        assert!(delta < limit * size, "{name} in {library} differs by {delta}: {logits} is not {}", self.logits);
    }
}

/// Models of every kind, after an epoch or two.
fn models(directory: &Path, texts: &[&str]) -> Vec<Asked> {
    let folder = |name: &str| {
        let folder = directory.join(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    };
    let mut two_heads = run(&folder("plain"));
    two_heads.hyperparameters.epochs = 2;
    let of_two = json!({ "0": "down", "1": "up", "2": "rain", "3": "sun" });
    let mut kinds = run_of_kinds(&folder("kinds"));
    kinds.hyperparameters.epochs = 1;
    let of_kind = |index: usize| TrainingRun { tasks: vec![kinds.tasks[index].clone()], ..kinds.clone() };
    let mut words = word_run(&folder("words"));
    words.hyperparameters.epochs = 1;
    let tags = json!({ "0": "O", "1": "B-SIDE", "2": "I-SIDE", "3": "B-SKY", "4": "I-SKY" });
    let mut lora = adapted(&folder("lora"), &AdapterKind::Lora(Lora::default()));
    lora.hyperparameters.epochs = 1;
    vec![
        Asked::of("two heads", &two_heads, texts, of_two.clone()),
        Asked::of("multi-label", &of_kind(1), texts, json!({ "0": "rain", "1": "up" })),
        Asked::of("regression", &of_kind(2), texts, json!({ "0": "warmth" })),
        Asked::of("tokens", &words, texts, tags),
        Asked::of("LoRA", &lora, texts, of_two),
    ]
}

/// What Python says, in the order of the questions.
fn ask(python: &str, questions: &[Question]) -> Vec<Answer> {
    let output = Command::new(python)
        .args(["-c", SCRIPT, &serde_json::to_string(questions).unwrap()])
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn transformers_and_optimum_load_models_of_every_kind_with_the_same_logits() {
    let Ok(python) = std::env::var("PULSEWIRE_PYTHON") else {
        eprintln!("skipped: PULSEWIRE_PYTHON names no Python that has torch, transformers and optimum");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    // Longer than the model takes, shorter, and with a word that it does not know.
    let long = "shares up again and ".repeat(20);
    let texts = ["shares are UP today", &long, "rain"];
    let models = models(directory.path(), &texts);
    let small = directory.path().join("small");
    std::fs::create_dir(&small).unwrap();
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(models[0].trained.staging.join(file), small.join(file)).unwrap();
    }
    compress(&models[0].trained.staging, &small, &Form::Int8Dynamic).unwrap();

    let question = |model: &Asked, library: &'static str, directory: &Path| Question {
        library,
        task: model.task(),
        directory: directory.to_owned(),
        texts: texts.map(str::to_owned).into(),
    };
    let whole = models.iter().flat_map(|model| {
        ["transformers", "optimum"].map(|library| (model, question(model, library, &model.trained.staging), 1e-5))
    });
    let compressed = (&models[0], question(&models[0], "optimum", &small), 0.2);
    let (asked, questions): (Vec<_>, Vec<_>) =
        whole.chain([compressed]).map(|(model, question, limit)| ((model, limit), question)).unzip();
    let answers = ask(&python, &questions);
    assert_eq!(answers.len(), questions.len());
    for (((model, limit), question), answer) in asked.iter().zip(&questions).zip(&answers) {
        model.check(question, answer, *limit);
    }
}
