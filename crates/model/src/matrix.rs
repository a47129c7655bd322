//! A table of numbers: customers as rows, named features as columns.
//!
//! Stored by column, because that is how engines deliver features and how the passes over many customers read them.
//! A [`Matrix`] owns its columns or borrows them; a borrowed one costs one pointer a column.
//! Rows have no names here: whoever builds a matrix keeps the customers' keys in the same order.

use std::borrow::Cow;

/// `rows()` x `width()` numbers, f64, column by column. NaN stands for a missing value wherever missing values are allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix<'a> {
    names: Vec<String>,
    columns: Vec<Cow<'a, [f64]>>,
    rows: usize,
}

/// Why numbers do not make a [`Matrix`], or a column cannot be taken from one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatrixError {
    /// There are no columns.
    #[error("a matrix needs at least one column; none was given")]
    NoColumns,
    /// The number of names is not the number of columns.
    #[error("{names} column names were given for {columns} columns; give each column one name")]
    NameCount {
        /// Names given.
        names: usize,
        /// Columns given.
        columns: usize,
    },
    /// A column is longer or shorter than the first.
    #[error(
        "column `{column}` has {rows} rows, but the first column has {expected}; all columns must cover the same customers"
    )]
    Ragged {
        /// The column that differs.
        column: String,
        /// Its length.
        rows: usize,
        /// The length of the first column.
        expected: usize,
    },
    /// Two columns have the same name.
    #[error("column `{column}` is given twice; columns are found by name, so names must differ")]
    DuplicateName {
        /// The repeated name.
        column: String,
    },
    /// A column is asked for that does not exist.
    #[error("there is no column `{column}`; the columns are {}", available.join(", "))]
    UnknownColumn {
        /// The name asked for.
        column: String,
        /// The names that exist.
        available: Vec<String>,
    },
}

impl<'a> Matrix<'a> {
    /// A matrix from columns that are owned or borrowed, all of the same length, with names that differ.
    ///
    /// # Errors
    /// No columns, a wrong number of names, columns of different length, a name given twice.
    pub fn new(names: Vec<String>, columns: Vec<Cow<'a, [f64]>>) -> Result<Self, MatrixError> {
        if names.len() != columns.len() {
            return Err(MatrixError::NameCount {
                names: names.len(),
                columns: columns.len(),
            });
        }
        let rows = columns.first().ok_or(MatrixError::NoColumns)?.len();
        for (position, (name, column)) in names.iter().zip(&columns).enumerate() {
            if column.len() != rows {
                return Err(MatrixError::Ragged {
                    column: name.clone(),
                    rows: column.len(),
                    expected: rows,
                });
            }
            if names[..position].contains(name) {
                return Err(MatrixError::DuplicateName {
                    column: name.clone(),
                });
            }
        }
        Ok(Self {
            names,
            columns,
            rows,
        })
    }

    /// A matrix that owns its columns.
    ///
    /// # Errors
    /// As [`Matrix::new`].
    pub fn from_columns(names: Vec<String>, columns: Vec<Vec<f64>>) -> Result<Self, MatrixError> {
        Self::new(names, columns.into_iter().map(Cow::Owned).collect())
    }

    /// A matrix over columns that live elsewhere, without copying them.
    ///
    /// # Errors
    /// As [`Matrix::new`].
    pub fn borrowed(names: Vec<String>, columns: Vec<&'a [f64]>) -> Result<Self, MatrixError> {
        Self::new(names, columns.into_iter().map(Cow::Borrowed).collect())
    }

    /// A matrix of columns known to be as long as `rows` and differently named.
    pub(crate) fn of_equal_columns(
        names: Vec<String>,
        columns: Vec<Cow<'a, [f64]>>,
        rows: usize,
    ) -> Self {
        debug_assert!(columns.iter().all(|column| column.len() == rows));
        Self {
            names,
            columns,
            rows,
        }
    }

