//! CIFAR-10 as its publisher has it (<https://www.cs.toronto.edu/~kriz/cifar.html>, binary version): a record is the class in a byte and 3,072 bytes
//! of picture, the red plane, the green and the blue; records lie in `data_batch_1.bin` to `data_batch_5.bin` and in `test_batch.bin`, which lie in
//! `cifar-10-binary.tar.gz`.

use std::io::{self, Read};

use super::gzip::{Gzip, is_gzip};
use super::idx::{Idx, bad_file};
use crate::error::{Error, ErrorCode, Result};

/// Height, width and channels of a picture.
pub(super) const SHAPE: &[usize] = &[32, 32, 3];
const PLANE: usize = 32 * 32;
const RECORD: usize = 1 + 3 * PLANE;
/// Size of a tar archive's blocks.
const BLOCK: usize = 512;

/// Pictures `[count, 32, 32, 3]` and their classes.
#[derive(Default)]
struct Batches {
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

/// Pictures and labels of the training part and of the test part, from batches or from the archive, gzipped or not. A part holds at most as many
/// pictures as `counts` says.
pub(super) fn read(files: &[(String, Vec<u8>)], counts: [usize; 2]) -> Result<[[Idx; 2]; 2]> {
    let mut parts = [Batches::default(), Batches::default()];
    // By their names, whatever the order in which they were given; without `sort`, whose code for one more type is long.
    let mut last = "";
    while let Some((file, bytes)) = files.iter().filter(|(file, _)| file.as_str() > last).min_by(|(a, _), (b, _)| a.cmp(b)) {
        last = file;
        let (mut packed, mut plain);
        let from: &mut dyn Read = if is_gzip(bytes) {
            packed = Gzip::new(bytes).map_err(|error| bad_file(file, "gzip", &error.to_string()))?;
            &mut packed
        } else {
            plain = &bytes[..];
            &mut plain
        };
        let mut first = [0; BLOCK];
        let known = fill(file, from, &mut first)?;
        match &first[257..262] {
            b"ustar" => Stream { file, from }.archive(first, &mut parts, counts)?,
            _ => Stream { file, from: &mut (&first[..known]).chain(from) }.batch(file, &mut parts, counts)?,
        }
    }
    if parts[0].labels.is_empty() {
        let file = files.first().map_or("", |(file, _)| file);
        return Err(bad_file(file, "CIFAR-10", "there is no data_batch_1.bin to data_batch_5.bin"));
    }
    Ok(parts.map(|Batches { pixels, labels }| {
        let count = labels.len();
        [Idx { shape: [&[count], SHAPE].concat(), cells: pixels.into() }, Idx { shape: vec![count], cells: labels.into() }]
    }))
}

/// What is left of a file.
struct Stream<'a> {
    file: &'a str,
    from: &'a mut dyn Read,
}

impl Stream<'_> {
    /// The batches of a tar archive, whose first header was read already.
    fn archive(&mut self, mut header: [u8; BLOCK], parts: &mut [Batches; 2], counts: [usize; 2]) -> Result<()> {
        while header[0] != 0 {
            let text = |range: std::ops::Range<usize>| String::from_utf8_lossy(&header[range]).trim_end_matches('\0').trim().to_owned();
            let (name, size) = (text(0..100), u64::from_str_radix(&text(124..136), 8));
            let size = size.map_err(|_| bad_file(self.file, "tar", "it names a file without its size"))?;
            let mut member = (&mut *self.from).take(size);
            if name.ends_with(".bin") {
                let name = name.rsplit('/').next().unwrap_or_default();
                Stream { file: self.file, from: &mut member }.batch(name, parts, counts)?;
            }
            let rest = member.limit() + size.next_multiple_of(BLOCK as u64) - size;
            self.skip(rest)?;
            header = [0; BLOCK];
            fill(self.file, self.from, &mut header)?;
        }
        // To the end, where gzip has its checksum.
        self.skip(u64::MAX)
    }

    /// Leaves out so many bytes, or as many as there are.
    fn skip(&mut self, bytes: u64) -> Result<()> {
        let copied = io::copy(&mut (&mut *self.from).take(bytes), &mut io::sink());
        copied.map(drop).map_err(|error| bad_file(self.file, "gzip", &error.to_string()))
    }

    /// The records of a batch, called `name`, to the end.
    fn batch(&mut self, name: &str, parts: &mut [Batches; 2], counts: [usize; 2]) -> Result<()> {
        let part = usize::from(name.ends_with("test_batch.bin"));
        let Batches { pixels, labels } = &mut parts[part];
        let mut record = [0; RECORD];
        loop {
            match fill(self.file, self.from, &mut record)? {
                0 => return Ok(()),
                RECORD if labels.len() < counts[part] => {}
                RECORD => {
                    return Err(bad_file(self.file, "CIFAR-10", &format!("it holds more than the {} pictures expected", counts[part])));
                }
                read => {
                    let reason = format!("{name} ends after {read} of the {RECORD} bytes of a picture");
                    return Err(bad_file(self.file, "CIFAR-10", &reason));
                }
            }
            let [label, planes @ ..] = &record;
            let room = pixels.try_reserve(planes.len()).and_then(|()| labels.try_reserve(1));
            room.map_err(|_| Error::new(ErrorCode::OutOfMemory, &[("bytes", &pixels.len()), ("what", &self.file)]))?;
            labels.push(*label);
            pixels.extend((0..planes.len()).map(|i| planes[i % 3 * PLANE + i / 3]));
        }
    }
}

/// Fills the buffer as far as the stream goes; how far that was.
fn fill(file: &str, stream: &mut dyn Read, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) => return Err(bad_file(file, "gzip", &error.to_string())),
        }
    }
    Ok(filled)
}
