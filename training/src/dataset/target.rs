//! What a row's head should answer.

/// The answer that a row was given, in its task's kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The index of the one label.
    Label(usize),
}

impl Target {
    /// The indices of the labels that the row has.
    pub fn labels(&self) -> &[usize] {
        match self {
            Self::Label(label) => std::slice::from_ref(label),
        }
    }

    /// The index of the one label, where the kind has one.
    pub fn label(&self) -> Option<usize> {
        match self {
            Self::Label(label) => Some(*label),
        }
    }
}
