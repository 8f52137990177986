//! Out-of-fold rows in a file: one JSON object a line, so that parts from several machines can be put together with `cat`.
//!
//! ```json
//! {"run": "5f0c…", "task": "tone", "fold": 1, "file": "a.csv", "line": 2, "text": "…", "label": "up",
//!  "probabilities": {"down": 0.1, "up": 0.9}}
//! ```
//!
//! `text`, `label` and `probabilities` are enough to audit the labels of rows that something else has judged.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{JudgedRow, OutOfFold};
use crate::error::{Location, TrainingError};

/// What one file, or several of one run, hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutOfFoldFile {
    /// What tells the run from others; empty where the rows do not say.
    pub run: String,
    /// The tasks, in the order in which they are met.
    pub tasks: Vec<OutOfFold>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(default)]
    run: String,
    #[serde(default = "default_task")]
    task: String,
    #[serde(default = "first_fold")]
    fold: usize,
    file: Option<PathBuf>,
    line: Option<u64>,
    text: String,
    label: String,
    probabilities: Map<String, Value>,
}

/// Reads files of one run.
///
/// # Errors
///
/// A line that is not as above, a label without a probability, rows of two runs, or one fold in two files.
pub fn read_files(paths: &[PathBuf]) -> Result<OutOfFoldFile, TrainingError> {
    let mut whole = OutOfFoldFile::default();
    for path in paths {
        whole.add(OutOfFoldFile::read(path)?, path)?;
    }
    Ok(whole)
}

impl OutOfFoldFile {
    /// Reads one file.
    fn read(path: &Path) -> Result<Self, TrainingError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| TrainingError::Unreadable { path: path.to_owned(), source })?;
        let path: Arc<Path> = path.into();
        let mut file = Self::default();
        for (index, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let at = Location { path: path.clone(), line: index as u64 + 1 };
            file.add_line(text, at)?;
        }
        Ok(file)
    }

    /// Writes the file anew, as a whole: whenever the program ends, there is a file without a torn line.
    pub(crate) fn write(&self, path: &Path) -> Result<(), TrainingError> {
        let partial = path.with_added_extension("partial");
        let written = std::fs::File::create(&partial).and_then(|file| {
            let mut writer = BufWriter::new(file);
            for task in &self.tasks {
                for row in &task.rows {
                    serde_json::to_writer(&mut writer, &self.line(task, row))?;
                    writer.write_all(b"\n")?;
                }
            }
            writer.into_inner()?.sync_all()?;
            std::fs::rename(&partial, path)
        });
        written.map_err(|source| TrainingError::Unwritable { path: path.to_owned(), source })
    }

    fn line(&self, task: &OutOfFold, row: &JudgedRow) -> Line {
        let probabilities = task.labels.iter().zip(&row.probabilities);
        Line {
            run: self.run.clone(),
            task: task.task.clone(),
            fold: row.fold,
            file: Some(row.at.path.to_path_buf()),
            line: Some(row.at.line),
            text: row.text.clone(),
            label: task.labels[row.label].clone(),
            probabilities: probabilities.map(|(label, value)| (label.clone(), Value::from(*value))).collect(),
        }
    }

    fn add_line(&mut self, text: &str, at: Location) -> Result<(), TrainingError> {
        let refused =
            |field: &str, message: String| TrainingError::Row { at: at.clone(), field: field.to_owned(), message };
        let line: Line =
            serde_json::from_str(text).map_err(|error| refused("row", format!("no out-of-fold row: {error}")))?;
        if self.tasks.is_empty() {
            self.run.clone_from(&line.run);
        } else if self.run != line.run {
            return Err(refused("run", "the row is of another run than those before it".to_owned()));
        }
        let labels = || line.probabilities.keys().cloned().collect::<Vec<_>>();
        let known = self.tasks.iter().position(|task| task.task == line.task);
        let task = known.unwrap_or_else(|| {
            self.tasks.push(OutOfFold { task: line.task.clone(), labels: labels(), rows: Vec::new() });
            self.tasks.len() - 1
        });
        let task = &mut self.tasks[task];
        if task.labels != labels() {
            let message =
                format!("are of the labels {}, those before it of {}", labels().join(", "), task.labels.join(", "));
            return Err(refused("probabilities", message));
        }
        let label = task.labels.iter().position(|label| *label == line.label).ok_or_else(|| {
            refused("label", format!("{:?} has no probability; the labels are {}", line.label, task.labels.join(", ")))
        })?;
        let number =
            |value: &Value| value.as_f64().ok_or_else(|| refused("probabilities", format!("{value} is no number")));
        let probabilities = line.probabilities.values().map(number).collect::<Result<_, _>>()?;
        let at = match (line.file, line.line) {
            (Some(file), Some(line)) => Location { path: file.into(), line },
            _ => at,
        };
        task.rows.push(JudgedRow { fold: line.fold, at, text: line.text, label, probabilities });
        Ok(())
    }

    fn add(&mut self, other: Self, path: &Path) -> Result<(), TrainingError> {
        let refused = |message: String| TrainingError::OutOfFold { path: path.to_owned(), message };
        if self.tasks.is_empty() {
            *self = other;
            return Ok(());
        }
        if !other.tasks.is_empty() && other.run != self.run {
            return Err(refused("its rows are of another run than those of the files before it".to_owned()));
        }
        for task in other.tasks {
            let Some(own) = self.tasks.iter_mut().find(|own| own.task == task.task) else {
                self.tasks.push(task);
                continue;
            };
            let known = own.folds();
            if let Some(fold) = task.folds().into_iter().find(|fold| known.contains(fold)) {
                return Err(refused(format!("fold {fold} of task {:?} is in a file before it, too", task.task)));
            }
            if own.labels != task.labels {
                return Err(refused(format!("task {:?} has other labels than in a file before it", task.task)));
            }
            own.rows.extend(task.rows);
        }
        Ok(())
    }
}

