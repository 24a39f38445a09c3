//! The idx format of MNIST, unsigned bytes only: `0 0 8 rank`, each size as a big-endian u32, the values.

use crate::error::{Error, Result};

/// Writes values of the given shape.
pub fn encode(shape: &[usize], values: &[u8]) -> Vec<u8> {
    let mut file = header(shape);
    file.extend_from_slice(values);
    file
}

/// The values of a file, which must be of exactly the given shape.
pub fn values<'a>(file: &'a [u8], shape: &[usize]) -> Result<&'a [u8]> {
    let values = file.strip_prefix(header(shape).as_slice());
    let values = values.ok_or_else(|| Error::new(format!("an idx file does not begin as one of shape {shape:?} does")))?;
    let wanted: usize = shape.iter().product();
    if values.len() == wanted {
        Ok(values)
    } else {
        Err(Error::new(format!("an idx file of shape {shape:?} holds {} values, not {wanted}", values.len())))
    }
}

fn header(shape: &[usize]) -> Vec<u8> {
    // Shapes are constants of a few dimensions, each far below 2^32.
    let mut header = vec![0, 0, 8, shape.len() as u8];
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
    }
}
