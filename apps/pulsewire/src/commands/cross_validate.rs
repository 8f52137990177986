//! `pulsewire cross-validate`: a training recipe measured on every row, each by a model that has not seen it.

use std::path::PathBuf;

use clap::Args;
use training::{CrossValidationRequest, cross_validate};

use super::train::RecipeArguments;
use crate::cli::Global;
use crate::remote::RemoteRows;
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire cross-validate --run finance.toml
  pulsewire cross-validate --data labelled.csv --text headline --label sentiment --folds 5 --out-of-fold rows.ndjson
  pulsewire cross-validate --run finance.toml --only 1,2,3 --out-of-fold first.ndjson     some folds on one machine,
  pulsewire cross-validate --run finance.toml --from first.ndjson                         the rest and the table on another
  pulsewire cross-validate --data labelled.csv --slice desk                               where it is weak

The rows are dealt to folds, fixed by the seed: each label (or set of labels, or range of numbers) has the same share of every
fold, and where a run's file splits by group, groups stay together. Each fold in turn is held out, a model is trained on the
others from the base encoder (a validation side is cut from these as the split says) and judges the fold. Nothing is
published, and a test file stays out: no text of it is in any fold.

Tasks of any kind are measured in their figures; --out-of-fold, --from and --slice are of rows with one label.

--out-of-fold has a line for each row with its probabilities; `pulsewire data audit` finds likely label errors in it.
It is written after every fold: what was interrupted goes on with --from.";

/// Arguments of `cross-validate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CrossValidateCommand {
    /// How many parts the rows are dealt to
    #[arg(long, value_name = "N", default_value_t = 10)]
    folds: usize,
    /// Train these folds alone, from 1
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    only: Vec<usize>,
    /// Take the folds of an out-of-fold file of the same run rather than train them (may be given more than once)
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Write every row with its probabilities (NDJSON)
    #[arg(long, value_name = "FILE")]
    out_of_fold: Option<PathBuf>,
    /// Also measure each value of this column apart (may be given more than once)
    #[arg(long, value_name = "COLUMN")]
    slice: Vec<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    recipe: RecipeArguments,
}

impl CrossValidateCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let mut run = self.recipe.training_run(None)?;
        let remote = RemoteRows::for_a_while(self.recipe.remote(), global)?;
        remote.fetch(run.sources_mut())?;
        let request = CrossValidationRequest {
            run: &run,
            folds: self.folds,
            only: &self.only,
            from: &self.from,
            slices: &self.slice,
            out_of_fold: self.out_of_fold.as_deref(),
        };
        let result = tokio::task::block_in_place(|| cross_validate(&request))?;
        if self.json { print_json(&result) } else { print_line(result.to_string()) }
    }
}
