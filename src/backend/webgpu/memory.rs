//! Buffers that free themselves and are counted, and reading them back.

use std::sync::Arc;

use futures_channel::oneshot;

use super::device::{Context, State};
use crate::error::{Error, ErrorCode, Result};

/// A buffer on the GPU. It is destroyed when dropped: a browser would wait for its garbage collector, which knows nothing of GPU memory.
pub(super) struct Memory {
    buffer: wgpu::Buffer,
    state: Arc<State>,
}

impl Memory {
    /// A zeroed storage buffer of `cells` 32-bit cells, or an error where the device could never hold it.
    pub fn new(context: &Context, cells: usize, what: &str) -> Result<Self> {
        use wgpu::BufferUsages as Usage;
        Self::with_usage(context, cells, what, Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST)
    }

    fn with_usage(context: &Context, cells: usize, what: &str, usage: wgpu::BufferUsages) -> Result<Self> {
        let size = 4u64.saturating_mul(cells.max(1) as u64);
        context.check_size(size, what)?;
        context.state.grow(size);
        let descriptor = wgpu::BufferDescriptor { label: Some(what), size, usage, mapped_at_creation: false };
        Ok(Self { buffer: context.device.create_buffer(&descriptor), state: Arc::clone(&context.state) })
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.buffer.size() as usize / 4
    }

    /// Writes bytes, a multiple of 4, from cell `offset` on.
    pub fn write(&self, context: &Context, offset: usize, bytes: &[u8]) {
        if !bytes.is_empty() {
            context.queue.write_buffer(&self.buffer, 4 * offset as u64, bytes);
        }
    }

    /// Some of its cells, to be bound.
    pub fn range(&self, offset: usize, len: usize) -> wgpu::BindingResource<'_> {
        let size = std::num::NonZeroU64::new(4 * len.max(1) as u64);
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: &self.buffer, offset: 4 * offset as u64, size })
    }

    /// Begins to read ranges (offset, length), one after another; what they hold now is what the reading will give.
    pub fn read(&self, context: &Context, ranges: &[(usize, usize)]) -> Result<Reading> {
        let cells = ranges.iter().map(|&(_, len)| len).sum();
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = Self::with_usage(context, cells, "reading", usage)?;
        let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("read") });
        let mut to = 0;
        for &(offset, len) in ranges.iter().filter(|&&(_, len)| len > 0) {
            encoder.copy_buffer_to_buffer(&self.buffer, 4 * offset as u64, &staging.buffer, to, 4 * len as u64);
            to += 4 * len as u64;
        }
        context.queue.submit([encoder.finish()]);
        let (sender, done) = oneshot::channel();
        staging.buffer.map_async(wgpu::MapMode::Read, .., move |result| {
            // Nobody listens any more where the reading was dropped.
            let _ = sender.send(result);
        });
        Ok(Reading { staging, done, cells, device: context.device.clone() })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.state.shrink(self.buffer.size());
        self.buffer.destroy();
    }
}

/// A copy on its way from the GPU.
pub(super) struct Reading {
    staging: Memory,
    done: oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>,
    cells: usize,
    /// Natively, somebody has to poll.
    device: wgpu::Device,
}

impl Reading {
    /// Waits for the numbers.
    pub async fn floats(self) -> Result<Vec<f32>> {
        let failed = |reason: &dyn std::fmt::Display| {
            let broken = self.staging.state.check().err();
            broken.unwrap_or_else(|| Error::new(ErrorCode::Gpu, &[("what", &"a reading"), ("reason", reason)]))
        };
        // A browser polls by itself; there this returns at once.
        self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|error| failed(&error))?;
        self.done.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        let view = self.staging.buffer.get_mapped_range(..).map_err(|error| failed(&error))?;
        Ok(floats(&view, self.cells))
    }
}

/// One copy from the mapped memory; dereferencing the view would make another.
#[cfg(target_arch = "wasm32")]
fn floats(view: &wgpu::BufferView, cells: usize) -> Vec<f32> {
    let bytes = view.as_uint8array();
    js_sys::Float32Array::new_with_byte_offset_and_length(&bytes.buffer(), bytes.byte_offset(), cells as u32).to_vec()
}

#[cfg(not(target_arch = "wasm32"))]
fn floats(view: &wgpu::BufferView, cells: usize) -> Vec<f32> {
    bytemuck::cast_slice::<u8, f32>(view)[..cells].to_vec()
}
