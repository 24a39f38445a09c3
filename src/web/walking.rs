//! Requests of the stepper.

use js_sys::Array;
use wasm_bindgen::JsValue;

use super::answer::{Answer, Desk};
use super::js::{Buffer, floats, to_js};
use super::protocol::{ReadValue, WalkRequest};
use crate::backend::Backend;
use crate::error::Result;
use crate::trace::Trace;
use crate::train::{ProgramWalk, Travel};

impl Desk {
    pub(super) async fn walk(&mut self, request: WalkRequest, buffers: &Array) -> Answer {
        let plain = |value: JsValue| Ok((value, Vec::new()));
        if let WalkRequest::OpenScratch { source, seed } = &request {
            let program = self.program.insert(ProgramWalk::open(source, *seed).await?);
            let info = program.info().await?;
            self.leave_walk(true)?;
            return plain(to_js(&info));
        }
        if let WalkRequest::Open { subject } = request {
            self.program = None;
            // A step cannot be walked through while others are taken.
            self.finish_run().await;
            let info = self.session()?.open_walk(subject, floats(&buffers.get(0))).await?;
            return plain(to_js(&info));
        }
        if matches!(request, WalkRequest::Close) && self.program.take().is_some() {
            return plain(JsValue::NULL);
        }
        if let Some(program) = &mut self.program {
            return walk_program(program, request).await;
        }
        let moves = matches!(
            request,
            WalkRequest::Edit { .. } | WalkRequest::Travel { travel: Travel::Batches { .. } | Travel::Epochs { .. }, .. }
        );
        let answer = self.walk_session(request).await?;
        if moves {
            // What was done by walking is not to be lost with a GPU.
            self.session()?.settle_walk()?;
            self.keep_safe(true).await?;
        }
        Ok(answer)
    }

    async fn walk_session(&mut self, request: WalkRequest) -> Answer {
        let plain = |value: JsValue| Ok((value, Vec::new()));
        let session = self.session()?;
        match request {
            WalkRequest::Open { .. } | WalkRequest::OpenScratch { .. } | WalkRequest::Close => {
                session.close_walk()?;
                plain(JsValue::NULL)
            }
            WalkRequest::Travel { travel: Travel::To { cursor }, breakpoints } => {
                plain(to_js(&session.walk_to(cursor, &breakpoints).await?))
            }
            WalkRequest::Travel { travel: Travel::Batches { by }, .. } => plain(to_js(&session.walk_batches(by).await?)),
            WalkRequest::Travel { travel: Travel::Epochs { by }, .. } => plain(to_js(&session.walk_epochs(by).await?)),
            request @ (WalkRequest::Read { .. } | WalkRequest::Explain { .. } | WalkRequest::Nudge { .. } | WalkRequest::Why { .. }) => {
                let (backend, trace) = session.trace()?;
                look(backend, trace, request).await
            }
            WalkRequest::Edit { node, element, value } => plain(to_js(&session.edit_walk(node, element, value).await?)),
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
            let (explanation, elements) = trace.explain(backend, node, element, most).await?;
            Ok((to_js(&explanation), elements.into_iter().map(Buffer::Indices).collect()))
        }
        WalkRequest::Nudge { node, element, epsilon } => plain(to_js(&trace.nudge(backend, node, element, epsilon).await?)),
        WalkRequest::Why { node, element } => plain(to_js(&trace.why(backend, node, element).await?)),
        WalkRequest::Open { .. }
        | WalkRequest::OpenScratch { .. }
        | WalkRequest::Travel { .. }
        | WalkRequest::Edit { .. }
        | WalkRequest::Optimizer { .. }
        | WalkRequest::Close => plain(JsValue::NULL),
    }
}

/// A request to the walk of a program.
async fn walk_program(program: &mut ProgramWalk, request: WalkRequest) -> Answer {
    let plain = |value: JsValue| Ok((value, Vec::new()));
    match request {
        WalkRequest::Travel { travel: Travel::To { cursor }, breakpoints } => plain(to_js(&program.go(cursor, &breakpoints).await?)),
        WalkRequest::Travel { travel: Travel::Batches { by } | Travel::Epochs { by }, .. } => plain(to_js(&program.steps(by).await?)),
        WalkRequest::Edit { node, element, value } => plain(to_js(&program.edit(node, element, value).await?)),
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
