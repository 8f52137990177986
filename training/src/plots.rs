//! Plots, as SVG: how training went, which labels are taken for which, and what a search has tried.

mod trials;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::metrics::EvaluationReport;
use crate::report::EpochReport;

pub use trials::trials;

const SIZE: (u32, u32) = (720, 420);
const FONT: &str = "sans-serif";
const SMALL: (&str, u32) = (FONT, 13);
const LOSS: RGBColor = RGBColor(31, 97, 160);
const SCORE: RGBColor = RGBColor(200, 90, 20);

/// More labels than this are named by the axes' numbers only, and cells show no counts.
const NAMED_LABELS: usize = 24;
/// Pixels of a cell, and of the room for a label's name.
const CELL: u32 = 46;
const NAMES: u32 = 130;

/// Why a plot could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw the plot: {0}")]
pub struct PlotError(String);

/// The training loss of each epoch (left axis, from 0) and the mean validation score (right axis, 0 to 1).
pub fn epochs(title: &str, epochs: &[EpochReport]) -> Result<String, PlotError> {
    let mut svg = String::new();
    draw(SVGBackend::with_string(&mut svg, SIZE).into_drawing_area(), |area| {
        let last = epochs.iter().map(|epoch| epoch.epoch).max().unwrap_or(1) as f64;
        let highest = epochs.iter().map(|epoch| epoch.loss).filter(|loss| loss.is_finite()).fold(0.0, f64::max);
        let across = 0.8..last + 0.2;
        let mut chart = ChartBuilder::on(area)
            .caption(title, (FONT, 18))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(48)
            .right_y_label_area_size(48)
            .build_cartesian_2d(across.clone(), 0.0..highest.max(1e-6) * 1.1)?
            .set_secondary_coord(across, 0.0..1.0);
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .label_style(SMALL)
            .x_desc("epoch")
            .x_label_formatter(&whole)
            .y_desc("training loss")
            .draw()?;
        chart.configure_secondary_axes().label_style(SMALL).y_desc("validation score").draw()?;
        let losses: Vec<(f64, f64)> = epochs.iter().map(|epoch| (epoch.epoch as f64, epoch.loss)).collect();
        let scores: Vec<(f64, f64)> = epochs.iter().map(|epoch| (epoch.epoch as f64, mean_score(epoch))).collect();
        chart
            .draw_series(LineSeries::new(losses, LOSS.stroke_width(2)).point_size(4))?
            .label("training loss")
            .legend(|(x, y)| Rectangle::new([(x, y - 1), (x + 16, y + 1)], LOSS.filled()));
        chart
            .draw_secondary_series(LineSeries::new(scores, SCORE.stroke_width(2)).point_size(4))?
            .label("validation score")
            .legend(|(x, y)| Rectangle::new([(x, y - 1), (x + 16, y + 1)], SCORE.filled()));
        let position = SeriesLabelPosition::LowerLeft;
        chart
            .configure_series_labels()
            .position(position)
            .label_font(SMALL)
            .border_style(BLACK.mix(0.3))
            .background_style(WHITE)
            .draw()
    })?;
    Ok(svg)
}

/// A head's confusion: rows are true labels, columns predicted ones; a cell's shade is its share of the row, its number the
/// count.
pub fn confusion(title: &str, report: &EvaluationReport) -> Result<String, PlotError> {
    let labels = report.labels.len() as u32;
    let named = report.labels.len() <= NAMED_LABELS;
    let cell = if named { CELL } else { (CELL * NAMED_LABELS as u32 / labels.max(1)).max(4) };
    let (left, top) = (if named { NAMES } else { 40 }, 70);
    let size = (left + cell * labels + 20, top + cell * labels + if named { NAMES } else { 40 });
    let mut svg = String::new();
    draw(SVGBackend::with_string(&mut svg, size).into_drawing_area(), |area| {
        area.draw(&Text::new(title.to_owned(), (12, 12), (FONT, 18)))?;
        area.draw(&Text::new("rows: true label, columns: predicted label", (12, 38), SMALL.into_font().color(&GREY)))?;
        for (row, counts) in report.confusion.iter().enumerate() {
            let total = counts.iter().sum::<u64>().max(1);
            for (column, count) in counts.iter().enumerate() {
                let share = *count as f64 / total as f64;
                let (x, y) = ((left + cell * column as u32) as i32, (top + cell * row as u32) as i32);
                let corner = (x + cell as i32 - 1, y + cell as i32 - 1);
                area.draw(&Rectangle::new([(x, y), corner], LOSS.mix(0.04 + 0.9 * share).filled()))?;
                if named && *count > 0 {
                    let ink = if share > 0.5 { WHITE } else { BLACK };
                    let middle = (x + cell as i32 / 2, y + cell as i32 / 2 - 6);
                    area.draw(&Text::new(count.to_string(), middle, centred(&ink)))?;
                }
            }
        }
        for (index, label) in report.labels.iter().enumerate().filter(|_| named) {
            let place = index as i32 * cell as i32 + cell as i32 / 2;
            let name = shortened(&label.label);
            let row = (left as i32 - 8, top as i32 + place - 6);
            let to_the_left = TextStyle::from(SMALL).pos(Pos::new(HPos::Right, VPos::Top));
            area.draw(&Text::new(name.clone(), row, to_the_left))?;
            let column = (left as i32 + place - 6, (top + cell * labels) as i32 + 8);
            area.draw(&Text::new(name, column, SMALL.into_font().transform(FontTransform::Rotate90)))?;
        }
        Ok(())
    })?;
    Ok(svg)
}

