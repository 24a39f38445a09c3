//! What the three convolutions share: their extents, and where windows lie in memory.

use super::scratch::grown;
use super::tile::TILE_ROWS;

/// Extents of a two-dimensional convolution: input [N, H, W, C], kernel [KH, KW, C / groups, F], output [N, OH, OW, F].
///
/// Output (oy, ox) reads input (oy · stride\[0\] − pad_top + ky · dilation\[0\], ...), zero outside the image. Padding below and to the right
/// follows from the output's extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// N.
    pub batch: usize,
    /// H.
    pub in_h: usize,
    /// W.
    pub in_w: usize,
    /// C.
    pub in_c: usize,
    /// OH.
    pub out_h: usize,
    /// OW.
    pub out_w: usize,
    /// F.
    pub out_c: usize,
    /// KH.
    pub k_h: usize,
    /// KW.
    pub k_w: usize,
    /// From a window to the next, down and to the right.
    pub stride: [usize; 2],
    /// Rows of zeros above the image.
    pub pad_top: usize,
    /// Columns of zeros left of the image.
    pub pad_left: usize,
    /// From an element of a window to the next, down and to the right.
    pub dilation: [usize; 2],
    /// Groups of channels: group g of the outputs reads group g of the inputs alone.
    pub groups: usize,
}

impl ConvShape {
    /// Elements of the input.
    pub fn x_len(&self) -> usize {
        self.batch * self.in_h * self.in_w * self.in_c
    }

    /// Elements of the kernel.
    pub fn w_len(&self) -> usize {
        self.k_h * self.k_w * self.group_in() * self.out_c
    }

    /// Elements of the output.
    pub fn y_len(&self) -> usize {
        self.batch * self.out_h * self.out_w * self.out_c
    }

    /// Input channels of a group.
    pub(super) fn group_in(&self) -> usize {
        self.in_c / self.groups
    }

    /// Output channels of a group.
    pub(super) fn group_out(&self) -> usize {
        self.out_c / self.groups
    }

    /// Products that make an output element.
    pub(super) fn depth(&self) -> usize {
        self.k_h * self.k_w * self.group_in()
    }

    /// Panics where extents cannot be those of a convolution, or slices are not of these extents.
    pub(super) fn check(&self, x: usize, w: usize, y: usize) {
        assert!(self.groups > 0 && self.in_c.is_multiple_of(self.groups) && self.out_c.is_multiple_of(self.groups), "groups: {self:?}");
        assert!(self.stride.iter().chain(&self.dilation).all(|&s| s > 0), "strides and dilations are at least 1: {self:?}");
        assert_eq!(x, self.x_len(), "input of {self:?}");
        assert_eq!(w, self.w_len(), "kernel of {self:?}");
        assert_eq!(y, self.y_len(), "output of {self:?}");
    }

    /// No element to compute from or to compute.
    pub(super) fn is_empty(&self) -> bool {
        self.x_len() == 0 || self.w_len() == 0 || self.y_len() == 0
    }

    /// Rows and columns, padding included, from the first that a window reads to the last.
    pub(super) fn reach(&self) -> [usize; 2] {
        let along = |axis: usize, windows: usize, taps: usize| (windows - 1) * self.stride[axis] + (taps - 1) * self.dilation[axis] + 1;
        [along(0, self.out_h, self.k_h), along(1, self.out_w, self.k_w)]
    }

    /// Whether a window reads padding.
    pub fn reaches_outside(&self) -> bool {
        let [h, w] = self.reach();
        self.pad_top > 0 || self.pad_left > 0 || h > self.in_h || w > self.in_w
    }

    /// Depthwise: every channel by itself.
    pub(super) fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.group_in() == 1 && self.group_out() == 1
    }
}

/// The images that windows are read from: the input itself where every window lies inside it, otherwise a padded copy of some images at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub h: usize,
    pub w: usize,
    pub padded: bool,
}

/// Elements of padded images to hold at a time: 256 KiB.
const FRAME_ELEMENTS: usize = 1 << 16;

impl Frame {
    pub fn new(s: &ConvShape) -> Frame {
        let [h, w] = s.reach();
        if s.reaches_outside() { Frame { h, w, padded: true } } else { Frame { h: s.in_h, w: s.in_w, padded: false } }
    }

    /// Elements of one image.
    pub fn image(&self, s: &ConvShape) -> usize {
        self.h * self.w * s.in_c
    }

    /// Images to work on at a time.
    pub fn images_at_once(&self, s: &ConvShape) -> usize {
        if self.padded { (FRAME_ELEMENTS / self.image(s)).clamp(1, s.batch) } else { s.batch }
    }

