//! `pulsewire prune`: a smaller model or base encoder, by leaving out tokens, layers and attention heads.

mod staging;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use foundation::parts::Part;
use inference::ModelDirectory;
use training::Row;
use training::pruning::{
    DroppedLayers, Figures, KeptTokens, Measures, PruningCard, PruningReport, drop_layers, prune_heads, trim_vocabulary,
};

use crate::cli::Global;
use crate::derived::{Target, labelled_rows};
use crate::exit::UsageError;
use crate::labelled::{LabelledArguments, different_texts};
use crate::publication::Derivation;
use crate::remote::RemoteRows;
use crate::settings::{FoundModel, ModelArguments};
use crate::terminal::{print_json, print_line, table};
use staging::Staged;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire prune --model news --vocabulary feed.csv --text headline --out ./news-small
  pulsewire prune --model news --vocabulary feed.csv --min-count 3 --data held_out.csv --text headline \\
                  --label sentiment --publish                tells what it costs, in pruning.json, too
  pulsewire prune --model news --drop-heads 0.3 --data held_out.csv --text headline --label sentiment --out ./news-30
  pulsewire prune --base --vocabulary feed.csv --text headline --drop-layers top:2 --out ./small-encoder
  pulsewire train --base ./small-encoder --model news --data labelled.csv --text headline --label sentiment

what goes      saves                                 costs
--vocabulary   file and memory, no time: half of     nothing where all tokens of a text stay; others are read in
               MiniLM's parameters are word vectors  shorter pieces
--drop-layers  file, memory and time in proportion   a fine-tuned model much; a base encoder that is fine-tuned
                                                     afterwards less, best with the whole model as teacher
--drop-heads   a little file, memory and time        little up to a third or so, for the head that --data labels; what
                                                     other heads of the model need is not weighed

What is named is done in this order, and each step is measured on the rows of --data. With --drop-heads, every other one of these
rows is what heads are weighed on, and only the rest is measured. ONNX Runtime and tract must agree on the result, which
`pulsewire export --precision` makes smaller still. Transformers reads it; where attention heads are gone, only its releases of the
4 series do.";

/// Arguments of `prune`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PruneCommand {
    /// Folder to write, which must not exist yet
    #[arg(long, value_name = "DIR", required_unless_present = "publish")]
    out: Option<PathBuf>,
    /// Prune a base encoder, to be trained afterwards [without DIR: the one that `pulsewire setup` fetched]
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    #[arg(conflicts_with_all = ["model", "publish", "drop_heads", "data"])]
    base: Option<Option<PathBuf>>,
    /// Keep only the tokens that the texts of this file use, in the form that --text and --format tell (may be given more than once)
    #[arg(long, value_name = "FILE")]
    vocabulary: Vec<PathBuf>,
    /// With --vocabulary: only tokens that are used at least so often [default: 1]
    #[arg(long, value_name = "N", requires = "vocabulary")]
    min_count: Option<NonZeroUsize>,
    /// With --vocabulary: only so many of the commonest tokens
    #[arg(long, value_name = "N", requires = "vocabulary")]
    top: Option<NonZeroUsize>,
    /// Leave out layers: top:2 (the two highest), every-other or, counted from 0, 3,5
    #[arg(long, value_name = "LAYERS")]
    drop_layers: Option<DroppedLayers>,
    /// Leave out this share of the attention heads: those that matter least on the rows of --data
    #[arg(long, value_name = "SHARE", requires = "data")]
    drop_heads: Option<f64>,
    /// The head that --data labels
    #[arg(long, value_name = "NAME", requires = "data")]
    head: Option<String>,
    /// Make the result the next version of the registry's model, as challenger
    #[arg(long, conflicts_with = "out")]
    publish: bool,
    /// With --publish: make it champion
    #[arg(long, requires = "publish")]
    promote: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    labelled: LabelledArguments,
    #[command(flatten)]
    model: ModelArguments,
}

/// What is pruned.
enum Source {
    Model(FoundModel),
    Base(PathBuf),
}

