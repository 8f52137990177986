//! `pulsewire train`: labelled files in, a version in the registry out.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use registry::Alias;
use training::{CleaningRules, CurvePoint, Hyperparameters, LossKind, Split, Task, TaskKind, TrainingRun, Watcher};

use crate::checkpoints::CheckpointArguments;
use crate::cli::Global;
use crate::exit::UsageError;
use crate::labelled::LabelledArguments;
use crate::publication::{Publication, PublicationOptions, train_and_publish};
use crate::remote::{RemoteArguments, RemoteRows};
use crate::settings::{RegistryArguments, serde_name};
use crate::terminal::{print_json, print_line, table};
use crate::training_folder::TrainingFolder;
use crate::training_metrics::MetricsWriter;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire train --model news --data headlines.csv --text headline --label sentiment
  pulsewire train --model news --data Sentences_50Agree.txt --format separated --encoding latin-1 --head sentiment
  pulsewire train --model news --data tagged.csv --label tags --kind multi-label --label-separator \";\"
  pulsewire train --model alike --data pairs.csv --text first --text-pair second --label score --kind regression
  pulsewire train --model names --data train.conll --test test.conll        tagged words: named entities
  pulsewire train --model news --data \"clickhouse:SELECT headline AS text, tone AS label FROM labelled\"
  pulsewire train --model news --data kafka:labelled --text /article/headline --label /tone --metrics clickhouse
  pulsewire train --run finance.toml --seed 2        several heads on one encoder; the file says which

The rows are cleaned and split into 70 % training, 15 % validation, 15 % test. The model is published only if
ONNX Runtime and tract give the trainer's own logits. It becomes champion if the model has none yet, else
challenger: `pulsewire model promote` makes it champion. `pulsewire export --precision int8-dynamic --publish` makes a
smaller and faster version of it.

A run that was interrupted, in whatever way, goes on where it was when the same command is given again within
7 days, and gives the same model as if nothing had happened; --restart begins anew. The rows of a query or a topic are
fetched once; they lie in the folder data of the model that has learned from them.

