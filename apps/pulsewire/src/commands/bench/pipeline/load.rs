//! The messages that a pipeline is measured with: the sample headlines, each made unlike all others.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use foundation::EventTime;
use serde::Serialize;

use crate::samples;

/// One message.
#[derive(Serialize)]
struct Message<'a> {
    id: u64,
    time: EventTime,
    source: &'static str,
    text: &'a str,
}

/// The texts, in their order. Equal texts would be scored once and flatter the engine.
pub(super) fn texts(messages: u64, pad_to: Option<usize>) -> Vec<Arc<str>> {
    let headlines = samples::headlines();
    (0..messages)
        .map(|number| {
            let index = usize::try_from(number).unwrap_or(0) % headlines.len().max(1);
            let mut text = format!("{} ({number})", headlines[index]);
            let mut more = index;
            while pad_to.is_some_and(|size| text.len() < size) {
                more = (more + 7) % headlines.len();
                text.push_str(". ");
                text.push_str(&headlines[more]);
            }
            if let Some(size) = pad_to {
                let end = (0..=size).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
                text.truncate(end);
            }
            text.into()
        })
        .collect()
}

/// Bytes of a message around its text.
const FRAME_BYTES: usize = 75;

/// How long a text must be for a message of `bytes`.
pub(super) fn text_bytes(bytes: usize) -> usize {
    bytes.saturating_sub(FRAME_BYTES).max(1)
}

/// Writes the messages as NDJSON, a second of event time apart; the mean size of one.
pub(super) fn write(path: &Path, texts: &[Arc<str>]) -> anyhow::Result<usize> {
    let began = 1_700_000_000_000;
    let mut file = BufWriter::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?);
    let mut bytes = 0;
    for (id, text) in (0_u64..).zip(texts) {
        let time = EventTime::from_millis(began + i64::try_from(id)? * 1000)?;
        let line = serde_json::to_vec(&Message { id, time, source: "bench", text })?;
        bytes += line.len();
        file.write_all(&line)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(bytes / texts.len().max(1))
}
