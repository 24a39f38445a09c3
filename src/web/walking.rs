//! Requests of the stepper.

use js_sys::Array;
use wasm_bindgen::JsValue;

use super::answer::{Answer, Desk};
use super::js::{Buffer, floats, to_js};
use super::protocol::{ReadValue, WalkRequest};
use crate::backend::Backend;
use crate::error::{Error, ErrorCode, Result};
use crate::trace::Trace;
use crate::train::{ProgramWalk, TraceInfo, Travel};

impl Desk {
    pub(super) async fn walk(&mut self, request: WalkRequest, number: Option<u32>, buffers: &Array) -> Answer {
        let plain = |value: JsValue| Ok((value, Vec::new()));
        match request {
            WalkRequest::OpenScratch { source, seed } => {
                self.program = Some(ProgramWalk::open(&source, seed).await?);
                self.leave_walk(true)?;
                self.walk += 1;
                return self.walk_info().await;
            }
            WalkRequest::Open { subject } => {
                self.program = None;
                // A step cannot be walked through while others are taken.
                self.finish_run().await;
                self.session()?.open_walk(subject, floats(&buffers.get(0))).await?;
                self.walk += 1;
                return self.walk_info().await;
            }
            WalkRequest::Close if self.check_walk(number).is_err() => return plain(JsValue::NULL),
            _ => self.check_walk(number)?,
        }
        if matches!(request, WalkRequest::Stop | WalkRequest::Close) {
            self.end_travel().await;
        } else if self.travelling.is_some() {
            return Err(Error::new(
                ErrorCode::WrongState,
                &[("what", &"this request"), ("reason", &"the walk is on its way to another batch")],
            ));
        }
        if matches!(request, WalkRequest::Close) && self.program.take().is_some() {
            return plain(JsValue::NULL);
        }
        if let Some(program) = &mut self.program {
            return walk_program(program, request).await;
        }
        let edits = matches!(request, WalkRequest::Edit { .. });
        let answer = self.walk_session(request).await?;
        if edits {
            // What was done by walking is not to be lost with a GPU.
            self.session()?.settle_walk()?;
            self.keep_safe(true).await?;
        }
        Ok(answer)
    }

    /// Refuses a request that is for a walk whose place another one has taken.
    pub(super) fn check_walk(&self, number: Option<u32>) -> Result<()> {
        let replaced =
            || Error::new(ErrorCode::WrongState, &[("what", &"this request"), ("reason", &"another walk took this one's place")]);
        (number == Some(self.walk)).then_some(()).ok_or_else(replaced)
    }

    async fn walk_info(&mut self) -> Answer {
        let info = match &mut self.program {
            Some(program) => program.info().await?,
            None => self.session()?.walk_info().await?,
        };
        Ok((to_js(&TraceInfo { number: self.walk, ..info }), Vec::new()))
    }

    async fn walk_session(&mut self, request: WalkRequest) -> Answer {
        let plain = |value: JsValue| Ok((value, Vec::new()));
        let session = self.session()?;
        match request {
            WalkRequest::Close => {
                session.close_walk()?;
                plain(JsValue::NULL)
            }
            WalkRequest::Travel { travel: Travel::To { cursor }, breakpoints } => {
                plain(to_js(&session.walk_to(cursor, &breakpoints).await?))
            }
            // These are answered before, or when the walk has arrived.
            WalkRequest::Open { .. } | WalkRequest::OpenScratch { .. } | WalkRequest::Stop | WalkRequest::Travel { .. } => {
                plain(JsValue::NULL)
            }
            request @ (WalkRequest::Read { .. } | WalkRequest::Explain { .. } | WalkRequest::Nudge { .. } | WalkRequest::Why { .. }) => {
                let (backend, trace) = session.trace()?;
                look(backend, trace, request).await
            }
            WalkRequest::Edit { node, element, value } => plain(to_js(&session.edit_walk(node, element as usize, value).await?)),
            WalkRequest::Optimizer { parameter } => {
                let (table, columns) = session.optimizer_table(&parameter).await?;
                Ok((to_js(&table), columns.into_iter().map(Buffer::Floats).collect()))
            }
        }
    }

    /// Before a request from outside the walk: one that trains or changes parameters ends it, one that looks sees the state before the step.
    pub(super) fn leave_walk(&mut self, ends: bool) -> Result<()> {
        match (&mut self.session, ends) {
            (Some(session), true) => session.close_walk(),
            (Some(session), false) => session.settle_walk(),
            (None, _) => Ok(()),
        }
    }
}

/// Requests that only look at a walk, whatever it is of.
async fn look<B: Backend>(backend: &mut B, trace: &mut Trace<B>, request: WalkRequest) -> Answer {
    let plain = |value: JsValue| Ok((value, Vec::new()));
    match request {
        WalkRequest::Read { items } => {
            let (mut shapes, mut arrays) = (Vec::new(), Vec::new());
            for item in &items {
                let (shape, values) = trace.read(backend, item).await?;
                shapes.push(ReadValue { shape });
                arrays.push(Buffer::Floats(values));
            }
            Ok((to_js(&shapes), arrays))
        }
        WalkRequest::Explain { node, element, most } => {
            let (explanation, elements) = trace.explain(backend, node, element as usize, most).await?;
            Ok((to_js(&explanation), elements.into_iter().map(Buffer::Indices).collect()))
        }
        WalkRequest::Nudge { node, element, epsilon } => plain(to_js(&trace.nudge(backend, node, element as usize, epsilon).await?)),
        WalkRequest::Why { node, element } => plain(to_js(&trace.why(backend, node, element as usize).await?)),
        WalkRequest::Open { .. }
        | WalkRequest::OpenScratch { .. }
        | WalkRequest::Travel { .. }
        | WalkRequest::Edit { .. }
        | WalkRequest::Optimizer { .. }
        | WalkRequest::Stop
        | WalkRequest::Close => plain(JsValue::NULL),
    }
}

/// A request to the walk of a program.
async fn walk_program(program: &mut ProgramWalk, request: WalkRequest) -> Answer {
    let plain = |value: JsValue| Ok((value, Vec::new()));
    match request {
        WalkRequest::Travel { travel: Travel::To { cursor }, breakpoints } => plain(to_js(&program.go(cursor, &breakpoints).await?)),
        WalkRequest::Edit { node, element, value } => plain(to_js(&program.edit(node, element as usize, value).await?)),
        WalkRequest::Optimizer { parameter } => {
            let (table, columns) = program.optimizer_table(&parameter).await?;
            Ok((to_js(&table), columns.into_iter().map(Buffer::Floats).collect()))
        }
        request => {
            let (backend, trace) = program.trace();
            look(backend, trace, request).await
        }
    }
}
