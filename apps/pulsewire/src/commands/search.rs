//! `pulsewire search`: better hyper-parameters for a training run.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use training::TrainingRun;
use training::search::{SearchPlan, SearchReport, search};

use super::train::RecipeArguments;
use crate::cli::Global;
use crate::remote::RemoteRows;
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire search --run news.toml --plan search.toml --out ./news-search
  pulsewire train --run ./news-search/best.toml

A plan's file:
  trials = 18
  halving = { reduction = 3, shortest = 1 }      a third of the trials go on to three times the epochs; without it none is given up
  [space]                                        names as in a run's [hyperparameters]
  learning_rate = { from = 2e-5, to = 4e-4, scale = \"log\" }
  batch_size = [16, 32]
  r_drop = { from = 0.0, to = 2.0 }

Trials are compared by the mean score of the validation sides (macro F1 of labels); the test sides stay out of it. --out holds
trials.ndjson, trials.svg and best.toml, the run with the best settings. A search that was interrupted goes on where it was, and one
that is given again with more trials trains those alone.";

/// Arguments of `search`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SearchCommand {
    /// What is drawn, and how many trials (TOML)
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// Folder of the trials, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    recipe: RecipeArguments,
}

impl SearchCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        let mut run = self.recipe.training_run(None)?;
        let plan = SearchPlan::load(&self.plan)?;
        // Trials that go on another day are to see the same rows.
        let remote = RemoteRows::kept_in(self.out.join("data"), self.recipe.remote(), global);
        remote.fetch(run.sources_mut())?;
        let report = tokio::task::block_in_place(|| search(&run, &plan, &self.out))?;
        self.write("trials.svg", &training::plots::trials(&format!("{}: {} trials", run.name, plan.trials), &report)?)?;
        let best = self.write_best(run, &report)?;
        if self.json {
            return print_json(&report);
        }
        let best = match best {
            Some(path) => format!("`pulsewire train --run {}` trains the best", path.display()),
            None => "every trial has failed: lower the learning rates".to_owned(),
        };
        print_line(format!("{report}\na plot is in {}; {best}", self.out.join("trials.svg").display()))
    }

    /// The run with the best trial's settings. Its paths are whole ones: it works from any folder.
    fn write_best(&self, mut run: TrainingRun, report: &SearchReport) -> anyhow::Result<Option<PathBuf>> {
        let Some(best) = report.best() else { return Ok(None) };
        run.hyperparameters = best.hyperparameters(&run)?;
        run.resolve_paths(&std::env::current_dir().context("the working directory is gone")?);
        let text = toml::to_string(&run).context("cannot write the best run")?;
        let score = best.score.unwrap_or_default();
        self.write("best.toml", &format!("# Trial {}: mean validation score {score:.4}.\n{text}", best.number))
            .map(Some)
    }

    fn write(&self, name: &str, content: &str) -> anyhow::Result<PathBuf> {
        let path = self.out.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}
