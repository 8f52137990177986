//! ClickHouse's own compressed frames: `decompress=1` on what comes in, `compress=1` on what goes out.
//!
//! A frame is a CityHash128 (version 1.0.2, its halves swapped) of all that follows, a method byte, the length of the frame
//! without the checksum, the length of the content, and the compressed content; all numbers little-endian.

use bytes::{Buf as _, Bytes, BytesMut};
use cityhash_rs::cityhash_102_128;
use lz4_flex::block;

use super::exception::{Exception, codes};

const CHECKSUM: usize = 16;
const HEADER: usize = 9;
const METHOD_LZ4: u8 = 0x82;
const METHOD_NONE: u8 = 0x02;

/// Takes frames apart as they arrive.
pub(super) struct FrameReader {
    pending: BytesMut,
    /// The most content that may still come.
    budget: usize,
}

impl FrameReader {
    pub(super) fn new(content_limit: usize) -> Self {
        Self { pending: BytesMut::new(), budget: content_limit }
    }

    /// Adds what arrived and gives the contents of the frames that are whole now.
    pub(super) fn push(&mut self, arrived: &[u8]) -> Result<Vec<Bytes>, Exception> {
        self.pending.extend_from_slice(arrived);
        let mut contents = Vec::new();
        while let Some(content) = self.next()? {
            contents.push(content);
        }
        Ok(contents)
    }

    /// Refuses a body that ends in the middle of a frame.
    pub(super) fn finish(self) -> Result<(), Exception> {
        if self.pending.is_empty() {
            return Ok(());
        }
        Err(Exception::new(
            codes::CANNOT_READ_ALL_DATA,
            "Cannot read all data: the body ends within a compressed frame",
        ))
    }

    fn next(&mut self) -> Result<Option<Bytes>, Exception> {
        let Some(mut header) = self.pending.get(CHECKSUM..CHECKSUM + HEADER) else {
            return Ok(None);
        };
        let method = header.get_u8();
        let (compressed, plain) = (header.get_u32_le() as usize, header.get_u32_le() as usize);
        if compressed < HEADER || plain > self.budget || compressed > block::get_maximum_output_size(plain) + HEADER {
            let message = format!("A compressed frame of {compressed} bytes for {plain} is malformed or too large");
            return Err(Exception::new(codes::TOO_MANY_BYTES, message));
        }
        if self.pending.len() < CHECKSUM + compressed {
            return Ok(None);
        }
        let frame = self.pending.split_to(CHECKSUM + compressed);
        let (checksum, body) = frame.split_at(CHECKSUM);
        if checksum != checksum_of(body) {
            let message = "Checksum doesn't match: corrupted data in a compressed frame";
            return Err(Exception::new(codes::CHECKSUM_DOESNT_MATCH, message));
        }
        let content = match method {
            METHOD_NONE => Bytes::copy_from_slice(&body[HEADER..]),
            METHOD_LZ4 => {
                let mut content = vec![0; plain];
                match block::decompress_into(&body[HEADER..], &mut content) {
                    Ok(length) if length == plain => Bytes::from(content),
                    _ => return Err(Exception::new(codes::CANNOT_DECOMPRESS, "Cannot decompress LZ4-encoded data")),
                }
            }
            other => {
                let message = format!("Unknown codec {other:#04x}: frames are LZ4 (0x82) or plain (0x02) here");
                return Err(Exception::new(codes::UNKNOWN_CODEC, message));
            }
        };
        self.budget -= content.len().min(self.budget);
        Ok(Some(content))
    }
}

/// One LZ4 frame around this content.
pub(super) fn frame(content: &[u8]) -> Bytes {
    let mut frame = vec![0; CHECKSUM + HEADER + block::get_maximum_output_size(content.len())];
    // The buffer has the most that the compressor may need.
    let written = block::compress_into(content, &mut frame[CHECKSUM + HEADER..]).unwrap_or_default();
    frame.truncate(CHECKSUM + HEADER + written);
    frame[CHECKSUM] = METHOD_LZ4;
    frame[CHECKSUM + 1..CHECKSUM + 5].copy_from_slice(&((HEADER + written) as u32).to_le_bytes());
    frame[CHECKSUM + 5..CHECKSUM + HEADER].copy_from_slice(&(content.len() as u32).to_le_bytes());
    let checksum = checksum_of(&frame[CHECKSUM..]);
    frame[..CHECKSUM].copy_from_slice(&checksum);
    Bytes::from(frame)
}

fn checksum_of(body: &[u8]) -> [u8; CHECKSUM] {
    cityhash_102_128(body).rotate_right(64).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8], step: usize) -> Result<Vec<u8>, Exception> {
        let mut reader = FrameReader::new(1 << 20);
        let mut content = Vec::new();
        for piece in bytes.chunks(step) {
            for part in reader.push(piece)? {
                content.extend_from_slice(&part);
            }
        }
        reader.finish().map(|()| content)
    }

    proptest! {
        #[test]
        fn frames_read_as_written(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5), step in 1usize..64) {
            let wire: Vec<u8> = parts.iter().flat_map(|part| frame(part)).collect();
            prop_assert_eq!(read(&wire, step).unwrap(), parts.concat());
        }

        #[test]
        fn no_changed_byte_passes(content in prop::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>(), flip in 1u8..) {
            let mut wire = frame(&content).to_vec();
            let at = at.index(wire.len());
            wire[at] ^= flip;
            prop_assert!(read(&wire, 1000).is_err());
        }
    }

    #[test]
    fn a_cut_frame_and_a_bomb_are_refused() {
        let wire = frame(b"hello");
        assert_eq!(read(&wire[..wire.len() - 1], 100).unwrap_err().code, 33);
        let bomb = frame(&vec![0; 2 << 20]);
        assert_eq!(read(&bomb, 100).unwrap_err().code, 307);
    }

    #[test]
    fn agrees_with_the_client_library() {
        // A frame of the `clickhouse` crate's own test: one row of RowBinaryWithNamesAndTypes.
        let content = [1, 0, 2, 255, 255, 255, 255, 0, 1, 1, 1, 115, 6, 83, 116, 114, 105, 110, 103, 3, 97, 98, 99];
        let wire = [
            245, 5, 222, 235, 225, 158, 59, 108, 225, 31, 65, 215, 66, 66, 36, 92, 130, 34, 0, 0, 0, 23, 0, 0, 0, 240,
            8, 1, 0, 2, 255, 255, 255, 255, 0, 1, 1, 1, 115, 6, 83, 116, 114, 105, 110, 103, 3, 97, 98, 99,
        ];
        assert_eq!(read(&wire, 7).unwrap(), content);
        assert_eq!(frame(&content), wire.as_slice());
    }
}
