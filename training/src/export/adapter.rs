//! What a run added to an encoder and could not merge into it: bottleneck adapters, prefixes and prompts as parts of the graph.

use crate::engine::{AdapterKind, Bottleneck, Prefix, Prompt};
use crate::export::ExportError;
use crate::export::bert::Writer;
use crate::export::graph::{Attribute, Value};
use crate::export::weights::Weight;

/// Where a slice ends that goes on to the end.
const END: i64 = i64::MAX;

/// A layer's keys and values from a prefix.
pub(super) struct PrefixRows {
    /// `[1, heads, head, length]`, to be multiplied with.
    keys: Value,
    /// `[1, heads, length, head]`.
    values: Value,
    length: usize,
}

impl Writer<'_> {
    /// What becomes of a block's output; `name` is that of the adapter that may follow it.
    pub(super) fn follow(&mut self, name: &str, x: Value) -> Result<Value, ExportError> {
        let Some(AdapterKind::Bottleneck(Bottleneck { size })) = self.config.adapter else { return Ok(x) };
        let hidden = self.config.hidden_size;
        let (down, up) = (format!("{name}.down"), format!("{name}.up"));
        let narrow = self.linear(&down, &down, &x, [hidden, size])?;
        let narrow = self.gelu(&format!("{name}.gelu"), &narrow);
        let wide = self.linear(&up, &up, &narrow, [size, hidden])?;
        Ok(self.graph.node("Add", name, &[&x, &wide], &[]))
    }

    /// The keys and values that a layer's attention sees before those of the text.
    pub(super) fn prefix(&mut self, name: &str, heads: usize) -> Result<Option<PrefixRows>, ExportError> {
        let Some(AdapterKind::Prefix(Prefix { length })) = self.config.adapter else { return Ok(None) };
        let size = self.config.head_size();
        let width = heads * size;
        let rows = self.weights.get(name, &[length, 2 * width])?;
        let at = |row: usize, part: usize, head: usize, column: usize| {
            rows.values[(2 * row + part) * width + head * size + column]
        };
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for head in 0..heads {
            keys.extend((0..size * length).map(|place| at(place % length, 0, head, place / length)));
            values.extend((0..length * size).map(|place| at(place / size, 1, head, place % size)));
        }
        let own = |part: &str| format!("{name}.{part}");
        let keys = self.graph.floats(&own("keys"), &[1, heads, size, length], &keys);
        let values = self.graph.floats(&own("values"), &[1, heads, length, size], &values);
        Ok(Some(PrefixRows { keys, values, length }))
    }

    /// Puts the scores of a prefix' keys before those of the text, which are masked already.
    pub(super) fn prefix_scores(
        &mut self,
        name: &str,
        prefix: &PrefixRows,
        query: &Value,
        scale: &Value,
        scores: &Value,
    ) -> Value {
        let own = |part: &str| format!("{name}.{part}");
        let graph = &mut self.graph;
        let products = graph.node("MatMul", &own("products"), &[query, &prefix.keys], &[]);
        let scaled = graph.node("Div", &own("scaled"), &[&products, scale], &[]);
        graph.node("Concat", &own("scores"), &[&scaled, scores], &[Attribute::Int("axis", 3)])
    }

    /// What all shares gather, of a prefix' values and the text's.
    pub(super) fn prefix_mixed(&mut self, name: &str, prefix: &PrefixRows, shares: &Value, value: &Value) -> Value {
        let own = |part: &str| format!("{name}.{part}");
        let length = prefix.length as i64;
        let before = self.slice(&own("shares"), shares, 3, [0, length]);
        let rest = self.slice(&own("text_shares"), shares, 3, [length, END]);
        let graph = &mut self.graph;
        let before = graph.node("MatMul", &own("mixed"), &[&before, &prefix.values], &[]);
        let rest = graph.node("MatMul", &own("text_mixed"), &[&rest, value], &[]);
        graph.node("Add", &own("all_mixed"), &[&rest, &before], &[])
    }

    /// Puts a prompt before the text's vectors `[batch, sequence, hidden]`, and room for it before the mask
    /// `[batch, 1, 1, sequence]`.
    pub(super) fn prompted(&mut self, hidden: Value, mask: Value) -> Result<(Value, Value), ExportError> {
        let Some(AdapterKind::Prompt(Prompt { length })) = self.config.adapter else { return Ok((hidden, mask)) };
        let size = self.config.hidden_size;
        let Weight { values, .. } = self.weights.get("prompt", &[length, size])?;
        let prompt = self.graph.floats("prompt", &[1, length, size], &values);
        let seen = self.graph.floats("prompt.seen", &[1, 1, 1, length], &vec![0.0; length]);
        let prompt = self.for_each_text("prompt.rows", &hidden, &prompt, &[length as i64, size as i64]);
        let seen = self.for_each_text("prompt.mask", &hidden, &seen, &[1, 1, length as i64]);
        let hidden = self.graph.node("Concat", "prompt.hidden", &[&prompt, &hidden], &[Attribute::Int("axis", 1)]);
        let mask = self.graph.node("Concat", "prompt.masked", &[&seen, &mask], &[Attribute::Int("axis", 3)]);
        Ok((hidden, mask))
    }

    /// Takes a prompt's states off again.
    pub(super) fn unprompted(&mut self, hidden: Value) -> Value {
        let Some(AdapterKind::Prompt(Prompt { length })) = self.config.adapter else { return hidden };
        self.slice("prompt.text", &hidden, 1, [length as i64, END])
    }

    /// A constant once for each text of the batch; `shape` is what follows the batch's axis.
    fn for_each_text(&mut self, name: &str, hidden: &Value, constant: &Value, shape: &[i64]) -> Value {
        let own = |part: &str| format!("{name}.{part}");
        let graph = &mut self.graph;
        let measures = graph.node("Shape", &own("measures"), &[hidden], &[]);
        let place = graph.integers(&own("place"), &[0]);
        let batch = graph.node("Gather", &own("batch"), &[&measures, &place], &[Attribute::Int("axis", 0)]);
        let rest = graph.integers(&own("rest"), shape);
        let shape = graph.node("Concat", &own("shape"), &[&batch, &rest], &[Attribute::Int("axis", 0)]);
        graph.node("Expand", name, &[constant, &shape], &[])
    }

    fn slice(&mut self, name: &str, x: &Value, axis: i64, [from, to]: [i64; 2]) -> Value {
        let own = |part: &str| format!("{name}.{part}");
        let graph = &mut self.graph;
        let bounds = [("from", from), ("to", to), ("axis", axis)].map(|(part, at)| graph.integers(&own(part), &[at]));
        graph.node("Slice", name, &[x, &bounds[0], &bounds[1], &bounds[2]], &[])
    }
}
