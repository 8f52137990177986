//! How values of ours stand in ClickHouse columns.
//!
//! Tuples in tables have no names (`Array(Tuple(String, Float32))`): the client library does not read the types of named ones.

/// Serde for [`foundation::EventTime`] as `DateTime64(3)`: `#[serde(with = "storage::columns::event_time")]`.
pub mod event_time {
    use foundation::EventTime;
    use serde::{Deserialize as _, Deserializer, Serializer};

    /// Writes milliseconds since the epoch.
    pub fn serialize<S: Serializer>(time: &EventTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.millis())
    }

    /// Reads milliseconds since the epoch.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EventTime, D::Error> {
        let millis = i64::deserialize(deserializer)?;
        EventTime::from_millis(millis).map_err(serde::de::Error::custom)
    }
}

/// Serde for an optional [`foundation::EventTime`] as `Nullable(DateTime64(3))`.
pub mod event_time_option {
    use foundation::EventTime;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    /// Writes milliseconds since the epoch, or null.
    pub fn serialize<S: Serializer>(time: &Option<EventTime>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(EventTime::millis).serialize(serializer)
    }

    /// Reads milliseconds since the epoch, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EventTime>, D::Error> {
        let millis = Option::<i64>::deserialize(deserializer)?;
        millis.map(EventTime::from_millis).transpose().map_err(serde::de::Error::custom)
    }
}
