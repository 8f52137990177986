//! Large buffers that are used again in the next step instead of being freed and zeroed.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More free buffers than this are not kept.
const KEPT: usize = 96;

/// A pool of buffers.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Vec<Vec<f32>>>>);

/// A buffer with arbitrary content; goes back to its pool when it is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    values: Vec<f32>,
    pool: Pool,
}

impl Pool {
    /// A buffer of this length.
    pub(super) fn take(&self, length: usize) -> Buffer {
        let mut free = self.lock();
        let fitting = (0..free.len())
            .filter(|index| free[*index].capacity() >= length)
            .min_by_key(|index| free[*index].capacity());
        let mut values = match fitting {
            Some(index) => free.swap_remove(index),
            // Batches differ in length: a quarter more makes the next one fit too.
            None => Vec::with_capacity(length + length / 4),
        };
        drop(free);
        values.resize(length, 0.0);
        Buffer { values, pool: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<f32>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self.pool.lock();
        if free.len() < KEPT {
            free.push(std::mem::take(&mut self.values));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_used_again() {
        let pool = Pool::default();
        let first = pool.take(100);
        let address = first.as_ptr();
        drop(first);
        assert_eq!(pool.take(90).as_ptr(), address);
        assert_eq!(pool.take(1000).len(), 1000);
    }
}
