//! The idx format of MNIST (<http://yann.lecun.com/exdb/mnist/>): two zero bytes, a type, a rank, each size as a big-endian 32-bit number,
//! then the values.

use std::io::Read;

use super::gzip::{Gzip, is_gzip};
use crate::error::{Error, ErrorCode, Result};
use crate::tensor::Cells;

/// The contents of an idx file.
#[derive(Clone, Debug, PartialEq)]
pub struct Idx {
    /// Sizes; the first is the number of examples.
    pub shape: Vec<usize>,
    /// Values: bytes with scale 1, or floats.
    pub cells: Cells,
}

const UNSIGNED_BYTE: u8 = 0x08;
const FLOAT: u8 = 0x0D;

impl Idx {
    /// Reads a file, called `file` in errors. The file must be exactly as long as its header says.
    pub fn parse(file: &str, mut bytes: Vec<u8>) -> Result<Self> {
        let bad = |reason: &str| bad_file(file, "idx", reason);
        let &[zero, also_zero, kind, rank, ..] = &bytes[..] else {
            return Err(bad("it ends within its header"));
        };
        if (zero, also_zero) != (0, 0) || rank == 0 {
            return Err(bad("it does not begin with the magic number"));
        }
        let header = 4 + 4 * usize::from(rank);
        let sizes = bytes.get(4..header).ok_or_else(|| bad("it ends within its header"))?;
        let shape: Vec<usize> =
            sizes.chunks_exact(4).map(|size| size.iter().fold(0, |size, &byte| size << 8 | usize::from(byte))).collect();
        let width = match kind {
            UNSIGNED_BYTE => 1,
            FLOAT => 4,
            other => {
                return Err(bad(&format!(
                    "it holds values of type {other}, and only bytes ({UNSIGNED_BYTE}) and floats ({FLOAT}) can be read"
                )));
            }
        };
        let needed = shape.iter().try_fold(width, |product: usize, &size| product.checked_mul(size));
        let present = bytes.len() - header;
        if needed != Some(present) {
            let needed = needed.map_or("more".to_owned(), |needed| needed.to_string());
            return Err(bad(&format!("a shape of {shape:?} needs {needed} bytes, but {present} follow")));
        }
        let cells = match kind {
            UNSIGNED_BYTE => {
                bytes.drain(..header);
                bytes.into()
            }
            _ => {
                let float = |bytes: &[u8]| f32::from_bits(bytes.iter().fold(0, |word, &byte| word << 8 | u32::from(byte)));
                bytes[header..].chunks_exact(4).map(float).collect::<Vec<f32>>().into()
            }
        };
        Ok(Self { shape, cells })
    }

    /// Number of examples.
    pub fn count(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }
}

/// Unpacks a gzipped file; one that is not gzipped (a server may have unpacked it already) is returned as it is. More than `limit` bytes are
/// an error, so that a small file cannot fill the memory.
pub fn gunzip(file: &str, packed: &[u8], limit: usize) -> Result<Vec<u8>> {
    let bad = |reason: String| bad_file(file, "gzip", &reason);
    let too_long = || bad(format!("it holds more than the {limit} bytes expected"));
    let mut unpacked = Vec::new();
    if !is_gzip(packed) {
        if packed.len() > limit {
            return Err(too_long());
        }
        reserve(file, &mut unpacked, packed.len())?;
        unpacked.extend_from_slice(packed);
        return Ok(unpacked);
    }
    // The last four bytes hold the length modulo 2^32; they may lie, so they are only a hint.
    let hint = packed.last_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length) as usize);
    if hint <= limit {
        reserve(file, &mut unpacked, hint)?;
    }
    let mut decoder = Gzip::new(packed).map_err(|error| bad(error.to_string()))?;
    let mut chunk = vec![0; 1 << 16];
    loop {
        let read = decoder.read(&mut chunk).map_err(|error| bad(error.to_string()))?;
        if read == 0 {
            return Ok(unpacked);
        }
        if unpacked.len() + read > limit {
            return Err(too_long());
        }
        reserve(file, &mut unpacked, read)?;
        unpacked.extend_from_slice(&chunk[..read]);
    }
}

fn reserve(file: &str, buffer: &mut Vec<u8>, more: usize) -> Result<()> {
    let what = format!("the contents of {file}");
    buffer.try_reserve(more).map_err(|_| Error::new(ErrorCode::OutOfMemory, &[("bytes", &more), ("what", &what)]))
}

/// The error of a file that is not what it should be.
pub(super) fn bad_file(file: &str, format: &str, reason: &str) -> Error {
    Error::new(ErrorCode::BadFile, &[("file", &file), ("format", &format), ("reason", &reason)]).at(file)
}
