//! `pulsewire language-model generate`: a language model continues a text.

use std::path::PathBuf;

use clap::Args;
use training::language_model::{Decoding, LanguageModel};

use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire language-model generate --model ./headline-writer --prompt \"Oil prices\"
  pulsewire language-model generate --model ./headline-writer --count 10 --top-k 40 --temperature 0.8
  pulsewire language-model generate --model ./headline-writer --prompt \"UPDATE 1-\" --greedy

By default each token is drawn from the likeliest that have 95 % of the probability together (nucleus sampling). One seed
gives one text.";

/// Arguments of `language-model generate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GenerateCommand {
    /// Folder of a language model: what `language-model train` wrote, or another GPT2LMHeadModel
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// How the text begins
    #[arg(long, value_name = "TEXT", default_value = "")]
    prompt: String,
    /// How many texts to write
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: usize,
    /// The most tokens after the prompt
    #[arg(long, value_name = "N", default_value_t = Decoding::default().max_tokens)]
    max_tokens: usize,
    /// Always take the likeliest token
    #[arg(long, conflicts_with_all = ["temperature", "top_k", "top_p"])]
    greedy: bool,
    /// Below 1 likely tokens become likelier, above 1 less so
    #[arg(long, value_name = "NUMBER", default_value_t = Decoding::default().temperature)]
    temperature: f64,
    /// Draw among so many of the likeliest tokens [default: all]
    #[arg(long, value_name = "N")]
    top_k: Option<usize>,
    /// Draw among the likeliest tokens that have this probability together; 1 is all
    #[arg(long, value_name = "SHARE", default_value_t = Decoding::default().top_p)]
    top_p: f64,
    /// Decides what is drawn
    #[arg(long, value_name = "N", default_value_t = Decoding::default().seed)]
    seed: u64,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl GenerateCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let decoding = Decoding {
            max_tokens: self.max_tokens,
            temperature: if self.greedy { 0.0 } else { self.temperature },
            top_k: self.top_k,
            top_p: self.top_p,
            seed: self.seed,
        };
        let write = || LanguageModel::open(&self.model)?.write(&self.prompt, &decoding, self.count);
        let texts = tokio::task::block_in_place(write)?;
        if self.json {
            return print_json(&texts);
        }
        texts.iter().try_for_each(|written| print_line(&written.text))
    }
}
