//! What a row's head should answer.

/// The answer that a row was given, in its task's kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The index of the one label.
    Label(usize),
    /// The index of each word's tag.
    Tags(Vec<usize>),
}

impl Target {
    /// The indices of the labels that the row has; of tags, one for each word.
    pub fn labels(&self) -> &[usize] {
        match self {
            Self::Label(label) => std::slice::from_ref(label),
            Self::Tags(tags) => tags,
        }
    }

    /// The index of the one label, where the kind has one.
    pub fn label(&self) -> Option<usize> {
        match self {
            Self::Label(label) => Some(*label),
            Self::Tags(_) => None,
        }
    }

    /// What is to be answered where heads read: without the tags of words that have no place.
    pub(crate) fn at(&self, places: &[Option<usize>]) -> Self {
        match self {
            Self::Label(label) => Self::Label(*label),
            Self::Tags(tags) => {
                let read = tags.iter().zip(places).filter(|(_, place)| place.is_some());
                Self::Tags(read.map(|(tag, _)| *tag).collect())
            }
        }
    }
}