fn default_task() -> String {
    "label".to_owned()
}

fn first_fold() -> usize {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(directory: &tempfile::TempDir, name: &str, content: &str) -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn sample(fold: usize) -> OutOfFoldFile {
        let at = |line| Location { path: Path::new("rows.csv").into(), line };
        let row = |line: u64, label, probabilities: [f64; 2]| JudgedRow {
            fold,
            at: at(line),
            text: format!("text \"{line}\"\u{2028}"),
            label,
            probabilities: probabilities.to_vec(),
        };
        let labels = ["9", "10"].map(str::to_owned).to_vec();
        let rows = vec![row(2, 0, [0.75, 0.25]), row(3, 1, [0.1, 0.9])];
        OutOfFoldFile { run: "abc".to_owned(), tasks: vec![OutOfFold { task: "tone".to_owned(), labels, rows }] }
    }

    #[test]
    fn a_file_reads_as_it_was_written_and_parts_are_one() {
        let directory = tempfile::tempdir().unwrap();
        let paths = [1, 2].map(|fold| directory.path().join(format!("{fold}.ndjson")));
        sample(1).write(&paths[0]).unwrap();
        sample(2).write(&paths[1]).unwrap();
        assert_eq!(read_files(&paths[..1]).unwrap(), sample(1));
        let both = read_files(&paths).unwrap();
        assert_eq!((both.tasks[0].folds(), both.tasks[0].rows.len()), (vec![1, 2], 4));
        assert_eq!(both.tasks[0].predictions(Some(2)).unwrap().len(), 2);
        let joined = [0, 1].map(|part: usize| std::fs::read_to_string(&paths[part]).unwrap()).concat();
        assert_eq!(read_files(&[write(&directory, "joined.ndjson", &joined)]).unwrap(), both);
        let names = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(names, 3, "no partial file is left");
        let message = read_files(&[paths[0].clone(), paths[0].clone()]).unwrap_err().to_string();
        assert!(message.contains("1.ndjson: fold 1 of task \"tone\""), "{message}");
    }

    #[test]
    fn rows_that_something_else_has_judged_need_little() {
        let directory = tempfile::tempdir().unwrap();
        let path =
            write(&directory, "a.ndjson", "\n{\"text\":\"x\",\"label\":\"b\",\"probabilities\":{\"b\":1,\"a\":0}}\n");
        let file = read_files(std::slice::from_ref(&path)).unwrap();
        let row = &file.tasks[0].rows[0];
        assert_eq!((file.tasks[0].labels.join(" "), row.label, row.fold, row.at.line), ("b a".to_owned(), 0, 1, 2));
        assert_eq!(row.at.path.as_ref(), path);
    }

    #[test]
    fn broken_lines_name_their_place() {
        let good = "{\"run\":\"1\",\"text\":\"x\",\"label\":\"b\",\"probabilities\":{\"a\":0.5,\"b\":0.5}}\n";
        let check = |second: &str, expected: &str| {
            let directory = tempfile::tempdir().unwrap();
            let path = write(&directory, "a.ndjson", &format!("{good}{second}"));
            let message = read_files(&[path]).unwrap_err().to_string();
            assert!(message.contains("a.ndjson:2: ") && message.contains(expected), "{second} gave {message}");
        };
        check("{\"text\":", "row: no out-of-fold row");
        check(&good.replace("\"run\":\"1\"", "\"run\":\"2\""), "another run");
        check(&good.replace("\"a\"", "\"c\""), "probabilities: are of the labels c, b");
        check(&good.replace("\"label\":\"b\"", "\"label\":\"d\""), "label: \"d\" has no probability");
        check(&good.replace("0.5}", "\"much\"}"), "is no number");
    }
}
