//! `pulsewire import`: a base encoder of one that is only to be had as ONNX.

use std::path::PathBuf;

use clap::Args;
use training::import_onnx;

use crate::output_folder::OutputFolder;
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire import --onnx bge-small-en-v1.5.onnx --tokenizer tokenizer.json --out ./bge-small
  pulsewire train --base ./bge-small --model news --data labelled.csv --text headline --label sentiment

The file is a BERT in f32 as PyTorch's exporter writes it, before anything optimised or quantised it. It is run beside
the encoder that was read of it, on made-up texts of a token and up to all of its positions, and refused where the tokens' states
differ by more than 0.001. An encoder that comes with config.json and model.safetensors needs no import: `pulsewire train --base`
starts from its folder.";

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportCommand {
    /// The encoder as ONNX
    #[arg(long, value_name = "FILE")]
    onnx: PathBuf,
    /// Its tokenizer.json
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// Folder to write, which must not exist yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl ImportCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let folder = OutputFolder::claim(&self.out, false)?;
        let report = import_onnx(&self.onnx, &self.tokenizer, &folder.model())?;
        folder.finish()?;
        if self.json {
            return print_json(&report);
        }
        let out = self.out.display();
        print_line(format!("{report}\nit is in {out}\n`pulsewire train --base {out}` starts from it"))
    }
}