impl PruneCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        self.check_flags()?;
        let source = match &self.base {
            Some(base) => Source::Base(base.clone().map_or_else(|| Part::BaseEncoder.locate(), Ok)?),
            None => Source::Model(self.model.find(global)?),
        };
        let target = match (&self.out, &source) {
            (Some(out), _) => Target::Folder(out.clone()),
            (None, Source::Model(found)) => Target::registry(found, &self.model, global)?,
            (None, Source::Base(_)) => return Err(UsageError("a base encoder needs --out".to_owned()).into()),
        };
        let remote = RemoteRows::for_a_while(&self.labelled.remote, global)?;
        let (place, card) = tokio::task::block_in_place(|| self.prune(&source, target, &remote))?;
        if self.json {
            return print_json(&serde_json::json!({ "written": place, "pruning": card }));
        }
        let next = match source {
            Source::Model(_) => String::new(),
            Source::Base(_) => format!("\n`pulsewire train --base {place}` starts from it"),
        };
        print_line(render(&place, &card) + &next)
    }

    fn check_flags(&self) -> anyhow::Result<()> {
        let refuse = |message: String| Err(UsageError(message).into());
        match (&self.out, self.drop_heads) {
            (Some(out), _) if out.exists() => refuse(format!("--out {} exists already", out.display())),
            (_, Some(share)) if !(share > 0.0 && share < 1.0) => {
                refuse(format!("--drop-heads {share} is no share of the heads: it must be above 0 and below 1"))
            }
            (_, None) if self.vocabulary.is_empty() && self.drop_layers.is_none() => {
                refuse("nothing is left out: name --vocabulary, --drop-layers or --drop-heads".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn prune(&self, source: &Source, target: Target, remote: &RemoteRows<'_>) -> anyhow::Result<(String, PruningCard)> {
        let (directory, rows) = match source {
            Source::Base(base) => (base, Vec::new()),
            Source::Model(found) => {
                let directory = ModelDirectory::open(&found.directory)?;
                self.labelled.check_reading(&directory)?;
                let rows = labelled_rows(&self.labelled, &directory, self.head.as_deref(), remote)?;
                (&found.directory, rows)
            }
        };
        let texts = different_texts(&remote.local(self.labelled.of(&self.vocabulary))?)?;
        // What heads are chosen by cannot tell what that costs.
        let (weighed, measured): (Vec<_>, Vec<_>) =
            rows.into_iter().enumerate().partition(|(place, _)| self.drop_heads.is_some() && place % 2 == 0);
        let rows = |side: Vec<(usize, Row)>| side.into_iter().map(|(_, row)| row).collect::<Vec<_>>();
        let (weighed, measured) = (rows(weighed), rows(measured));

        let name = match source {
            Source::Model(found) => found.to_string(),
            Source::Base(base) => base.display().to_string(),
        };
        let answers = matches!(source, Source::Model(_));
        let mut staged = Staged::begin(name, directory, target.parent(), answers, &measured, self.head.clone())?;
        if !self.vocabulary.is_empty() {
            let kept = KeptTokens { least: self.min_count.unwrap_or(NonZeroUsize::MIN), most: self.top };
            staged.step(|from, to| trim_vocabulary(from, to, &texts, kept).map(PruningReport::Vocabulary))?;
        }
        if let Some(dropped) = &self.drop_layers {
            staged.step(|from, to| drop_layers(from, to, dropped).map(PruningReport::Layers))?;
        }
        if let Some(share) = self.drop_heads {
            let head = self.head.as_deref();
            staged.step(|from, to| prune_heads(from, to, share, &weighed, head).map(PruningReport::Heads))?;
        }
        staged.finish(&parity_texts(texts, &measured))?;
        let steps: Vec<String> = staged.card.steps.iter().map(|step| step.done.to_string()).collect();
        let derivation = Derivation::new("pruning", steps.into(), "pruning", &staged.card, staged.report.as_ref())?;
        let place = target.put(&staged.path, derivation, self.promote)?;
        Ok((place, staged.card))
    }
}

/// Texts to compare the back ends on: the vocabulary's, else the labelled ones, else the headlines of the sample feed.
fn parity_texts(texts: Vec<String>, rows: &[Row]) -> Vec<String> {
    match (texts.is_empty(), rows) {
        (false, _) => texts,
        (true, []) => crate::samples::headlines().iter().map(|text| text.to_string()).collect(),
        (true, rows) => rows.iter().map(|row| row.text.clone()).collect(),
    }
}

fn render(place: &str, card: &PruningCard) -> String {
    let mut steps = table(&["", "parameters", "file", "accuracy", "macro F1"]);
    let mut add = |name: String, now: &Measures, before: Option<&Measures>| {
        let figure = |of: fn(&Figures) -> f64| {
            let change = before.and_then(|before| Some(of(now.figures.as_ref()?) - of(before.figures.as_ref()?)));
            let change = change.map_or(String::new(), |change| format!(" ({:+.2} points)", 100.0 * change));
            now.figures.as_ref().map_or(String::new(), |figures| format!("{:.4}{change}", of(figures)))
        };
        let (accuracy, macro_f1) = (figure(|figures| figures.accuracy), figure(|figures| figures.macro_f1));
        let size = |count: f64| format!("{:.2} M", count / 1e6);
        steps.add_row([name, size(now.parameters as f64), size(now.bytes as f64) + "B", accuracy, macro_f1]);
    };
    let mut last = &card.before;
    add(card.model.clone(), last, None);
    for step in &card.steps {
        add(step.done.to_string(), &step.after, Some(last));
        last = &step.after;
    }
    let mut lines = vec![steps.trim_fmt()];
    if let Some(Figures { head, rows, .. }) = &card.before.figures {
        lines.push(format!("{head} on {rows} labelled rows"));
    }
    if let Some(parity) = &card.parity {
        lines.push(format!("checked on {} texts", parity.texts));
    }
    lines.push(format!("it is in {place}"));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Wrapper {
        #[command(flatten)]
        command: PruneCommand,
    }

    fn parse(arguments: &[&str]) -> Result<PruneCommand, clap::Error> {
        Wrapper::try_parse_from(["prune"].iter().chain(arguments)).map(|wrapper| wrapper.command)
    }

    #[test]
    fn what_cannot_be_done_is_refused_before_anything_is_read() {
        #[track_caller]
        fn check(arguments: &[&str], expected: &str) {
            let message = parse(arguments).unwrap().check_flags().unwrap_err().to_string();
            assert!(message.contains(expected), "{arguments:?} gave {message}");
        }
        check(&["--out", ".", "--drop-layers", "top:1"], "exists already");
        check(&["--out", "new"], "nothing is left out");
        check(&["--out", "new", "--drop-heads", "1", "--data", "a.csv"], "above 0 and below 1");
        assert!(parse(&["--out", "new", "--base", "--drop-layers", "1,3"]).unwrap().check_flags().is_ok());
        for wrong in [
            &["--drop-layers", "top:1"][..],
            &["--out", "new", "--drop-layers", "many"],
            &["--out", "new", "--drop-heads", "0.3"],
            &["--out", "new", "--top", "7", "--drop-layers", "0"],
            &["--out", "new", "--min-count", "0", "--vocabulary", "a.csv"],
            &["--base", "--publish", "--drop-layers", "0"],
            &["--base", "--model", "news", "--out", "new", "--drop-layers", "0"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
