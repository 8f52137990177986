//! `pulsewire export`: a model directory with a fresh ONNX file, whole or compressed, for other programs and for monitors.

mod staging;
mod texts;

use std::path::PathBuf;

use clap::Args;
use inference::ModelDirectory;
use training::export::{AgreementReport, ExportCard, Precision, RangeMethod};

use crate::cli::Global;
use crate::derived::{Target, labelled_rows};
use crate::exit::UsageError;
use crate::labelled::LabelledArguments;
use crate::publication::Derivation;
use crate::remote::RemoteRows;
use crate::settings::{FoundModel, ModelArguments, serde_name};
use crate::terminal::{print_json, print_line, table};
use staging::Staged;
use texts::Texts;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire export --model news --out ./news-onnx            the champion, as it was trained
  pulsewire export --model news@3 --precision fp16 --out ./news-half --json
  pulsewire export --model news --precision int8-dynamic --out ./news-int8
  pulsewire export --model news --precision int8 --calibration feed.csv --text headline --publish
  pulsewire export --model news --precision int8 --calibration feed.csv --data held_out.csv --text headline \\
                   --label sentiment --out ./news-int8       tells what int8 costs, in export.json, too
  pulsewire export --model ./fine-tuned --out ./onnx         a BERT classifier that was trained elsewhere

precision      file    texts/s on a CPU with VNNI   needs
fp32           1       1                            nothing
fp16           0.5     1                            nothing
int8-dynamic   0.26    2                            nothing; the nearest to fp32 of both int8 forms
int8           0.26    2.2                          --calibration: some hundred texts like those to score, labels or not

The folder is in Hugging Face layout. In fp32 it holds config.json, tokenizer.json, model.safetensors and model.onnx:
Transformers, Optimum and Text Embeddings Inference read it. A compressed folder has no model.safetensors; monitors and Optimum
read it. ONNX Runtime and tract must agree on the new file, and a compressed one is refused unless it gives the fp32 model's
labels: on 99 % of texts in fp16, on 95 % in int8.

