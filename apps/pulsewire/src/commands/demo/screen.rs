//! Alerts above the progress bar.

use std::io::{self, Write};
use std::sync::Arc;

use foundation::progress::Progress;

/// Hands whole lines to standard output, with the bar out of the way meanwhile.
pub(super) struct AboveBar {
    bar: Arc<Progress>,
    pending: Vec<u8>,
}

impl AboveBar {
    pub(super) fn new(bar: Arc<Progress>) -> Self {
        Self { bar, pending: Vec::new() }
    }
}

impl Write for AboveBar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.pending);
        self.bar.suspend(|| {
            let mut output = io::stdout().lock();
            output.write_all(&text)?;
            output.flush()
        })
    }
}
