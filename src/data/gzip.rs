//! Gzip (RFC 1952): the header, the contents as `miniz_oxide` inflates them, and the check of what came out. The crate that is mostly taken for the frame
//! brings 16 KB of tables for that check, which do not compress.

use std::io::{self, Read};

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};

/// Reads what is packed.
pub(super) struct Gzip<'a> {
    packed: &'a [u8],
    state: Box<InflateState>,
    crc: u32,
    length: u32,
    ended: bool,
}

fn broken(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Whether these bytes begin as a gzipped file does.
pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1F, 0x8B])
}

impl<'a> Gzip<'a> {
    /// Goes past the header.
    pub fn new(packed: &'a [u8]) -> io::Result<Self> {
        const CHECK: u8 = 2;
        const EXTRA: u8 = 4;
        const NAME: u8 = 8;
        const COMMENT: u8 = 16;
        let short = || broken("its header is cut off");
        let (header, mut rest) = packed.split_first_chunk::<10>().ok_or_else(short)?;
        if !is_gzip(header) || header[2] != 8 {
            return Err(broken("its header is not gzip's"));
        }
        let flags = header[3];
        if flags & EXTRA != 0 {
            let (length, behind) = rest.split_first_chunk::<2>().ok_or_else(short)?;
            rest = behind.get(usize::from(u16::from_le_bytes(*length))..).ok_or_else(short)?;
        }
        for text in [NAME, COMMENT] {
            if flags & text != 0 {
                let end = rest.iter().position(|&byte| byte == 0).ok_or_else(short)?;
                rest = &rest[end + 1..];
            }
        }
        if flags & CHECK != 0 {
            rest = rest.get(2..).ok_or_else(short)?;
        }
        Ok(Self { packed: rest, state: InflateState::new_boxed(DataFormat::Raw), crc: 0, length: 0, ended: false })
    }
}

impl Read for Gzip<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ended || out.is_empty() {
            return Ok(0);
        }
        let done = inflate(&mut self.state, self.packed, out, MZFlush::None);
        self.packed = &self.packed[done.bytes_consumed..];
        let made = &out[..done.bytes_written];
        self.crc = crc32(self.crc, made);
        self.length = self.length.wrapping_add(made.len() as u32);
        match done.status {
            Ok(MZStatus::StreamEnd) => {
                self.ended = true;
                let trailer = self.packed.first_chunk::<8>().ok_or_else(|| broken("its end is cut off"))?;
                if u64::from_le_bytes(*trailer) != u64::from(self.length) << 32 | u64::from(self.crc) {
                    return Err(broken("its contents do not agree with their checksum"));
                }
            }
            Ok(_) if !made.is_empty() || done.bytes_consumed > 0 => {}
            _ if !made.is_empty() => {}
            _ if self.packed.is_empty() => return Err(broken("it is cut off")),
            _ => return Err(broken("its contents are damaged")),
        }
        Ok(made.len())
    }
}

/// CRC-32 of what was before and of these bytes, four bits at a time.
fn crc32(before: u32, bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut k = 0;
        while k < 16 {
            let mut value = k as u32;
            let mut bit = 0;
            while bit < 4 {
                value = if value & 1 == 1 { value >> 1 ^ 0xEDB8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[k] = value;
            k += 1;
        }
        table
    };
    let step = |crc: u32, four: u32| crc >> 4 ^ TABLE[((crc ^ four) & 15) as usize];
    !bytes.iter().fold(!before, |crc, &byte| step(step(crc, u32::from(byte)), u32::from(byte) >> 4))
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(0, b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(crc32(0, b"1234"), b"56789"), 0xCBF4_3926);
    }
}
