//! The idx format of MNIST: `0 0 kind rank`, each size as a big-endian u32, the values: unsigned bytes (kind 8) or big-endian floats (kind 13).

use crate::error::{Error, Result};

const BYTES: u8 = 8;
const FLOATS: u8 = 13;

/// Writes values of the given shape.
pub fn encode(shape: &[usize], values: &[u8]) -> Vec<u8> {
    [&header(BYTES, shape), values].concat()
}

/// Writes floats of the given shape.
pub fn encode_floats(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
    [header(FLOATS, shape), bytes].concat()
}

/// The values of a file of bytes, which must be of exactly the given shape.
pub fn values<'a>(file: &'a [u8], shape: &[usize]) -> Result<&'a [u8]> {
    body(file, BYTES, shape, 1)
}

/// The values of a file of floats, which must be of exactly the given shape.
pub fn floats(file: &[u8], shape: &[usize]) -> Result<Vec<f32>> {
    let bytes = body(file, FLOATS, shape, 4)?;
    Ok(bytes.chunks_exact(4).map(|word| f32::from_be_bytes([word[0], word[1], word[2], word[3]])).collect())
}

fn body<'a>(file: &'a [u8], kind: u8, shape: &[usize], width: usize) -> Result<&'a [u8]> {
    let values = file.strip_prefix(header(kind, shape).as_slice());
    let values = values.ok_or_else(|| Error::new(format!("an idx file does not begin as one of shape {shape:?} does")))?;
    let wanted = shape.iter().product::<usize>() * width;
    if values.len() == wanted {
        Ok(values)
    } else {
        Err(Error::new(format!("an idx file of shape {shape:?} holds {} bytes, not {wanted}", values.len())))
    }
}

fn header(kind: u8, shape: &[usize]) -> Vec<u8> {
    // Shapes are constants of a few dimensions, each far below 2^32.
    let mut header = vec![0, 0, kind, shape.len() as u8];
    header.extend(shape.iter().flat_map(|&size| (size as u32).to_be_bytes()));
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        let file = encode(&[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        assert_eq!(values(&file, &[2, 1, 3]).ok(), Some([1, 2, 3, 4, 5, 6].as_slice()));
        assert!(values(&file, &[2, 3, 1]).is_err());
        assert!(values(&file[..file.len() - 1], &[2, 1, 3]).is_err());
        assert!(values(&[], &[1]).is_err());
        let file = encode_floats(&[2, 1], &[1.5, -0.25]);
        assert_eq!(floats(&file, &[2, 1]).ok(), Some(vec![1.5, -0.25]));
        assert!(values(&file, &[2, 1]).is_err() && floats(&file, &[1, 2, 1]).is_err());
    }
}
