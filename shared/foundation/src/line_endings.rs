//! Lines that end with CR LF, as spreadsheets write them, read as if they ended with LF.
//!
//! A CSV reader takes the CR for the end of a row and the LF for the beginning of the next, whose line it then counts one too low.

use std::io::{BufRead, Read, Result};

/// A reader that leaves out each CR that an LF follows.
#[derive(Debug)]
pub struct UnixLines<R> {
    input: R,
    /// A CR has been taken of which it is not known yet what follows.
    pending: bool,
}

impl<R: BufRead> UnixLines<R> {
    /// Reads from here on.
    pub fn new(input: R) -> Self {
        Self { input, pending: false }
    }
}

impl<R: BufRead> Read for UnixLines<R> {
    fn read(&mut self, target: &mut [u8]) -> Result<usize> {
        if target.is_empty() {
            return Ok(0);
        }
        loop {
            let input = self.input.fill_buf()?;
            if std::mem::take(&mut self.pending) && input.first() != Some(&b'\n') {
                target[0] = b'\r';
                return Ok(1);
            }
            let length = input.len().min(target.len());
            let plain = input[..length].iter().position(|byte| *byte == b'\r').unwrap_or(length);
            if plain > 0 || length == 0 {
                target[..plain].copy_from_slice(&input[..plain]);
                self.input.consume(plain);
                return Ok(plain);
            }
            self.input.consume(1);
            self.pending = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], at_once: usize, target: usize) -> Vec<u8> {
        let mut reader = UnixLines::new(BufReader::with_capacity(at_once, bytes));
        let (mut all, mut buffer) = (Vec::new(), vec![0; target]);
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => return all,
                length => all.extend_from_slice(&buffer[..length]),
            }
        }
    }

    #[test]
    fn only_a_cr_before_an_lf_goes() {
        assert_eq!(read(b"a\r\nb\rc\n\r\n\r\r\nd\r", 3, 2), b"a\nb\rc\n\n\r\nd\r");
        assert_eq!(UnixLines::new(&b"a"[..]).read(&mut []).unwrap(), 0);
    }

    proptest! {
        #[test]
        fn wherever_buffers_end(
            text in "[ab\r\n]{0,40}", at_once in 1usize..9, target in 1usize..9,
        ) {
            prop_assert_eq!(read(text.as_bytes(), at_once, target), text.replace("\r\n", "\n").into_bytes());
        }
    }
}