    /// Number of rows (customers).
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns (features).
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Names of the columns, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The columns, in order.
    pub fn columns(&self) -> Vec<&[f64]> {
        self.columns.iter().map(Cow::as_ref).collect()
    }

    /// The column at a position below `width()`.
    pub fn column(&self, position: usize) -> &[f64] {
        &self.columns[position]
    }

    /// The column of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn column_named(&self, name: &str) -> Result<&[f64], MatrixError> {
        let position = self.names.iter().position(|n| n == name);
        position
            .map(|p| self.column(p))
            .ok_or_else(|| MatrixError::UnknownColumn {
                column: name.to_owned(),
                available: self.names.clone(),
            })
    }

    /// The same matrix, borrowed.
    pub fn view(&self) -> Matrix<'_> {
        let columns = self
            .columns
            .iter()
            .map(|c| Cow::Borrowed(c.as_ref()))
            .collect();
        Matrix {
            names: self.names.clone(),
            columns,
            rows: self.rows,
        }
    }

    /// A view of some columns, in the order asked for.
    ///
    /// # Errors
    /// An unknown name, a name given twice, or no names.
    pub fn select(&self, names: &[&str]) -> Result<Matrix<'_>, MatrixError> {
        let columns = names
            .iter()
            .map(|name| self.column_named(name))
            .collect::<Result<Vec<_>, _>>()?;
        Matrix::borrowed(names.iter().map(|&name| name.to_owned()).collect(), columns)
    }

    /// The rows at these positions (each below `rows()`, repeats allowed), in that order.
    pub fn gather(&self, rows: &[usize]) -> Matrix<'static> {
        let take =
            |column: &Cow<'_, [f64]>| Cow::Owned(rows.iter().map(|&row| column[row]).collect());
        Matrix {
            names: self.names.clone(),
            columns: self.columns.iter().map(take).collect(),
            rows: rows.len(),
        }
    }

    /// One row, below `rows()`.
    pub fn row(&self, row: usize) -> Vec<f64> {
        self.columns.iter().map(|column| column[row]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<String> {
        names.iter().map(|&n| n.to_owned()).collect()
    }

    #[test]
    fn columns_are_found_by_name_and_rows_by_position() {
        let matrix = Matrix::from_columns(
            named(&["a", "b"]),
            vec![vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0]],
        )
        .unwrap();
        assert_eq!((matrix.rows(), matrix.width()), (3, 2));
        let view = matrix.select(&["b"]).unwrap();
        assert_eq!(view.column(0), [4.0, 5.0, 6.0]);
        assert_eq!(matrix.gather(&[2, 0, 2]).column(0), [3.0, 1.0, 3.0]);
        assert_eq!(matrix.row(1), [2.0, 5.0]);
        assert_eq!(matrix.view(), matrix);
    }

    #[test]
    fn what_is_no_matrix_is_refused_with_the_column() {
        let ragged = Matrix::from_columns(named(&["a", "b"]), vec![vec![1.0], vec![]]).unwrap_err();
        assert_eq!(
            ragged,
            MatrixError::Ragged {
                column: "b".into(),
                rows: 0,
                expected: 1
            }
        );
        let twice =
            Matrix::from_columns(named(&["a", "a"]), vec![vec![1.0], vec![2.0]]).unwrap_err();
        assert_eq!(twice, MatrixError::DuplicateName { column: "a".into() });
        assert_eq!(
            Matrix::from_columns(vec![], vec![]).unwrap_err(),
            MatrixError::NoColumns
        );
        let count = Matrix::from_columns(named(&["a"]), vec![]).unwrap_err();
        assert_eq!(
            count,
            MatrixError::NameCount {
                names: 1,
                columns: 0
            }
        );
        let matrix = Matrix::from_columns(named(&["a"]), vec![vec![1.0]]).unwrap();
        assert_eq!(
            matrix.select(&["z"]).unwrap_err().to_string(),
            "there is no column `z`; the columns are a"
        );
    }
}