A run's file:
  name = \"finance\"
  [[tasks]]
  name = \"sentiment\"
  data = [{ path = \"headlines.csv\", text = \"headline\", label = \"sentiment\" }]
  split = { by = \"time\", column = \"published\", test = 0.2 }     or by stratified (default), digest, group
  cleaning = { html = true, urls = \"replace\" }                      see `pulsewire data clean --help`
  test = [{ query = \"SELECT headline AS text, tone AS label FROM judged\" }]         or { topic = \"judged\", text = \"/title\" }
  [[tasks]]
  name = \"tags\"                                                  any number of labels a row
  kind = \"multi-label\"
  data = [{ path = \"tagged.csv\", label = \"tags\", label_separator = \";\" }]
  [[tasks]]
  name = \"price\"                                                 a number a row, answered in its own unit
  kind = \"regression\"
  data = [{ path = \"priced.csv\", label = \"price\" }]
  [[tasks]]
  name = \"alike\"                       a pair of texts a row; all tasks of a run have pairs, or none has
  kind = \"regression\"
  data = [{ path = \"pairs.csv\", text = \"first\", text_pair = \"second\", label = \"score\" }]
  [[tasks]]
  name = \"names\"                                 a tag B-TYPE, I-TYPE or O for each word; a run's only task
  kind = \"tokens\"
  data = [{ path = \"train.conll\" }]
  [hyperparameters]
  epochs = 4
  [distillation]                                             learn from other models, and from texts without labels
  teachers = [\"models/finance/1\", \"models/finance/2\"]
  unlabelled = { data = [{ path = \"feed.csv\", text = \"headline\" }] }
  [continual]                                                `base` is a model to go on from, with its heads
  old = [{ path = \"last_year.csv\" }]
  replay = 0.2
  [few_shot]                                                 some ten rows a label: SetFit's recipe, contrast and then the
  temperature = 0.05                                         head; it wants large batches (batch_size = 128)";

/// Arguments of `train`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TrainCommand {
    /// The model's name in the registry
    #[arg(long, value_name = "NAME", required_unless_present = "run")]
    model: Option<String>,
    /// Make the new version champion
    #[arg(long)]
    promote: bool,
    #[command(flatten)]
    checkpoints: CheckpointArguments,
    /// Write losses, rates and validation figures while it trains: to the table training_metrics in ClickHouse
    #[arg(long, value_name = "STORE")]
    metrics: Option<MetricsStore>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    recipe: RecipeArguments,
    #[command(flatten)]
    registry: RegistryArguments,
}

/// Where figures go.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum MetricsStore {
    /// The table training_metrics
    Clickhouse,
}

/// What is trained, and how: a run's file with flags over it, or one task made of flags.
#[derive(Debug, Args)]
pub(crate) struct RecipeArguments {
    /// A run's file (TOML), for several heads and for every setting
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "test", "head", "kind", "base"])]
    run: Option<PathBuf>,
    /// The head's name [default: the label's column]
    #[arg(long, value_name = "NAME")]
    head: Option<String>,
    /// What a label is: single-label, multi-label (several, with --label-separator between them), regression (a number) or
    /// tokens (a tag for each word) [default: tokens for CoNLL's files, else single-label]
    #[arg(long, value_name = "KIND", value_parser = serde_name::<TaskKind>)]
    kind: Option<TaskKind>,
    /// Labelled file to test on, in place of a share of --data
    #[arg(long, value_name = "FILE")]
    test: Vec<PathBuf>,
    /// Folder of the base encoder [default: the one that `pulsewire setup` fetched]
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// Decides the split, the order of batches, new weights and dropout
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    labelled: LabelledArguments,
    #[command(flatten)]
    fitting: FittingArguments,
}

/// The settings that are changed most.
#[derive(Debug, Args)]
#[command(next_help_heading = "Fitting")]
struct FittingArguments {
    /// The most passes over the data
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Rows in a step
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// The highest learning rate
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// The most tokens of a text
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
}

impl TrainCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let mut run = self.recipe.training_run(self.model.as_deref())?;
        let registry = self.registry.open(global)?;
        let folder = TrainingFolder::claim(registry.root(), &run, self.checkpoints.restart)?;
        RemoteRows::kept_in(folder.data(), self.recipe.remote(), global).fetch(run.sources_mut())?;
        let mut metrics = match self.metrics {
            Some(MetricsStore::Clickhouse) => {
                Some(MetricsWriter::start(self.recipe.remote().store(global)?, &run, folder.began()).await?)
            }
            None => None,
        };
        let options = PublicationOptions { promote: self.promote, pace: self.checkpoints.pace() };
        let published = {
            let mut add = metrics.as_mut().map(|metrics| |point: CurvePoint<'_>| metrics.add(point));
            let watcher = add.as_mut().map(|add| add as Watcher<'_>);
            tokio::task::block_in_place(|| train_and_publish(&run, folder, &registry, &options, watcher))
        };
        if let Some(metrics) = metrics {
            metrics.finish().await;
        }
        let published = published?;
        if self.json { print_json(&published) } else { print_line(render(&published)) }
    }
}

impl RecipeArguments {
    /// The run, checked. Without a name of its own, a run of one task is called as the task.
    pub(crate) fn training_run(&self, name: Option<&str>) -> anyhow::Result<TrainingRun> {
        let mut run = match &self.run {
            Some(path) => TrainingRun::load(path)?,
            None => self.one_task()?,
        };
        run.name = name.map_or(run.name, str::to_owned);
        run.seed = self.seed.unwrap_or(run.seed);
        let (given, settings) = (&self.fitting, &mut run.hyperparameters);
        settings.epochs = given.epochs.unwrap_or(settings.epochs);
        settings.batch_size = given.batch_size.unwrap_or(settings.batch_size);
        settings.learning_rate = given.learning_rate.unwrap_or(settings.learning_rate);
        settings.max_tokens = given.max_tokens.unwrap_or(settings.max_tokens);
        run.validate()?;
        Ok(run)
    }

    /// Where its queries and topics are answered.
    pub(crate) fn remote(&self) -> &RemoteArguments {
        &self.labelled.remote
    }

    fn one_task(&self) -> anyhow::Result<TrainingRun> {
        if self.labelled.data.is_empty() {
            return Err(UsageError("nothing to learn from: name a file with --data, or a run with --run".into()).into());
        }
        let task = Task {
            name: self.head.clone().or_else(|| self.labelled.label.clone()).unwrap_or_else(|| "label".to_owned()),
            kind: self.kind.unwrap_or_else(|| self.labelled.kind()),
            data: self.labelled.sources(),
            validation: Vec::new(),
            test: self.labelled.of(&self.test),
            label_names: self.labelled.label_names.clone(),
            cleaning: CleaningRules::default(),
            split: Split::default(),
            loss: LossKind::default(),
        };
        let (name, base) = (task.name.clone(), self.base.clone());
        let hyperparameters = Hyperparameters::default();
        Ok(TrainingRun {
            name,
            seed: 17,
            split_seed: None,
            base,
            tensorboard: None,
            tasks: vec![task],
            hyperparameters,
            distillation: None,
            augmentation: Vec::new(),
            continual: None,
            few_shot: None,
        })
    }
}

fn render(published: &Publication) -> String {
    let Publication { model, version, alias, parity, report } = published;
    let mut backends = table(&["back end", "largest |Δlogit|", "allowed"]);
    for backend in &parity.backends {
        let (delta, limit) = (format!("{:.1e}", backend.max_abs_delta), format!("{:.0e}", parity.limit));
        backends.add_row([backend.backend.clone(), delta, limit]);
    }
    let onwards = match alias {
        Alias::Champion if report.tasks.iter().any(|task| task.kind == TaskKind::Tokens) => {
            "it is the champion".to_owned()
        }
        Alias::Champion => "it is the champion: monitors use it from now on".to_owned(),
        Alias::Challenger => {
            format!("it is the challenger; `pulsewire model promote {model}@{version}` puts it to use")
        }
    };
    format!(
        "{report}\nparity with the trainer on {} texts\n{}\n\npublished as {model}@{version}: {onwards}",
        parity.texts,
        backends.trim_fmt()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Wrapper {
        #[command(flatten)]
        command: TrainCommand,
    }

    fn run_of(arguments: &[&str]) -> TrainingRun {
        let all = ["train"].iter().chain(arguments);
        let command = Wrapper::try_parse_from(all).unwrap().command;
        command.recipe.training_run(command.model.as_deref()).unwrap()
    }

    #[test]
    fn flags_make_a_run_of_one_task() {
        let run = run_of(&[
            "--model",
            "news",
            "--data",
            "a.txt",
            "--data",
            "b.txt",
            "--label",
            "mood",
            "--encoding",
            "latin-1",
            "--format",
            "separated",
            "--epochs",
            "2",
        ]);
        assert_eq!((run.name.as_str(), run.tasks.len(), run.hyperparameters.epochs), ("news", 1, 2));
        assert_eq!((run.tasks[0].name.as_str(), run.tasks[0].data.len()), ("mood", 2));
        assert_eq!(run.tasks[0].data[1].format, Some(training::Format::Separated));
        assert_eq!(run.tasks[0].data[1].encoding, training::Encoding::Latin1);
    }

    #[test]
    fn files_of_tagged_words_make_a_task_of_words() {
        let kind = |arguments: &[&str]| run_of(&[&["--model", "ner", "--data"], arguments].concat()).tasks[0].kind;
        assert_eq!(kind(&["a.conll"]), TaskKind::Tokens);
        assert_eq!(kind(&["a.txt", "--format", "conll"]), TaskKind::Tokens);
        assert_eq!(kind(&["a.csv"]), TaskKind::SingleLabel);
        assert_eq!(kind(&["a.csv", "--kind", "tokens"]), TaskKind::Tokens);
    }

    #[test]
    fn queries_and_topics_stand_in_the_place_of_files() {
        let run = run_of(&["--model", "a", "--data", "clickhouse:SELECT 1", "--test", "kafka:judged", "--text", "/a"]);
        assert_eq!(run.tasks[0].data[0].query.as_deref(), Some("SELECT 1"));
        let test = &run.tasks[0].test[0];
        assert_eq!((test.topic.as_deref(), test.text.as_deref()), (Some("judged"), Some("/a")));
    }

    #[test]
    fn flags_name_the_kind_of_one_task() {
        let run = run_of(&["--model", "a", "--data", "a.csv", "--kind", "multi-label", "--label-separator", ";"]);
        assert_eq!((run.tasks[0].kind, run.tasks[0].data[0].label_separator), (TaskKind::MultiLabel, Some(';')));
    }

    #[test]
    fn flags_win_over_a_runs_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        let text = "name = \"finance\"\nseed = 3\n[[tasks]]\nname = \"mood\"\ndata = [{ path = \"a.csv\" }]\n";
        std::fs::write(&path, text).unwrap();
        let run = run_of(&["--run", path.to_str().unwrap(), "--seed", "5", "--batch-size", "16"]);
        assert_eq!((run.name.as_str(), run.seed, run.hyperparameters.batch_size), ("finance", 5, 16));
    }

    #[test]
    fn what_cannot_be_learned_from_is_refused() {
        let parse = |arguments: &[&str]| Wrapper::try_parse_from(["train"].iter().chain(arguments));
        assert!(parse(&[]).is_err());
        assert!(parse(&["--run", "a.toml", "--data", "b.csv"]).is_err());
        assert!(parse(&["--run", "a.toml", "--kind", "regression"]).is_err());
        assert!(parse(&["--model", "a", "--data", "b.csv", "--kind", "ranking"]).is_err());
        assert!(parse(&["--model", "a", "--data", "b.csv", "--format", "xml"]).is_err());
        assert!(parse(&["--model", "a", "--data", "b.csv", "--metrics", "prometheus"]).is_err());
        let no_file_has = parse(&["--model", "a", "--data", "kafka:b", "--no-header"]).unwrap().command;
        assert!(no_file_has.recipe.training_run(None).unwrap_err().to_string().contains("tasks[0].data"));
        assert!(parse(&["--model", "a"]).unwrap().command.recipe.training_run(None).is_err());
    }
}
