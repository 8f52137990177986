//! `pulsewire model`: what is in the registry, and which version is in use.

use std::str::FromStr;

use clap::{Args, Subcommand};
use foundation::EventTime;
use registry::{Alias, Manifest, ModelName, ModelReference, Registry, RegistryError, Version};
use serde_json::Value;

use crate::cli::Global;
use crate::exit::UsageError;
use crate::settings::RegistryArguments;
use crate::terminal::{print_json, print_line, table};

const LIST_EXAMPLES: &str = "\
EXAMPLES:
  pulsewire model list
  pulsewire model list --json";
const SHOW_EXAMPLES: &str = "\
EXAMPLES:
  pulsewire model show news                 its champion
  pulsewire model show news@challenger
  pulsewire model show news@3 --json        the manifest

Every file is compared with the digest under which it was published.";
const PROMOTE_EXAMPLES: &str = "\
EXAMPLES:
  pulsewire model promote news@3            version 3 becomes champion; running monitors swap to it
  pulsewire model promote news@challenger   the challenger becomes champion
  pulsewire model promote news@4 --alias challenger";
const ROLLBACK_EXAMPLES: &str = "\
EXAMPLES:
  pulsewire model rollback news             the champion before this one is champion again";

/// What to do with models.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List models, their versions and who is champion
    List(ListCommand),
    /// Show one version, and check its files
    Show(ShowCommand),
    /// Put a version to use
    Promote(PromoteCommand),
    /// Go back to the version before
    Rollback(RollbackCommand),
}

impl ModelCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::List(command) => command.run(global),
            Self::Show(command) => command.run(global),
            Self::Promote(command) => command.run(global),
            Self::Rollback(command) => command.run(global),
        }
    }
}

/// Arguments of `model list`.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(crate) struct ListCommand {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    registry: RegistryArguments,
}

impl ListCommand {
    fn run(self, global: &Global) -> anyhow::Result<()> {
        let registry = self.registry.open(global)?;
        let models = registry.list()?;
        if self.json {
            return print_json(&models);
        }
        if models.is_empty() {
            return print_line(format!("no models in {}: `pulsewire train` makes one", registry.root().display()));
        }
        let mut table = table(&["model", "part", "published", "base", "test accuracy / macro F1"]);
        for summary in models {
            for version in &summary.versions {
                let parts =
                    summary.aliases.iter().filter(|(_, holder)| *holder == version).map(|(alias, _)| alias.as_str());
                let reference = ModelReference::Version(summary.model.clone(), *version).to_string();
                let manifest = registry.show(&reference)?.manifest;
                table.add_row([
                    reference,
                    parts.collect::<Vec<_>>().join(", "),
                    manifest.created.clone(),
                    manifest.draft.base.clone(),
                    quality(&manifest),
                ]);
            }
        }
        print_line(table.trim_fmt())
    }
}

/// Arguments of `model show`.
#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub(crate) struct ShowCommand {
    /// The model: its champion, a version or an alias
    #[arg(value_name = "NAME[@VERSION|@ALIAS]")]
    reference: String,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    registry: RegistryArguments,
}

impl ShowCommand {
    fn run(self, global: &Global) -> anyhow::Result<()> {
        let registry = self.registry.open(global)?;
        let found = registry.resolve(&self.reference)?;
        let manifest = found.manifest;
        if self.json {
            return print_json(&manifest);
        }
        let mut table = table(&[&manifest.reference().to_string(), ""]);
        table.add_row(["folder", &found.path.display().to_string()]);
        table.add_row(["published", &manifest.created]);
        table.add_row(["base", &manifest.draft.base]);
        table.add_row(["data digest", &manifest.draft.data_digest]);
        table.add_row(["on its test split", &quality(&manifest)]);
        for alias in Alias::ALL {
            let changes = registry.history(&manifest.model, alias)?.len();
            if let Some(version) = registry.current(&manifest.model, alias)? {
                table.add_row([alias.as_str(), &format!("{}@{version}, {changes} changes so far", manifest.model)]);
            }
        }
        for (name, file) in &manifest.files {
            table.add_row([name.as_str(), &format!("{} bytes, sha256 {} agrees", file.bytes, file.sha256)]);
        }
        print_line(table.trim_fmt())
    }
}

/// Arguments of `model promote`.
#[derive(Debug, Args)]
#[command(after_help = PROMOTE_EXAMPLES)]
pub(crate) struct PromoteCommand {
    /// The version
    #[arg(value_name = "NAME@VERSION")]
    reference: String,
    /// The part that it will play
    #[arg(long, value_name = "ALIAS", default_value = "champion", value_parser = alias)]
    alias: Alias,
    #[command(flatten)]
    registry: RegistryArguments,
}

impl PromoteCommand {
    fn run(self, global: &Global) -> anyhow::Result<()> {
        let registry = self.registry.open(global)?;
        let (model, version) = which(&registry, &self.reference, self.alias)?;
        registry.promote(&model, version, self.alias)?;
        print_line(format!("{model}@{version} is the {} now, {}", self.alias, EventTime::now()))
    }
}

/// Arguments of `model rollback`.
#[derive(Debug, Args)]
#[command(after_help = ROLLBACK_EXAMPLES)]
pub(crate) struct RollbackCommand {
    /// The model
    #[arg(value_name = "NAME")]
    model: String,
    /// The part that is given back
    #[arg(long, value_name = "ALIAS", default_value = "champion", value_parser = alias)]
    alias: Alias,
    #[command(flatten)]
    registry: RegistryArguments,
}

impl RollbackCommand {
    fn run(self, global: &Global) -> anyhow::Result<()> {
        let model = ModelName::from_str(&self.model)?;
        let version = self.registry.open(global)?.rollback(&model, self.alias)?;
        print_line(format!("{model}@{version} is the {} again", self.alias))
    }
}

/// The version that a reference means; a bare name would promote what has the part already.
fn which(registry: &Registry, reference: &str, alias: Alias) -> anyhow::Result<(ModelName, Version)> {
    if !reference.contains('@') {
        let mend = format!("name the version: {reference}@VERSION (`pulsewire model list` shows them)");
        return Err(UsageError(mend).into());
    }
    match reference.parse::<ModelReference>()? {
        ModelReference::Version(model, version) => Ok((model, version)),
        ModelReference::Alias(model, holder) if holder != alias => {
            let none = || RegistryError::NoAlias { model: model.to_string(), alias: holder.to_string() };
            let version = registry.current(&model, holder)?.ok_or_else(none)?;
            Ok((model, version))
        }
        ModelReference::Alias(..) => Err(UsageError(format!("{reference} has that part already")).into()),
    }
}

fn alias(text: &str) -> Result<Alias, String> {
    let known = Alias::ALL.map(Alias::as_str);
    Alias::ALL.into_iter().find(|alias| alias.as_str() == text).ok_or_else(|| format!("one of {}", known.join(", ")))
}

/// `sentiment 0.871 / 0.854, topic 0.882 / 0.860`: accuracy and macro F1; of many labels micro and macro F1, of numbers R².
fn quality(manifest: &Manifest) -> String {
    let figure = |metric: &Value, key: &str| metric.get(key).and_then(Value::as_f64);
    let heads = manifest.draft.metrics.iter().filter_map(|(head, metric)| {
        if let Some(share) = figure(metric, "r_squared") {
            return Some(format!("{head} R² {share:.3}"));
        }
        let first = figure(metric, "accuracy").or_else(|| figure(metric, "micro_f1"))?;
        Some(format!("{head} {first:.3} / {:.3}", figure(metric, "macro_f1")?))
    });
    heads.collect::<Vec<_>>().join(", ")
}
