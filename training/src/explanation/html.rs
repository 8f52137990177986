//! Explanations as one HTML file that needs nothing beside it.

use super::Explanation;
use super::presentation::Piece;

const HEAD: &str = "\
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<style>
body { color: #1a1a1a; background: #fff; font: 16px/1.7 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.2rem }
article { border-top: 1px solid #ddd; padding: .8rem 0 }
h2 { font-size: .95rem; margin: 0 }
p { margin: .3rem 0; overflow-wrap: anywhere }
mark { color: inherit; padding: .1em 0; border-radius: .2em }
small, .unread { color: #767676 }
</style>
";

/// A page of this title that shows each text with its words shaded: blue for those that raise the answer, orange for those that
/// lower it, the stronger the darker. A word tells its attribution under the pointer.
pub fn page(title: &str, explanations: &[Explanation]) -> String {
    let title = escaped(title);
    let mut page = format!("<!doctype html>\n<html lang=\"en\">\n<title>{title}</title>\n{HEAD}<h1>{title}</h1>\n");
    page.push_str(&format!(
        "<p>Words {} the answer, or {} it; the darker, the more, beside the strongest word of the same text. \
         A word has its figure under the pointer.</p>\n",
        mark("raise", 0.8, "as here"),
        mark("lower", -0.8, "as here")
    ));
    explanations.iter().for_each(|explanation| page.push_str(&article(explanation)));
    page.push_str("</html>\n");
    page
}

fn article(explanation: &Explanation) -> String {
    let text: String = explanation.pieces().into_iter().map(|piece| shaded(piece, explanation)).collect();
    format!(
        "<article>\n<h2>{}</h2>\n<p>{text}</p>\n<small>{}</small>\n</article>\n",
        escaped(&explanation.heading()),
        escaped(&explanation.remarks())
    )
}

fn shaded(piece: Piece<'_>, explanation: &Explanation) -> String {
    match piece {
        Piece::Between(text) => escaped(text),
        Piece::Unread(text) => format!("<span class=\"unread\">{}</span>", escaped(text)),
        Piece::Word(word, strength) => {
            let sign = if word.attribution > 0.0 { "+" } else { "" };
            mark(&word.word, strength, &format!("{sign}{}", explanation.figure(word.attribution)))
        }
    }
}

/// A word with a background of this strength, -1 to 1.
fn mark(word: &str, strength: f64, title: &str) -> String {
    let colour = if strength > 0.0 { "56, 132, 255" } else { "255, 140, 26" };
    let opacity = 0.75 * strength.abs();
    format!("<mark style=\"background: rgba({colour}, {opacity:.2})\" title=\"{title}\">{}</mark>", escaped(word))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