Other programs that run int8 in ONNX Runtime on a CPU without VNNI need its setting session.x64quantprecision = 1.";

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportCommand {
    /// Folder to write, which must not exist yet
    #[arg(long, value_name = "DIR", required_unless_present = "publish")]
    out: Option<PathBuf>,
    /// fp32, fp16, int8 (calibrated) or int8-dynamic
    #[arg(long, value_name = "PRECISION", default_value = "fp32", value_parser = serde_name::<Precision>)]
    precision: Precision,
    /// File with texts like those to score, in the form that --text and --format tell (may be given more than once)
    #[arg(long, value_name = "FILE")]
    calibration: Vec<PathBuf>,
    /// How int8 takes ranges from the calibration's values: mse or min-max
    #[arg(long, value_name = "METHOD", default_value = "mse", value_parser = serde_name::<RangeMethod>)]
    ranges: RangeMethod,
    /// The head that --data labels
    #[arg(long, value_name = "NAME", requires = "data")]
    head: Option<String>,
    /// Make the compressed model the next version of the registry's model, as challenger
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

impl ExportCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        self.check_flags()?;
        let found = self.model.find(global)?;
        let target = match &self.out {
            Some(out) => Target::Folder(out.clone()),
            None => Target::registry(&found, &self.model, global)?,
        };
        let remote = RemoteRows::for_a_while(&self.labelled.remote, global)?;
        let (place, card) = tokio::task::block_in_place(|| self.export(&found, target, &remote))?;
        if self.json {
            return print_json(&serde_json::json!({ "written": place, "export": card }));
        }
        print_line(render(&place, &card))
    }

    fn check_flags(&self) -> anyhow::Result<()> {
        let refuse = |message: String| Err(UsageError(message).into());
        match (self.precision, &self.out) {
            (_, Some(out)) if out.exists() => refuse(format!("--out {} exists already", out.display())),
            (Precision::Fp32, None) => refuse("--publish takes a compressed model: name a --precision".to_owned()),
            (Precision::Fp32, _) if !self.labelled.data.is_empty() => {
                refuse("--data measures what compression costs: name a --precision, or `pulsewire evaluate`".to_owned())
            }
            (Precision::Int8, _) if self.calibration.is_empty() => refuse(
                "int8 takes its ranges from texts: name a file with --calibration, or take --precision int8-dynamic"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    /// Everything in a folder beside the target, which gets its name only when all is checked.
    fn export(
        &self,
        found: &FoundModel,
        target: Target,
        remote: &RemoteRows<'_>,
    ) -> anyhow::Result<(String, ExportCard)> {
        let directory = ModelDirectory::open(&found.directory)?;
        if !(self.labelled.data.is_empty() && self.calibration.is_empty()) {
            self.labelled.check_reading(&directory)?;
        }
        let rows = labelled_rows(&self.labelled, &directory, self.head.as_deref(), remote)?;
        let calibration = remote.local(self.labelled.of(&self.calibration))?;
        let mut texts = Texts::read(&calibration, self.precision)?;
        if directory.takes_pairs() && self.calibration.is_empty() {
            texts.pair_up();
        }
        let mut staged = Staged::write(found, target.parent(), &texts, self.precision, self.ranges)?;
        if !rows.is_empty() {
            staged.measure(&rows, self.head.as_deref())?;
        }
        staged.write_card()?;
        let place = target.put(&staged.path, derivation(&staged.card)?, self.promote)?;
        Ok((place, staged.card))
    }
}

fn derivation(card: &ExportCard) -> anyhow::Result<Derivation> {
    let report = card.cost.as_ref().map(|cost| &cost.compressed);
    Derivation::new("precision", card.precision.as_str().into(), "export", card, report)
}

fn render(place: &str, card: &ExportCard) -> String {
    let ratio = card.bytes as f64 / card.fp32_bytes.max(1) as f64;
    let mut lines = vec![format!(
        "{} in {} is in {place}: {:.1} MB, {ratio:.3} of fp32",
        card.model,
        card.precision,
        card.bytes as f64 / 1e6
    )];
    match &card.agreement {
        None => lines.push(format!("checked on {} texts", card.parity.texts)),
        Some(agreement) => lines.push(render_agreement(agreement)),
    }
    if let Some(cost) = &card.cost {
        let report = &cost.compressed;
        lines.push(format!(
            "{} on {} labelled rows: accuracy {:.4} → {:.4} ({:+.2} points), macro F1 {:.4} → {:.4} ({:+.2} points)",
            report.head,
            report.rows,
            cost.fp32_accuracy,
            report.accuracy,
            0.0 - 100.0 * cost.accuracy_lost,
            cost.fp32_macro_f1,
            report.macro_f1,
            0.0 - 100.0 * cost.macro_f1_lost
        ));
    }
    lines.join("\n")
}

fn render_agreement(agreement: &AgreementReport) -> String {
    let mut heads = table(&["head", "back end", "same label as fp32", "asked for"]);
    for head in &agreement.heads {
        let (share, least) = (format!("{:.1} %", 100.0 * head.share), format!("{:.0} %", 100.0 * agreement.least));
        heads.add_row([head.head.clone(), head.backend.clone(), share, least]);
    }
    let between = agreement.between_backends.map_or(String::new(), |difference| {
        format!(", between back ends {:.1e} in the mean, {:.1e} at most", difference.mean, difference.max)
    });
    format!(
        "{}\non {} texts; logits up to {:.1e} from fp32's{between}",
        heads.trim_fmt(),
        agreement.texts,
        agreement.max_abs_delta
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Wrapper {
        #[command(flatten)]
        command: ExportCommand,
    }

    fn parse(arguments: &[&str]) -> Result<ExportCommand, clap::Error> {
        Wrapper::try_parse_from(["export"].iter().chain(arguments)).map(|wrapper| wrapper.command)
    }

    #[test]
    fn what_cannot_be_done_is_refused_before_anything_is_read() {
        #[track_caller]
        fn check(arguments: &[&str], expected: &str) {
            let message = parse(arguments).unwrap().check_flags().unwrap_err().to_string();
            assert!(message.contains(expected), "{arguments:?} gave {message}");
        }
        check(&["--out", "."], "exists already");
        check(&["--publish"], "name a --precision");
        check(&["--out", "new", "--data", "a.csv"], "what compression costs");
        check(&["--out", "new", "--precision", "int8"], "--calibration");
        assert!(parse(&["--out", "new", "--precision", "int8-dynamic"]).unwrap().check_flags().is_ok());
        for wrong in [&["--precision", "int4", "--out", "a"][..], &[], &["--out", "a", "--publish"], &["--promote"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
