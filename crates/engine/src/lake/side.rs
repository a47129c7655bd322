//! The two sides of bounds on the columns of files.

/// Which rows of files a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// All but those that bounds on the files' own columns keep out.
    Inside,
    /// Those.
    Outside,
}
