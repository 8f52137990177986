//! Floating-point state in snapshots, to the last bit: decimal text would let a restart change a sum.

/// For `#[serde(with = "crate::persisted::bits")]`.
pub(crate) mod bits {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(number.to_bits())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

/// For `#[serde(with = "crate::persisted::bits_list")]`.
pub(crate) mod bits_list {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(numbers: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(numbers.iter().map(|number| number.to_bits()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        Vec::<u64>::deserialize(deserializer).map(|numbers| numbers.into_iter().map(f64::from_bits).collect())
    }
}
