//! The sample texts that commands use where the user gives none.

use std::sync::Arc;

use sentiment_monitor::samples;

/// The headlines of the sample feed.
pub(crate) fn headlines() -> Vec<Arc<str>> {
    let mut table = csv::Reader::from_reader(samples::FEED.as_bytes());
    let column = table.headers().ok().and_then(|names| names.iter().position(|name| name == "headline"));
    let Some(column) = column else { return Vec::new() };
    table.records().flatten().filter_map(|row| row.get(column).map(Arc::from)).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_sample_feed_has_headlines() {
        let headlines = super::headlines();
        assert!(headlines.len() > 1000 && headlines.iter().all(|headline| !headline.is_empty()), "{}", headlines.len());
    }
}
