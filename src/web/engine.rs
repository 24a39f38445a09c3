//! The engine of a worker: an inbox, and the task that empties it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures_channel::oneshot;
use wasm_bindgen::prelude::*;

use super::answer::Desk;
use super::js::{self, Post};

/// A request with its number and its arrays.
struct Message {
    id: u32,
    request: JsValue,
    buffers: js_sys::Array,
}

#[derive(Default)]
struct Inbox {
    waiting: VecDeque<Message>,
    wake: Option<oneshot::Sender<()>>,
}

/// The engine of one worker.
#[wasm_bindgen]
pub struct Engine {
    inbox: Rc<RefCell<Inbox>>,
}

#[wasm_bindgen]
impl Engine {
    /// An engine that answers by calling `post(message, transfer)` and fetches data sets below the address `data`.
    #[wasm_bindgen(constructor)]
    pub fn new(post: js_sys::Function, data: String) -> Engine {
        console_error_panic_hook::set_once();
        let inbox = Rc::new(RefCell::new(Inbox::default()));
        wasm_bindgen_futures::spawn_local(serve(Rc::clone(&inbox), Desk::new(Post::new(post), data)));
        Engine { inbox }
    }

    /// Takes a request; the answer comes through `post` with the same id.
    pub fn handle(&self, id: u32, request: JsValue, buffers: js_sys::Array) {
        let mut inbox = self.inbox.borrow_mut();
        inbox.waiting.push_back(Message { id, request, buffers });
        if let Some(wake) = inbox.wake.take() {
            let _ = wake.send(());
        }
    }
}

async fn serve(inbox: Rc<RefCell<Inbox>>, mut desk: Desk) {
    loop {
        let message = inbox.borrow_mut().waiting.pop_front();
        match message {
            Some(Message { id, request, buffers }) => desk.answer(id, request, &buffers).await,
            None if desk.is_busy() => {
                desk.work_on().await;
                js::breathe().await;
            }
            None => {
                let (wake, woken) = oneshot::channel();
                inbox.borrow_mut().wake = Some(wake);
                desk.rest(woken).await;
            }
        }
    }
}
