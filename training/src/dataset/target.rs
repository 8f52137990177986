//! What a row's head should answer.

/// The answer that a row was given, in its task's kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The index of the one label.
    Label(usize),
    /// The index of the one label, which not all annotators chose.
    Contested {
        /// The label's index.
        label: usize,
        /// The share of annotators who chose it, above 0 and below 1.
        agreement: f64,
    },
    /// The indices of all labels that it has, each once and in order.
    Labels(Box<[usize]>),
    /// The number.
    Value(f64),
    /// The index of each word's tag.
    Tags(Vec<usize>),
}

impl Target {
    /// The indices of the labels that the row has; of tags, one for each word.
    pub fn labels(&self) -> &[usize] {
        match self {
            Self::Label(label) | Self::Contested { label, .. } => std::slice::from_ref(label),
            Self::Labels(labels) => labels,
            Self::Tags(tags) => tags,
            Self::Value(_) => &[],
        }
    }

    /// The index of the one label, where the kind has one.
    pub fn label(&self) -> Option<usize> {
        match self {
            Self::Label(label) | Self::Contested { label, .. } => Some(*label),
            Self::Labels(_) | Self::Value(_) | Self::Tags(_) => None,
        }
    }

    /// The number, where the kind has one.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(*value),
            Self::Label(_) | Self::Contested { .. } | Self::Labels(_) | Self::Tags(_) => None,
        }
    }

    /// What is to be answered where heads read: without the tags of words that have no place.
    pub(crate) fn at(&self, places: &[Option<usize>]) -> Self {
        match self {
            Self::Label(_) | Self::Contested { .. } | Self::Labels(_) | Self::Value(_) => self.clone(),
            Self::Tags(tags) => {
                let read = tags.iter().zip(places).filter(|(_, place)| place.is_some());
                Self::Tags(read.map(|(tag, _)| *tag).collect())
            }
        }
    }
}
