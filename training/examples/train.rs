//! Trains what a TOML file asks for: `cargo run --release -p training --example train -- RUN.toml STAGING [SEED]`.

use std::path::Path;

use foundation::logging::{LogFormat, init};
use training::{TrainingRun, train};

fn main() -> anyhow::Result<()> {
    init(LogFormat::Text);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [run, staging, seed @ ..] = arguments.as_slice() else { anyhow::bail!("usage: train RUN.toml STAGING [SEED]") };
    let mut run = TrainingRun::load(Path::new(run))?;
    if let Some(seed) = seed.first() {
        run.seed = seed.parse()?;
    }
    let trained = train(&run, Path::new(staging))?;
    tracing::info!("\n{}", trained.report);
    Ok(())
}
