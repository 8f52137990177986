//! `pulsewire setup`: the run-time parts.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use foundation::parts::Part;

use crate::exit::UsageError;
use crate::setup::{self, Options, Outcome};
use crate::terminal::print_line;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire setup                              fetch what is missing, check all
  pulsewire setup --part onnxruntime           one part only
  pulsewire setup --from ./archives --offline  from archives that were fetched elsewhere
  pulsewire setup --force                      install again

A part can be replaced by a path: PULSEWIRE_ONNX_RUNTIME and PULSEWIRE_CHDB (shared libraries),
PULSEWIRE_BASE_ENCODER (a folder). PULSEWIRE_CACHE moves the cache.";

/// Arguments of `setup`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SetupCommand {
    /// Install only this part (may be given more than once)
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(["onnxruntime", "chdb", "all-minilm-l6-v2"]))]
    part: Vec<String>,
    /// Take the archives from this folder
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Use no network
    #[arg(long)]
    offline: bool,
    /// Install again what is there already
    #[arg(long)]
    force: bool,
}

impl SetupCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        if let Some(folder) = self.from.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(UsageError(format!("--from {}: there is no such folder", folder.display())).into());
        }
        let options = Options { from: self.from, offline: self.offline, force: self.force };
        for part in Part::ALL {
            let pin = part.pin()?;
            if !self.part.is_empty() && !self.part.contains(&pin.name) {
                continue;
            }
            let (state, path) = match setup::install(part, &options).await? {
                Outcome::Present(path) => ("is here", path),
                Outcome::Replaced(path) => ("is replaced by its variable", path),
                Outcome::Installed(path) => ("installed", path),
            };
            print_line(format!("{} {}: {state}, {}", pin.title, pin.version, path.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_part_names_are_those_of_the_pins() {
        #[derive(clap::Parser)]
        struct Wrapper {
            #[command(flatten)]
            command: SetupCommand,
        }
        let command = Wrapper::command();
        let argument = command.get_arguments().find(|argument| argument.get_id() == "part").unwrap();
        let mut offered: Vec<String> =
            argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        let mut pinned: Vec<String> = Part::ALL.iter().map(|part| part.pin().unwrap().name.clone()).collect();
        offered.sort();
        pinned.sort();
        assert_eq!(offered, pinned);
    }
}
