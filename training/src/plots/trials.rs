//! A search's trials: one panel for each setting that was drawn.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{FONT, GREY, LOSS, PlotError, SCORE, SMALL, draw, shortened};
use crate::search::{SearchReport, Trial};

const PANEL: (u32, u32) = (380, 300);
const HEAD: u32 = 56;
/// More panels than this do not stand side by side.
const ACROSS: usize = 3;
/// Values that are so many times apart are set out by their logarithms.
const FAR_APART: f64 = 8.0;

/// The mean validation score of each trial against each of its settings. The trials of the longest rung are filled, those that
/// were given up hollow and pale, the best one is in the second colour; trials that failed are left out.
pub fn trials(title: &str, report: &SearchReport) -> Result<String, PlotError> {
    let names: Vec<&str> =
        report.trials.first().into_iter().flat_map(|t| t.settings.keys().map(String::as_str)).collect();
    let (columns, rows) = (names.len().clamp(1, ACROSS), names.len().div_ceil(ACROSS).max(1));
    let size = (PANEL.0 * columns as u32, HEAD + PANEL.1 * rows as u32);
    let scores: Vec<f64> = report.trials.iter().filter_map(|trial| trial.score).collect();
    let (low, high) = scores.iter().fold((1.0f64, 0.0f64), |(low, high), score| (low.min(*score), high.max(*score)));
    let room = ((high - low) * 0.1).max(0.005);
    let mut svg = String::new();
    draw(SVGBackend::with_string(&mut svg, size).into_drawing_area(), |area| {
        area.draw(&Text::new(title.to_owned(), (12, 10), (FONT, 18)))?;
        let legend = "mean validation score; hollow: given up early; second colour: the best";
        area.draw(&Text::new(legend, (12, 34), SMALL.into_font().color(&GREY)))?;
        let (_, below) = area.split_vertically(HEAD);
        for (panel, name) in below.split_evenly((rows, columns)).iter().zip(&names) {
            Panel { report, name, scores: (low - room).max(0.0)..(high + room).min(1.0) }.draw(panel)?;
        }
        Ok(())
    })?;
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

struct Panel<'a> {
    report: &'a SearchReport,
    name: &'a str,
    scores: std::ops::Range<f64>,
}

/// Where values stand across a panel.
enum Axis {
    Linear,
    Log,
    /// Values that are not numbers, or few: one place each.
    Places(Vec<String>),
}

impl Panel<'_> {
    fn draw<'b>(&self, area: &Area<'b>) -> Drawn<'b> {
        let axis = self.axis();
        let places: Vec<f64> = self.report.trials.iter().filter_map(|trial| self.place(&axis, trial)).collect();
        let (from, to) = places.iter().fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(*x), high.max(*x)));
        let room = ((to - from) * 0.08).max(0.3 * f64::from(matches!(axis, Axis::Places(_)) as u8)).max(1e-9);
        let across = if places.is_empty() { 0.0..1.0 } else { from - room..to + room };
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(38)
            .y_label_area_size(52)
            .build_cartesian_2d(across, self.scores.clone())?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .label_style(SMALL)
            .x_desc(self.name)
            .x_labels(if let Axis::Places(values) = &axis { values.len() + 2 } else { 5 })
            .x_label_formatter(&|x| axis.label(*x))
            .y_label_formatter(&|score| format!("{score:.3}"))
            .draw()?;
        let (best, last) = (self.report.best(), Some(self.report.rungs.len().saturating_sub(1)));
        for trial in self.report.trials.iter().rev() {
            let (Some(x), Some(score)) = (self.place(&axis, trial), trial.score) else { continue };
            let colour = if best == Some(trial) { SCORE } else { LOSS };
            let style = if trial.rung == last { colour.filled() } else { colour.mix(0.5).stroke_width(1) };
            chart.draw_series([Circle::new((x, score), 4, style)])?;
        }
        Ok(())
    }

    fn axis(&self) -> Axis {
        let values: Vec<&toml::Value> = self.report.trials.iter().filter_map(|t| t.settings.get(self.name)).collect();
        let numbers: Option<Vec<f64>> = values.iter().map(|value| number(value)).collect();
        let mut distinct: Vec<String> = Vec::new();
        for value in &values {
            let text = text(value);
            if !distinct.contains(&text) {
                distinct.push(text);
            }
        }
        match numbers {
            Some(numbers) if distinct.len() > 3 => {
                let (low, high) = numbers.iter().fold((f64::MAX, 0.0f64), |(low, high), x| (low.min(*x), high.max(*x)));
                if low > 0.0 && high / low > FAR_APART { Axis::Log } else { Axis::Linear }
            }
            Some(_) => {
                distinct.sort_by(|a, b| a.parse().unwrap_or(0.0f64).total_cmp(&b.parse().unwrap_or(0.0)));
                Axis::Places(distinct)
            }
            None => {
                distinct.sort();
                Axis::Places(distinct)
            }
        }
    }

    fn place(&self, axis: &Axis, trial: &Trial) -> Option<f64> {
        trial.score?;
        let value = trial.settings.get(self.name)?;
        match axis {
            Axis::Linear => number(value),
            Axis::Log => number(value).map(f64::log10),
            Axis::Places(values) => {
                let text = text(value);
                values.iter().position(|known| *known == text).map(|place| place as f64)
            }
        }
    }
}

