//! The forms that an exported model's weights may have.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::export::calibration::Calibration;
use crate::export::parity::PARITY_LIMIT;

/// What an exported model's weights are stored in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floating point, as trained.
    #[default]
    Fp32,
    /// 16-bit floating point: half of the file. Computed in f32, as CPUs compute no faster in f16: tract took more than
    /// twice as long.
    Fp16,
    /// 8-bit integers, and integers with calibrated ranges for what they are multiplied with: a quarter of the file.
    Int8,
    /// 8-bit integers, and for what they are multiplied with integers by each token's own range: a tenth slower than `int8`,
    /// half as far from `fp32`, and in need of no calibration.
    Int8Dynamic,
}

impl Precision {
    /// The name that flags and reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
            Self::Int8Dynamic => "int8-dynamic",
        }
    }

    /// The share of texts on which each head's likeliest label must be that of the model in f32.
    pub fn least_agreement(self) -> f64 {
        match self {
            Self::Fp32 => 1.0,
            Self::Fp16 => 0.99,
            Self::Int8 | Self::Int8Dynamic => 0.95,
        }
    }

    /// The largest mean difference of a logit between the back ends.
    ///
    /// In integers, two right computations differ: where one's sum rounds up and the other's down, all later layers see
    /// another step.
    pub fn backend_limit(self) -> f32 {
        match self {
            Self::Fp32 | Self::Fp16 => PARITY_LIMIT,
            Self::Int8 | Self::Int8Dynamic => 0.05,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A [`Precision`] with what it takes to write it.
#[derive(Debug, Clone)]
pub enum Form {
    /// See [`Precision::Fp32`].
    Fp32,
    /// See [`Precision::Fp16`].
    Fp16,
    /// See [`Precision::Int8`].
    Int8(Calibration),
    /// See [`Precision::Int8Dynamic`].
    Int8Dynamic,
}

impl Form {
    /// Which precision this is.
    pub fn precision(&self) -> Precision {
        match self {
            Self::Fp32 => Precision::Fp32,
            Self::Fp16 => Precision::Fp16,
            Self::Int8(_) => Precision::Int8,
            Self::Int8Dynamic => Precision::Int8Dynamic,
        }
    }
}
