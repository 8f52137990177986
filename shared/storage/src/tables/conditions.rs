//! Optional conditions of a listing, with their values bound and never pasted into the text.

use clickhouse::query::Query;
use serde::Serialize;

use crate::Store;

/// A value of a condition.
#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Text(&'a str),
    Number(i64),
}

/// The conditions that are set, in order.
#[derive(Default)]
pub(crate) struct Conditions<'a> {
    set: Vec<(&'static str, Value<'a>)>,
}

impl<'a> Conditions<'a> {
    pub(crate) fn text(mut self, condition: &'static str, value: Option<&'a String>) -> Self {
        self.set.extend(value.map(|text| (condition, Value::Text(text))));
        self
    }

    pub(crate) fn number(mut self, condition: &'static str, value: Option<i64>) -> Self {
        self.set.extend(value.map(|number| (condition, Value::Number(number))));
        self
    }

    /// `select`, a WHERE clause of the conditions, `order`, and a limit.
    pub(crate) fn query(self, store: &Store, select: &str, order: &str, limit: u64) -> Query {
        let wanted: Vec<&str> = self.set.iter().map(|(condition, _)| *condition).collect();
        let filter = if wanted.is_empty() { "1".to_owned() } else { wanted.join(" AND ") };
        let query = store.query(&format!("{select} WHERE {filter} {order} LIMIT ?"));
        self.set.into_iter().fold(query, |query, (_, value)| query.bind(value)).bind(limit)
    }
}
