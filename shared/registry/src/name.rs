//! Names of models, versions and aliases, checked when they are made.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::RegistryError;

/// A model's name, which is its folder's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName(String);

/// A version of a model: 1, 2, 3 ….
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(NonZeroU32);

/// A name for whichever version plays a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alias {
    /// The version in use.
    Champion,
    /// The version that may replace it.
    Challenger,
}

/// Which version of which model is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelReference {
    /// `name`, `name@champion`, `name@challenger`.
    Alias(ModelName, Alias),
    /// `name@3`.
    Version(ModelName, Version),
}

impl ModelName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ModelName {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
        let fits = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || matches!(character, '-' | '_' | '.')
        };
        if begins && text.len() <= 100 && text.chars().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RegistryError::Name { name: text.to_owned() })
        }
    }
}

impl TryFrom<String> for ModelName {
    type Error = RegistryError;

    fn try_from(text: String) -> Result<Self, RegistryError> {
        text.parse()
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Version {
    /// The first version of every model.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The number.
    pub fn number(self) -> u32 {
        self.0.get()
    }

    /// The version after this one.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl FromStr for Version {
    type Err = RegistryError;

    /// Digits without a sign or a leading zero, so that each version has one spelling, its folder's name.
    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let canonical = text.chars().all(|character| character.is_ascii_digit()) && !text.starts_with('0');
        let number = text.parse().ok().filter(|_| canonical);
        number.map(Self).ok_or_else(|| RegistryError::Reference { text: text.to_owned() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Alias {
    /// Every alias.
    pub const ALL: [Self; 2] = [Self::Champion, Self::Challenger];

    /// The alias as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Champion => "champion",
            Self::Challenger => "challenger",
        }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl ModelReference {
    /// The model.
    pub fn model(&self) -> &ModelName {
        match self {
            Self::Alias(model, _) | Self::Version(model, _) => model,
        }
    }
}

impl FromStr for ModelReference {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let Some((model, which)) = text.split_once('@') else {
            return Ok(Self::Alias(text.parse()?, Alias::Champion));
        };
        let model = model.parse()?;
        match Alias::ALL.into_iter().find(|alias| alias.as_str() == which) {
            Some(alias) => Ok(Self::Alias(model, alias)),
            None => which
                .parse()
                .map(|version| Self::Version(model, version))
                .map_err(|_| RegistryError::Reference { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for ModelReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(model, alias) => write!(formatter, "{model}@{alias}"),
            Self::Version(model, version) => write!(formatter, "{model}@{version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_written() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            let reference = text.parse::<ModelReference>().ok().map(|reference| reference.to_string());
            assert_eq!(reference.as_deref(), expected, "{text}");
        }
        check("sentiment", Some("sentiment@champion"));
        check("sentiment@champion", Some("sentiment@champion"));
        check("news-2.sentiment_v1@challenger", Some("news-2.sentiment_v1@challenger"));
        check("sentiment@12", Some("sentiment@12"));
        for wrong in ["", "@1", "a@", "a@0", "a@01", "a@+1", "a@-1", "a@latest", "a@1@2", "a@99999999999"] {
            check(wrong, None);
        }
        for name in ["../etc", "A", "1a", ".hidden", "a/b", "a b", "naïve", &"a".repeat(101)] {
            check(name, None);
        }
    }
}
