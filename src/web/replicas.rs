//! A team of workers over a `SharedArrayBuffer`. Their wasm memories stay apart: what is summed is copied into the shared memory and back.
//!
//! Layout: control words (`i32`), then two areas of floats for each worker, used in turn, then the leader's message. With two areas a worker
//! may bring his part of the next sum while others still read this one; he cannot come to the one after that before they are done.

use js_sys::{Array, Atomics, Float32Array, Int32Array, SharedArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::answer::{Answer, Desk, info};
use super::protocol::Event;
use crate::backend::Device;
use crate::error::{Error, ErrorCode, Result};
use crate::train::Team;

/// Control words, by position. Counters only grow, and wrap.
mod word {
    /// Parts of sums that were brought so far.
    pub const BROUGHT: u32 = 0;
    /// Not 0 once the team is broken up. The package sets it, too, when a worker dies.
    pub const BROKEN: u32 = 1;
    /// Messages of the leader so far.
    pub const CALLS: u32 = 2;
    /// Bytes of the last of them.
    pub const BYTES: u32 = 3;
    /// Workers.
    pub const SIZE: u32 = 4;
    /// Floats of an area.
    pub const FLOATS: u32 = 5;
    /// Words in all.
    pub const COUNT: u32 = 8;
}

/// A worker that brings nothing for so long is taken for dead.
const PATIENCE_MS: f64 = 20_000.0;

#[derive(Clone)]
struct Shared {
    control: Int32Array,
    floats: Float32Array,
    message: Uint8Array,
    size: usize,
    rank: usize,
    /// Floats of an area.
    longest: usize,
    /// Sums so far.
    sums: i32,
    /// Another worker's part, while it is added.
    part: Vec<f32>,
}

fn broken() -> Error {
    Error::new(ErrorCode::WorkerDied, &[("reason", &"the team of workers broke up")])
}

impl Shared {
    /// Room for so many workers, vectors up to `longest` and messages up to `bytes`.
    fn create(size: usize, longest: usize, bytes: usize) -> Result<(SharedArrayBuffer, Self)> {
        let floats = 2 * size * longest;
        let total = 4 * (word::COUNT as usize + floats) + bytes;
        let too_much = || Error::new(ErrorCode::OutOfMemory, &[("bytes", &total), ("what", &"memory that workers share")]);
        let buffer = SharedArrayBuffer::new(u32::try_from(total).map_err(|_| too_much())?);
        let control = Int32Array::new_with_byte_offset_and_length(&buffer, 0, word::COUNT);
        control.set_index(word::SIZE, size as i32);
        control.set_index(word::FLOATS, longest as i32);
        let shared = Self::open(&buffer, 0);
        Ok((buffer, shared))
    }

    /// The same memory as worker `rank` sees it.
    fn open(buffer: &JsValue, rank: usize) -> Self {
        let control = Int32Array::new_with_byte_offset_and_length(buffer, 0, word::COUNT);
        let [size, longest] = [word::SIZE, word::FLOATS].map(|at| control.get_index(at) as usize);
        let floats = 2 * size * longest;
        let begin = 4 * word::COUNT;
        Self {
            floats: Float32Array::new_with_byte_offset_and_length(buffer, begin, floats as u32),
            message: Uint8Array::new_with_byte_offset(buffer, begin + 4 * floats as u32),
            part: vec![0.0; longest],
            sums: 0,
            control,
            size,
            rank,
            longest,
        }
    }

    fn load(&self, at: u32) -> i32 {
        Atomics::load(&self.control, at).unwrap_or(0)
    }

    fn count(&self, at: u32) {
        // The words are there, so that neither can fail.
        let _ = Atomics::add(&self.control, at, 1);
        let _ = Atomics::notify(&self.control, at);
    }

    /// Waits until a counter has come to `target`.
    fn wait(&self, at: u32, target: i32, patience: f64) -> Result<()> {
        loop {
            let now = self.load(at);
            if self.load(word::BROKEN) != 0 {
                return Err(broken());
            }
            if now.wrapping_sub(target) >= 0 {
                return Ok(());
            }
            let woken = Atomics::wait_with_timeout(&self.control, at, now, patience).map_err(|_| broken())?;
            if woken == "timed-out" {
                return Err(broken());
            }
        }
    }

    /// The leader's message after `calls` others.
    fn next_call(&self, calls: i32) -> Result<Vec<u8>> {
        self.wait(word::CALLS, calls.wrapping_add(1), f64::INFINITY)?;
        Ok(self.message.subarray(0, self.load(word::BYTES) as u32).to_vec())
    }

    /// The place of a worker's part of the present sum.
    fn area(&self, rank: usize, len: usize) -> Float32Array {
        let begin = ((self.sums as usize & 1) * self.size + rank) * self.longest;
        self.floats.subarray(begin as u32, (begin + len) as u32)
    }
}

impl Team for Shared {
    fn size(&self) -> usize {
        self.size
    }

    fn rank(&self) -> usize {
        self.rank
    }

    fn call(&mut self, job: &[u8]) -> Result<()> {
        if self.load(word::BROKEN) != 0 || job.len() > self.message.length() as usize {
            return Err(broken());
        }
        self.message.subarray(0, job.len() as u32).copy_from(job);
        let _ = Atomics::store(&self.control, word::BYTES, job.len() as i32);
        self.count(word::CALLS);
        Ok(())
    }

    fn sum(&mut self, values: &mut [f32]) -> Result<()> {
        if values.len() > self.longest {
            return Err(broken());
        }
        self.area(self.rank, values.len()).copy_from(values);
        self.count(word::BROUGHT);
        self.wait(word::BROUGHT, self.sums.wrapping_add(1).wrapping_mul(self.size as i32), PATIENCE_MS)?;
        let mut part = std::mem::take(&mut self.part);
        self.area(0, values.len()).copy_to(values);
        for rank in 1..self.size {
            let part = &mut part[..values.len()];
            self.area(rank, values.len()).copy_to(part);
            values.iter_mut().zip(part).for_each(|(sum, value)| *sum += *value);
        }
        self.part = part;
        self.sums = self.sums.wrapping_add(1);
        Ok(())
    }

    fn break_up(&mut self) {
        let _ = Atomics::store(&self.control, word::BROKEN, 1);
        for at in [word::BROUGHT, word::CALLS] {
            let _ = Atomics::notify(&self.control, at);
        }
    }
}

impl Desk {
    /// Makes this session the leader of so many workers: the memory that they share.
    pub(super) async fn lead(&mut self, workers: usize) -> Answer {
        let session = self.session()?;
        if !matches!(session.backend(), Device::Cpu(_)) {
            return Err(Error::new(ErrorCode::WrongState, &[("what", &"a team of workers"), ("reason", &"training is on the GPU")]));
        }
        let (longest, bytes) = session.team_needs().await?;
        let (buffer, shared) = Shared::create(workers, longest, bytes)?;
        session.set_team(Some(Box::new(shared)));
        self.workers = workers;
        Ok((buffer.into(), Vec::new()))
    }

    /// Tells the page if the team broke up since the last time.
    pub(super) fn count_workers(&mut self) {
        let Some(session) = &self.session else { return };
        if session.workers() < self.workers {
            self.post.event(&Event::WorkersLost { info: info(session) }, Vec::new());
        }
        self.workers = session.workers();
    }

    /// Does what the leader asks for from now on; the worker hears of nothing else any more.
    pub(super) async fn follow(&mut self, id: u32, rank: usize, buffers: &Array) {
        let joined = self.join(rank, buffers);
        let shared = joined.clone();
        self.post.answer(id, joined.map(|_| (JsValue::NULL, Vec::new())));
        let (Ok(mut shared), Ok(session)) = (shared, self.session()) else { return };
        let mut calls = 0i32;
        while let Ok(job) = shared.next_call(calls) {
            calls = calls.wrapping_add(1);
            if session.follow(&job).await.is_err() {
                shared.break_up();
            }
        }
    }

    fn join(&mut self, rank: usize, buffers: &Array) -> Result<Shared> {
        let session = self.session()?;
        let view: Int32Array = buffers.get(0).dyn_into().map_err(|_| broken())?;
        let shared = Shared::open(&view.buffer(), rank);
        session.set_team(Some(Box::new(shared.clone())));
        Ok(shared)
    }
}
