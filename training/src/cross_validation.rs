//! Cross-validation: every row judged by a model that has not seen it, to measure a recipe rather than one split.

use std::path::{Path, PathBuf};
use std::time::Instant;

use foundation::configuration::ConfigurationError;
use foundation::parts::Part;

use crate::dataset::{FoldedTask, Folds, Row};
use crate::directory::{base_name, model_digest};
use crate::error::TrainingError;
use crate::evaluation::{CrossValidation, FoldedEvaluation, FoldedReports, Slice};
use crate::metrics::HeadReport;
use crate::out_of_fold::{JudgedRow, OutOfFold, OutOfFoldFile, read_files};
use crate::run::{TaskKind, TrainingRun};
use crate::trainer::train_and_score;

/// What is cross-validated, and how much of it here and now.
#[derive(Debug, Clone, Copy)]
pub struct CrossValidationRequest<'a> {
    /// The recipe. Its tasks' splits say how large a validation side is cut from each fold's training part.
    pub run: &'a TrainingRun,
    /// How many folds, at least 2.
    pub folds: usize,
    /// The folds to train, from 1; all where empty.
    pub only: &'a [usize],
    /// Out-of-fold files of the same run and data: their folds are taken and not trained again. Like slices and the file below, it is
    /// of runs whose tasks are all single-label.
    pub from: &'a [PathBuf],
    /// Columns whose values part the rows, to be measured apart.
    pub slices: &'a [String],
    /// Where to write the out-of-fold rows, after every fold.
    pub out_of_fold: Option<&'a Path>,
}