const GREY: RGBColor = RGBColor(110, 110, 110);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw<'a>(area: Area<'a>, plot: impl FnOnce(&Area<'a>) -> Drawn<'a>) -> Result<(), PlotError> {
    let drawn = area.fill(&WHITE).and_then(|()| plot(&area)).and_then(|()| area.present());
    drawn.map_err(|error| PlotError(error.to_string()))
}

fn centred(ink: &RGBColor) -> TextStyle<'_> {
    TextStyle::from(SMALL).color(ink).pos(Pos::new(HPos::Center, VPos::Top))
}

fn shortened(label: &str) -> String {
    const LENGTH: usize = 18;
    if label.chars().count() <= LENGTH {
        return label.to_owned();
    }
    label.chars().take(LENGTH - 1).chain(['…']).collect()
}

/// A whole epoch's number; nothing for the places between.
fn whole(epoch: &f64) -> String {
    if (epoch - epoch.round()).abs() < 1e-6 { format!("{epoch:.0}") } else { String::new() }
}

fn mean_score(epoch: &EpochReport) -> f64 {
    let mean = epoch.validation_scores.iter().sum::<f64>() / epoch.validation_scores.len().max(1) as f64;
    // Numbers may be told worse than by their mean.
    mean.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: usize, loss: f64, score: f64) -> EpochReport {
        EpochReport { epoch, loss, validation_scores: vec![score, score], seconds: 1.0 }
    }

    #[test]
    fn epochs_are_drawn_as_two_lines() {
        let svg = super::epochs("news", &[epoch(1, 1.2, 0.5), epoch(2, 0.4, 0.8), epoch(3, 0.2, 0.82)]).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("training loss") && svg.contains("validation score"));
        for colour in ["#1F61A0", "#C85A14"] {
            let line = format!("<polyline fill=\"none\" opacity=\"1\" stroke=\"{colour}\"");
            assert_eq!(svg.matches(&line).count(), 1, "{svg}");
        }
        assert!(svg.contains("\n2\n") && !svg.contains("1.5"), "whole epochs are named, halves are not: {svg}");
        // One epoch is a point, no line; a loss that is not a number is left out.
        super::epochs("news", &[epoch(1, f64::NAN, 0.5)]).unwrap();
        super::epochs("news", &[]).unwrap();
    }

    #[test]
    fn a_confusion_shows_every_count_and_escapes_names() {
        let labels = ["up & away", "down"].map(str::to_owned);
        let report = EvaluationReport::from_pairs("mood", &labels, [(0, 0), (0, 0), (0, 1), (1, 1)]);
        let svg = confusion("mood", &report).unwrap();
        assert!(svg.contains("up &amp; away"), "{svg}");
        assert_eq!(svg.matches("<rect").count(), 1 + 4);
        for count in ["\n2\n", "\n1\n"] {
            assert!(svg.contains(count), "{svg}");
        }
    }

    #[test]
    fn many_labels_are_drawn_without_names() {
        let labels: Vec<String> = (0..77).map(|label| format!("label {label}")).collect();
        let report = EvaluationReport::from_pairs("intent", &labels, (0..77).map(|label| (label, label)));
        let svg = confusion("intent", &report).unwrap();
        assert!(!svg.contains("label 3") && svg.matches("<rect").count() == 1 + 77 * 77);
    }
}