impl Axis {
    fn label(&self, x: f64) -> String {
        match self {
            Self::Linear if x.abs() < 1e-2 && x.abs() > 1e-12 => format!("{x:.1e}"),
            Self::Linear => format!("{x:.3}").trim_end_matches('0').trim_end_matches('.').to_owned(),
            Self::Log => format!("{:.0e}", 10f64.powf(x)),
            Self::Places(_) if (x - x.round()).abs() > 1e-6 || x < -0.5 => String::new(),
            Self::Places(values) => values.get(x.round() as usize).map_or_else(String::new, |name| shortened(name)),
        }
    }
}

fn number(value: &toml::Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))
}

fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Table(table) => table.get("kind").map_or_else(|| value.to_string(), text),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(number: usize, rate: f64, optimizer: &str, score: Option<f64>, rung: usize) -> Trial {
        let settings = [("learning_rate", toml::Value::from(rate)), ("optimizer", toml::Value::from(optimizer))];
        Trial {
            number,
            settings: settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            rung: Some(rung),
            validation_scores: score.into_iter().collect(),
            score,
            seconds: 1.0,
        }
    }

    #[test]
    fn each_trial_stands_in_each_panel_and_failed_ones_in_none() {
        let trials = vec![
            trial(1, 1e-5, "adamw", Some(0.81), 1),
            trial(2, 1e-4, "sgd", Some(0.8), 1),
            trial(3, 3e-4, "adamw", Some(0.6), 0),
            trial(4, 1e-3, "adamw", Some(0.5), 0),
            trial(5, 0.1, "sgd", None, 0),
        ];
        let report = SearchReport {
            version: 1,
            name: "news".to_owned(),
            base: "tiny".to_owned(),
            seed: 1,
            data_digest: String::new(),
            rungs: vec![1, 3],
            trials,
            seconds: 4.0,
        };
        let svg = super::trials("news", &report).unwrap();
        let circles: Vec<&str> = svg.lines().filter(|line| line.starts_with("<circle")).collect();
        let hollow = circles.iter().filter(|circle| circle.contains("fill=\"none\"")).count();
        assert_eq!((circles.len(), hollow), (2 * 4, 2 * 2), "{svg}");
        for text in ["learning_rate", "optimizer", "\n1e-4\n", "\nadamw\n", "\nsgd\n"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        let failed = SearchReport { trials: vec![trial(1, 0.1, "sgd", None, 0)], ..report };
        super::trials("news", &failed).unwrap();
    }
}
