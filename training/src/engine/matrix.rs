//! Matrix products over slices.

use std::ops::Range;

use gemm::{Parallelism, gemm};

/// Parts of a product for each thread.
const PARTS_PER_THREAD: usize = 4;

/// A matrix inside a slice.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    shape: Shape,
}

/// A matrix inside a slice, to be written.
pub(super) struct MatrixMut<'a> {
    values: &'a mut [f32],
    shape: Shape,
}

#[derive(Clone, Copy)]
struct Shape {
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl Shape {
    /// A slice must hold at least this many values.
    fn extent(self) -> usize {
        if self.rows == 0 || self.columns == 0 {
            return 0;
        }
        (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride + 1
    }
}

/// What happens to the target's old values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// They are replaced.
    Set,
    /// They are added to.
    Add,
}

/// Who computes a product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// The calling thread.
    One,
    /// The whole pool.
    All,
}

impl<'a> Matrix<'a> {
    /// A row-major matrix whose rows are `columns` long.
    pub(super) fn new(values: &'a [f32], columns: usize) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        Self::strided(values, rows, columns, columns)
    }

    /// A matrix whose rows begin `row_stride` apart.
    pub(super) fn strided(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        let shape = Shape { rows, columns, row_stride, column_stride: 1 };
        assert!(values.len() >= shape.extent(), "matrix reaches beyond its slice");
        Self { values, shape }
    }

    /// Rows for columns.
    pub(super) fn transposed(self) -> Self {
        let Shape { rows, columns, row_stride, column_stride } = self.shape;
        let shape = Shape { rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride };
        Self { values: self.values, shape }
    }

    /// These rows alone.
    pub(super) fn rows(self, rows: Range<usize>) -> Self {
        assert!(rows.end <= self.shape.rows, "there are no such rows");
        let shape = Shape { rows: rows.len(), ..self.shape };
        let first = (rows.start * shape.row_stride).min(self.values.len());
        Self { values: &self.values[first..], shape }
    }

    /// How many columns there are.
    pub(super) fn columns(self) -> usize {
        self.shape.columns
    }
}

impl<'a> MatrixMut<'a> {
    /// A row-major matrix whose rows are `columns` long.
    pub(super) fn new(values: &'a mut [f32], columns: usize) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        Self::strided(values, rows, columns, columns)
    }

    /// A matrix whose rows begin `row_stride` apart.
    pub(super) fn strided(values: &'a mut [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        let shape = Shape { rows, columns, row_stride, column_stride: 1 };
        assert!(values.len() >= shape.extent(), "matrix reaches beyond its slice");
        Self { values, shape }
    }
}

/// `target = left · right · scale`, or `target += left · right · scale`.
pub(super) fn multiply(
    target: &mut MatrixMut<'_>,
    mode: Target,
    left: Matrix<'_>,
    right: Matrix<'_>,
    scale: f32,
    threads: Threads,
) {
    let (m, n, k) = (target.shape.rows, target.shape.columns, left.shape.columns);
    assert!(left.shape.rows == m && right.shape.rows == k && right.shape.columns == n, "matrix shapes do not fit");
    if m == 0 || n == 0 {
        return;
    }
    let parallelism = match threads {
        Threads::One => Parallelism::None,
        // More parts than threads: a thread that other programs hold up leaves its parts to the others.
        Threads::All => Parallelism::Rayon(PARTS_PER_THREAD * rayon::current_num_threads()),
    };
    // SAFETY: the constructors checked that each matrix lies inside its slice, the shapes fit (asserted above), and the
    // target is borrowed mutably, so it overlaps neither factor.
    unsafe {
        gemm(
            m,
            n,
            k,
            target.values.as_mut_ptr(),
            target.shape.column_stride as isize,
            target.shape.row_stride as isize,
            mode == Target::Add,
            left.values.as_ptr(),
            left.shape.column_stride as isize,
            left.shape.row_stride as isize,
            right.values.as_ptr(),
            right.shape.column_stride as isize,
            right.shape.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(threads: Threads) {
        let (m, n, k) = (5, 7, 3);
        let left: Vec<f32> = (0..m * k).map(|index| index as f32 * 0.5 - 2.0).collect();
        let right: Vec<f32> = (0..n * k).map(|index| 1.0 - index as f32 * 0.25).collect();
        let mut target = vec![1.0; m * n];
        let right_transposed = Matrix::new(&right, k).transposed();
        multiply(
            &mut MatrixMut::new(&mut target, n),
            Target::Add,
            Matrix::new(&left, k),
            right_transposed,
            2.0,
            threads,
        );
        for row in 0..m {
            for column in 0..n {
                let product: f32 = (0..k).map(|inner| left[row * k + inner] * right[column * k + inner]).sum();
                assert!((target[row * n + column] - (1.0 + 2.0 * product)).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn products_are_right_on_one_thread_and_on_all() {
        check(Threads::One);
        check(Threads::All);
    }

    #[test]
    #[should_panic(expected = "shapes do not fit")]
    fn unfit_shapes_are_refused() {
        let values = [0.0; 6];
        let factor = Matrix::new(&values, 2);
        multiply(&mut MatrixMut::new(&mut [0.0; 9], 3), Target::Set, factor, factor, 1.0, Threads::One);
    }
}
