//! Flags that point at labelled files, for `data`, `train` and `evaluate`.

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Args;
use inference::ModelDirectory;
use training::{
    CleaningRules, DataSource, Encoding, Format, LabelNames, LabelReading, Row, TaskKind, TrainingError, read_rows,
};

use crate::exit::UsageError;
use crate::remote::{Place, RemoteArguments, RemoteRows};
use crate::settings::serde_name;

/// Labelled files, all of one kind.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct LabelledArguments {
    /// Labelled file: CSV, TSV, NDJSON, Parquet, text@label lines, or CoNLL's tagged words; or clickhouse:QUERY, kafka:TOPIC (may be
    /// given more than once)
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Vec<PathBuf>,
    /// Column or key of the text [default: text]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) text: Option<String>,
    /// Column or key of the second text, where rows are pairs of texts
    #[arg(long, value_name = "COLUMN")]
    pub(crate) text_pair: Option<String>,
    /// Column or key of the label [default: label]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: Option<String>,
    /// csv, tsv, ndjson, parquet, separated or conll [default: by the file's ending]
    #[arg(long, value_name = "FORMAT", value_parser = serde_name::<Format>)]
    pub(crate) format: Option<Format>,
    /// utf-8 or latin-1
    #[arg(long, value_name = "NAME", default_value = "utf-8", value_parser = serde_name::<Encoding>)]
    pub(crate) encoding: Encoding,
    /// The file has no header: columns are called 1, 2 and so on
    #[arg(long)]
    pub(crate) no_header: bool,
    /// What stands between text and label in a separated file (default: @)
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) separator: Option<char>,
    /// What stands between the labels of one row, where rows have several (default: |)
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) label_separator: Option<char>,
    /// CSV of two columns that names the labels
    #[arg(long, value_name = "FILE")]
    pub(crate) label_names: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) remote: RemoteArguments,
}

impl LabelledArguments {
    /// The tidied rows of `--data` that have a text, with labels of this kind and the values of these columns.
    pub(crate) fn rows(&self, kind: TaskKind, extra: &[String], remote: &RemoteRows<'_>) -> anyhow::Result<Vec<Row>> {
        let names = self.label_names.as_deref().map(LabelNames::load).transpose()?;
        let labels = LabelReading { kind, names: names.as_ref() };
        let (mut rows, mut cleaning) = (Vec::new(), Default::default());
        for source in remote.local(self.sources())? {
            rows.extend(read_rows(&source, extra, labels, CleaningRules::default(), &mut cleaning)?);
        }
        if cleaning.empty_texts > 0 {
            tracing::warn!("{} rows without a text are left out", cleaning.empty_texts);
        }
        Ok(rows)
    }

    /// What an answer is: files of tagged words make a task of words.
    pub(crate) fn kind(&self) -> TaskKind {
        let is_conll = |source: &DataSource| matches!(source.resolved_format(), Ok(Format::Conll));
        if self.sources().iter().any(is_conll) { TaskKind::Tokens } else { TaskKind::default() }
    }

    /// Refuses files of texts for a model of pairs, and files of pairs for a model of texts.
    pub(crate) fn check_reading(&self, model: &ModelDirectory) -> Result<(), UsageError> {
        let path = model.path().display();
        match (model.takes_pairs(), &self.text_pair) {
            (true, None) => Err(UsageError(format!(
                "the model in {path} reads pairs of texts: name the column of the second with --text-pair"
            ))),
            (false, Some(column)) => {
                Err(UsageError(format!("the model in {path} reads single texts: leave out --text-pair {column}")))
            }
            _ => Ok(()),
        }
    }

    /// What columns are called in a file that is written anew, with these further ones: as they are read; of a JSON Pointer its last
    /// part.
    pub(crate) fn columns(&self, extra: &[String]) -> Vec<String> {
        let named = |name: &Option<String>, default: &str| match name {
            Some(name) if !self.no_header => name.clone(),
            _ => default.to_owned(),
        };
        let second = self.text_pair.as_ref().map(|_| named(&self.text_pair, "text_pair"));
        let read = [Some(named(&self.text, "text")), second, Some(named(&self.label, "label"))];
        let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let columns = read.into_iter().flatten().chain(extra.iter().cloned());
        columns.map(|name| if name.starts_with('/') { last(&name) } else { name }).collect()
    }

    /// The files, queries and topics of `--data`.
    pub(crate) fn sources(&self) -> Vec<DataSource> {
        self.of(&self.data)
    }

    /// Others of the same kind.
    pub(crate) fn of(&self, paths: &[PathBuf]) -> Vec<DataSource> {
        let source = |path: &PathBuf| DataSource {
            format: self.format,
            encoding: self.encoding,
            text: self.text.clone(),
            text_pair: self.text_pair.clone(),
            label: self.label.clone(),
            header: !self.no_header,
            separator: self.separator,
            label_separator: self.label_separator,
            ..Place::of(path).source()
        };
        paths.iter().map(source).collect()
    }
}

/// The texts of a source, tidied; their labels, if there are any, are not looked at.
pub(crate) fn texts(source: &DataSource) -> Result<impl Iterator<Item = String>, TrainingError> {
    let (source, rules) = (source.without_label(), CleaningRules::default());
    let rows = read_rows(&source, &[], LabelReading::default(), rules, &mut Default::default())?;
    Ok(rows.into_iter().map(|row| row.text))
}

/// The different texts of these sources.
pub(crate) fn different_texts(sources: &[DataSource]) -> Result<Vec<String>, TrainingError> {
    let (mut different, mut taken) = (Vec::new(), HashSet::new());
    for source in sources {
        different.extend(texts(source)?.filter(|text| taken.insert(text.clone())));
    }
    Ok(different)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_for_a_model_of_texts_are_refused() {
        let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/inference/tests/fixtures/tiny");
        let model = ModelDirectory::open(tiny).unwrap();
        let labelled = LabelledArguments { text_pair: Some("answer".to_owned()), ..LabelledArguments::default() };
        let message = labelled.check_reading(&model).unwrap_err().to_string();
        assert!(message.contains("leave out --text-pair answer"), "{message}");
        assert!(LabelledArguments::default().check_reading(&model).is_ok());
    }
}