    /// Images `from..from + images` of the input `x`, copied into `buffer` if they need padding.
    pub fn read<'a>(&self, s: &ConvShape, x: &'a [f32], from: usize, images: usize, buffer: &'a mut Vec<f32>) -> &'a [f32] {
        let x = &x[from * s.in_h * s.in_w * s.in_c..][..images * s.in_h * s.in_w * s.in_c];
        if !self.padded {
            return x;
        }
        let frame = grown(buffer, images * self.image(s));
        frame.fill(0.0);
        self.rows(s, images, |row_of_frame, row_of_x, len| {
            frame[row_of_frame..][..len].copy_from_slice(&x[row_of_x..][..len]);
        });
        frame
    }

    /// The reverse of `read`: the part of padded images that is the input's; `dx` outside of it is zeroed.
    pub fn crop(&self, s: &ConvShape, frame: &[f32], dx: &mut [f32], images: usize) {
        dx.fill(0.0);
        self.rows(s, images, |row_of_frame, row_of_x, len| {
            dx[row_of_x..][..len].copy_from_slice(&frame[row_of_frame..][..len]);
        });
    }

    /// Calls `row(offset in the frame, offset in the input, length)` for each row that padded images share with the input.
    fn rows(&self, s: &ConvShape, images: usize, mut row: impl FnMut(usize, usize, usize)) {
        let (h, w) = (s.in_h.min(self.h.saturating_sub(s.pad_top)), s.in_w.min(self.w.saturating_sub(s.pad_left)));
        if w == 0 {
            return;
        }
        for n in 0..images {
            for y in 0..h {
                let to = ((n * self.h + y + s.pad_top) * self.w + s.pad_left) * s.in_c;
                row(to, (n * s.in_h + y) * s.in_w * s.in_c, w * s.in_c);
            }
        }
    }
}

/// Where a window's elements lie, relative to its first: runs of neighbours.
#[derive(Clone, Debug)]
pub(super) struct Runs {
    /// Start of each run.
    pub starts: Vec<usize>,
    /// Length of each run: a row of the window if that is in one piece, otherwise one element's channels of a group.
    pub len: usize,
    /// Each element by itself.
    pub offsets: Vec<usize>,
}

impl Runs {
    pub fn new(s: &ConvShape, frame: &Frame) -> Runs {
        let (down, right) = (s.dilation[0] * frame.w * s.in_c, s.dilation[1] * s.in_c);
        let (starts, len): (Vec<usize>, usize) = if s.groups == 1 && (s.dilation[1] == 1 || s.k_w == 1) {
            ((0..s.k_h).map(|y| y * down).collect(), s.k_w * s.in_c)
        } else {
            ((0..s.k_h).flat_map(|y| (0..s.k_w).map(move |x| y * down + x * right)).collect(), s.group_in())
        };
        let offsets = starts.iter().flat_map(|start| (0..len).map(move |i| start + i)).collect();
        Runs { starts, len, offsets }
    }
}

/// Output pixels whose windows are looked up at a time: few enough for their rows to stay in the first cache.
pub(super) const PIXELS: usize = 8 * TILE_ROWS;

/// Walks over the output pixels of some images and gives the offset of each one's window in their frame.
pub(super) struct Windows {
    x: usize,
    y: usize,
    at: usize,
    out_h: usize,
    out_w: usize,
    right: usize,
    down: usize,
    next_image: usize,
    row: usize,
    image: usize,
}

impl Windows {
    pub fn new(s: &ConvShape, frame: &Frame) -> Windows {
        let down = s.stride[0] * frame.w * s.in_c;
        Windows {
            x: 0,
            y: 0,
            at: 0,
            out_h: s.out_h,
            out_w: s.out_w,
            right: s.stride[1] * s.in_c,
            down,
            next_image: frame.image(s),
            row: 0,
            image: 0,
        }
    }

    /// The offsets of the next `out.len()` windows.
    pub fn next(&mut self, out: &mut [usize]) {
        for out in out {
            *out = self.at;
            self.at += self.right;
            self.x += 1;
            if self.x == self.out_w {
                self.x = 0;
                self.y += 1;
                self.row += self.down;
                if self.y == self.out_h {
                    self.y = 0;
                    self.image += self.next_image;
                    self.row = self.image;
                }
                self.at = self.row;
            }
        }
    }

    /// The largest offset within `images` images.
    pub fn last(s: &ConvShape, frame: &Frame, images: usize) -> usize {
        (images - 1) * frame.image(s) + ((s.out_h - 1) * s.stride[0] * frame.w + (s.out_w - 1) * s.stride[1]) * s.in_c
    }
}