/// Trains each fold from the base encoder and measures it on the rows that it was not given. No model is kept.
///
/// # Errors
///
/// Before training, whatever is wrong with the data, the folds and the files; and what training itself may end with.
pub fn cross_validate(request: &CrossValidationRequest<'_>) -> Result<CrossValidation, TrainingError> {
    let CrossValidationRequest { run, only, .. } = *request;
    run.validate()?;
    if run.distillation.as_ref().is_some_and(|own| !own.teachers.is_empty() && !own.other_data) {
        let message = "a teacher that was trained on this data has seen the rows of every fold: use `distillation.seeds`, which \
                       trains teachers fold by fold, or set `distillation.other_data = true` if the teachers were trained on \
                       none of these rows";
        return Err(ConfigurationError::invalid("distillation.teachers", message).into());
    }
    check_kinds(request)?;
    let started = Instant::now();
    let base = match &run.base {
        Some(base) => base.clone(),
        None => Part::BaseEncoder.locate()?,
    };
    let folds = Folds::load(&run.tasks, request.folds, run.split_seed(), request.slices)?;
    if let Some(fold) = only.iter().find(|fold| !(1..=folds.count()).contains(*fold)) {
        let message = format!("there is no fold {fold}; the folds are 1 to {}", folds.count());
        return Err(ConfigurationError::invalid("only", message).into());
    }
    let mut judged = known(request, identity(run, &base, &folds)?, &folds)?;
    let write = |judged: &OutOfFoldFile| request.out_of_fold.map_or(Ok(()), |path| judged.write(path));
    // A path that cannot be written is told before the first fold.
    write(&judged)?;
    let mut reports: Vec<Vec<(usize, HeadReport)>> = vec![Vec::new(); folds.tasks().len()];
    for fold in (0..folds.count()).filter(|fold| only.is_empty() || only.contains(&(fold + 1))) {
        if !judged.tasks.is_empty() && judged.tasks.iter().all(|task| task.folds().contains(&(fold + 1))) {
            continue;
        }
        let data = folds.data(fold)?;
        let name = format!("{}, fold {} of {}", run.name, fold + 1, folds.count());
        let scores = train_and_score(&TrainingRun { name, ..run.clone() }, &base, &data)?;
        for ((task, score), reports) in folds.tasks().iter().zip(scores).zip(&mut reports) {
            if let Some(judged) = judged.tasks.iter_mut().find(|judged| judged.task == task.name()) {
                judged.rows.extend(rows(task, fold, score.probabilities));
                judged.rows.sort_by_key(|row| row.fold);
            }
            reports.push((fold + 1, score.report));
        }
        write(&judged)?;
    }
    let (mut tasks, mut others) = (Vec::new(), Vec::new());
    for (task, reports) in folds.tasks().iter().zip(reports) {
        match judged.tasks.iter().find(|judged| judged.task == task.name()) {
            Some(judged) => {
                let mut evaluation = FoldedEvaluation::of(judged, task.cleaning())?;
                evaluation.pooled.slices = slices(&folds, task, judged)?;
                tasks.push(evaluation);
            }
            None => others.push(FoldedReports::of(task.name(), task.cleaning(), reports)),
        }
    }
    Ok(CrossValidation {
        version: CrossValidation::VERSION,
        name: run.name.clone(),
        base: base_name(&base),
        seed: run.seed,
        hyperparameters: run.hyperparameters.clone(),
        data_digest: folds.digest(),
        folds: folds.count(),
        tasks,
        others,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// What stands in files of rows, and is measured apart, are labels and their probabilities.
fn check_kinds(request: &CrossValidationRequest<'_>) -> Result<(), ConfigurationError> {
    let other = request.run.tasks.iter().find(|task| task.kind != TaskKind::SingleLabel);
    let asked = [
        ("from", !request.from.is_empty()),
        ("slices", !request.slices.is_empty()),
        ("out_of_fold", request.out_of_fold.is_some()),
    ];
    match (other, asked.into_iter().find(|(_, asked)| *asked)) {
        (Some(task), Some((key, _))) => {
            let message =
                format!("takes a run whose tasks are all single-label, and {:?} is not; leave it out", task.name);
            Err(ConfigurationError::invalid(key, message))
        }
        _ => Ok(()),
    }
}

/// The judged rows parted by the values of the columns that were read beside them.
fn slices(folds: &Folds, task: &FoldedTask, judged: &OutOfFold) -> Result<Vec<Slice>, TrainingError> {
    let predictions = judged.predictions(None)?;
    let rows: Vec<&Row> = judged.folds().iter().flat_map(|fold| task.held_out(fold - 1)).map(|(row, _)| row).collect();
    let columns = folds.columns();
    let slice = |(place, column): (usize, &String)| {
        // The column of the split, if it is by one, stands before them.
        let values =
            rows.iter().map(|row| row.extra.iter().rev().nth(columns.len() - 1 - place).map_or("", String::as_str));
        Slice::of(column, values, &predictions)
    };
    Ok(columns.iter().enumerate().map(slice).collect())
}

/// What tells this run from others: rows of two runs are not put together.
fn identity(run: &TrainingRun, base: &Path, folds: &Folds) -> Result<String, TrainingError> {
    let hyperparameters = serde_json::to_string(&run.hyperparameters)
        .map_err(|error| ConfigurationError::invalid("hyperparameters", error.to_string()))?;
    let losses: Vec<_> = run.tasks.iter().map(|task| task.loss).collect();
    let base = model_digest(base)?;
    let mut content = format!("{hyperparameters}\n{losses:?}\n{base}\n{}\n{}", run.seed, folds.digest());
    for augmentation in &run.augmentation {
        content.push_str(&format!("\n{:?}", augmentation.by_content()?));
    }
    if let Some(few_shot) = &run.few_shot {
        content.push_str(&format!("\n{few_shot:?}"));
    }
    if let Some(distillation) = &run.distillation {
        content.push_str(&format!("\n{:?}", distillation.by_content()?));
    }
    if let Some(continual) = &run.continual {
        content.push_str(&format!("\n{:?}", continual.by_content()?));
    }
    Ok(foundation::digest::sha256(content.as_bytes())[..16].to_owned())
}

/// The rows of `from`, whole folds of this run, under every task.
fn known(request: &CrossValidationRequest<'_>, run: String, folds: &Folds) -> Result<OutOfFoldFile, TrainingError> {
    let mut found = read_files(request.from)?;
    let path = || request.from.first().cloned().unwrap_or_default();
    if !found.tasks.is_empty() && found.run != run {
        let message = "its rows are of another run: data, base encoder, hyper-parameters, seed and number of folds must be \
                       the same; train all folds anew, without it";
        return Err(TrainingError::OutOfFold { path: path(), message: message.to_owned() });
    }
    let single = folds.tasks().iter().filter(|task| task.kind() == TaskKind::SingleLabel);
    let tasks = single.map(|task| {
        let at = found.tasks.iter().position(|own| own.task == task.name());
        let rows = at.map_or(Vec::new(), |at| std::mem::take(&mut found.tasks[at].rows));
        OutOfFold { task: task.name().to_owned(), labels: task.labels().names().to_vec(), rows }
    });
    let mut known = OutOfFoldFile { run, tasks: tasks.collect() };
    for judged in &mut known.tasks {
        let task = folds.tasks().iter().find(|task| task.name() == judged.task);
        judged.rows.sort_by_key(|row| row.fold);
        for fold in judged.folds() {
            let rows = judged.rows.iter().filter(|row| row.fold == fold).count();
            let held_out = |fold: usize| Some(task?.held_out(fold).count());
            let expected = fold.checked_sub(1).and_then(held_out).unwrap_or(0);
            if rows != expected {
                let message = format!("it has {rows} of the {expected} rows of fold {fold}; take that fold's rows out");
                return Err(TrainingError::OutOfFold { path: path(), message });
            }
        }
    }
    Ok(known)
}

fn rows(task: &FoldedTask, fold: usize, probabilities: Vec<Vec<f64>>) -> impl Iterator<Item = JudgedRow> {
    task.held_out(fold).zip(probabilities).filter_map(move |((row, target), probabilities)| {
        let (at, text, label) = (row.at.clone(), row.text.clone(), target.label()?);
        Some(JudgedRow { fold: fold + 1, at, text, label, probabilities })
    })
}
