//! The split by time: a model is tested on what came after all that it has seen, as in service.

use foundation::EventTime;

use super::{Shares, Side, Splitting};
use crate::error::TrainingError;

/// Places rows from the oldest to the newest. Where a border would go through rows of one time, these are on the newer side.
pub(super) fn place(splitting: &Splitting<'_>, column: &str) -> Result<Vec<(usize, Side)>, TrainingError> {
    let mut order = (0..splitting.rows.len())
        .map(|row| Ok((time_of(splitting, row, column)?, row)))
        .collect::<Result<Vec<_>, TrainingError>>()?;
    order.sort_unstable();
    let border = |end: usize, share: f64| {
        let mut at = end.saturating_sub(Shares::rows(share, order.len()));
        while at < end && at > 0 && order[at - 1].0 == order[at].0 {
            at -= 1;
        }
        at
    };
    let test = border(order.len(), splitting.shares.test);
    let validation = border(test, splitting.shares.validation);
    if validation == 0 {
        return Err(splitting.unfit(format!(
            "the split by time ({column:?}) leaves no row to learn from: the oldest {} of {} rows all have the time {}, \
             and rows of one time stay together; split by a finer time",
            order.iter().filter(|(time, _)| *time == order[0].0).count(),
            order.len(),
            order[0].0
        )));
    }
    let side = |place: usize| match place {
        place if place >= test => Side::Test,
        place if place >= validation => Side::Validation,
        _ => Side::Train,
    };
    Ok(order.iter().enumerate().map(|(place, (_, row))| (*row, side(place))).collect())
}

fn time_of(splitting: &Splitting<'_>, row: usize, column: &str) -> Result<EventTime, TrainingError> {
    EventTime::parse(splitting.value(row)).map_err(|error| TrainingError::Row {
        at: splitting.rows[row].at.clone(),
        field: column.to_owned(),
        message: format!("{error}; a split by time needs one in every row"),
    })
}
