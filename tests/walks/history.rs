//! Going back over steps and forward again: the same bits, within a budget of memory, a chunk at a time.

use std::cell::Cell;

use gradscope::error::{ErrorCode, Result};
use gradscope::train::{Team, Travel};
use pollster::block_on;

use super::{CNN, MLP, bits, cpu, gpu, open, train};

#[test]
fn going_back_and_forward_gives_the_same_bits() {
    for mut session in [cpu(CNN), gpu(CNN)] {
        train(&mut session, 10);
        let (early, _) = (bits(&session), open(&mut session));
        block_on(session.walk_steps(Travel::Batches { by: 10 })).expect("forward");
        session.set_hyper("learning_rate", 0.003).expect("a rate");
        let info = block_on(session.walk_steps(Travel::Batches { by: 10 })).expect("forward");
        assert_eq!((info.state.step, info.state.epoch, info.state.steps_per_epoch), (30, 6, 5));
        session.close_walk().expect("closed");
        let late = bits(&session);
        open(&mut session);
        let info = block_on(session.walk_steps(Travel::Batches { by: -20 })).expect("back");
        assert_eq!(info.state.step, 10);
        assert!(bits(&session) == early, "batch 10 is not what it was");
        block_on(session.walk_steps(Travel::Batches { by: 10 })).expect("forward");
        session.set_hyper("learning_rate", 0.003).expect("a rate");
        block_on(session.walk_steps(Travel::Batches { by: 10 })).expect("forward");
        assert!(bits(&session) == late, "batch 30 is not what it was");
        let info = block_on(session.walk_steps(Travel::Epochs { by: -1 })).expect("back an epoch");
        assert_eq!((info.state.step, info.state.position), (25, 0));
        let info = block_on(session.walk_steps(Travel::Epochs { by: 1 })).expect("forward an epoch");
        assert_eq!(info.state.step, 30);
        assert!(bits(&session) == late);
    }
}

#[test]
fn snapshots_are_thinned_to_their_budget() {
    let mut session = cpu(CNN);
    let size = bits(&session).len();
    session.set_history_budget(3 * size);
    for _ in 0..6 {
        train(&mut session, 1);
        open(&mut session);
    }
    let info = open(&mut session);
    assert!(info.state.thinned && info.state.snapshots.len() <= 3, "{:?}", info.state.snapshots);
    let now = {
        session.close_walk().expect("closed");
        bits(&session)
    };
    open(&mut session);
    block_on(session.walk_steps(Travel::Batches { by: -4 })).expect("back, over what was thinned");
    block_on(session.walk_steps(Travel::Batches { by: 4 })).expect("forward");
    assert!(bits(&session) == now);
}

/// Steps on examples from outside cannot be taken again: a state between them is refused, one before them is not.
#[test]
fn going_back_never_lies_about_steps_on_examples_from_outside() {
    let mut session = cpu(MLP);
    train(&mut session, 3);
    let third = bits(&session);
    for k in 0..3 {
        let x: Vec<f32> = (0..8 * 4).map(|i| ((i + k) as f32).sin()).collect();
        block_on(session.train_batch(&x, &[1.0; 8])).expect("a step");
    }
    let sixth = bits(&session);
    train(&mut session, 2);
    open(&mut session);
    assert_eq!(block_on(session.walk_steps(Travel::Batches { by: -3 })).expect_err("among them").code, ErrorCode::WrongState);
    block_on(session.walk_to(1, &[])).expect("the walk is still open");
    block_on(session.walk_steps(Travel::Batches { by: -2 })).expect("behind them");
    assert!(bits(&session) == sixth);
    block_on(session.walk_steps(Travel::Batches { by: -3 })).expect("before them");
    assert!(bits(&session) == third);
}

/// After going back before a change by hand, the steps taken anew are without it, and going back over them shows them so.
#[test]
fn a_change_that_was_gone_back_over_is_gone() {
    let mut session = cpu(MLP);
    train(&mut session, 3);
    let kernel = block_on(session.parameter("dense.kernel")).expect("a kernel");
    session.set_parameter("dense.kernel", &vec![0.5; kernel.len()]).expect("as many numbers");
    train(&mut session, 5);
    open(&mut session);
    block_on(session.walk_steps(Travel::Batches { by: -7 })).expect("back before the change");
    block_on(session.walk_steps(Travel::Batches { by: 4 })).expect("forward without it");
    let fifth = bits(&session);
    block_on(session.walk_steps(Travel::Batches { by: 3 })).expect("on");
    block_on(session.walk_steps(Travel::Batches { by: -3 })).expect("back");
    assert!(bits(&session) == fifth, "the change is back");
}

#[test]
fn a_state_from_elsewhere_has_no_past() {
    let mut session = cpu(MLP);
    train(&mut session, 4);
    let fourth = block_on(session.snapshot()).expect("a snapshot");
    train(&mut session, 4);
    session.restore(&fourth).expect("the same model");
    open(&mut session);
    assert_eq!(block_on(session.walk_steps(Travel::Batches { by: -1 })).expect_err("no past").code, ErrorCode::WrongState);
}

/// A way over many steps is taken a chunk at a time; it leaves snapshots behind and can be ended at any of them, at a step like any other.
#[test]
fn a_way_back_keeps_snapshots_and_can_be_ended() {
    let mut session = cpu(MLP);
    open(&mut session);
    train(&mut session, 20);
    open(&mut session);
    let info = block_on(session.walk_steps(Travel::Batches { by: 380 })).expect("forward");
    assert_eq!((info.state.step, &info.state.snapshots[..3]), (400, &[0, 20, 70][..]), "{:?}", info.state.snapshots);
    let clock = Cell::new(0.0);
    let tick = || {
        clock.set(clock.get() + 1.0);
        clock.get()
    };
    let mut journey = block_on(session.depart(Travel::Batches { by: -335 })).expect("back");
    assert_eq!((journey.from, journey.to, session.step_count()), (20, 65, 20));
    let mut chunks = 0;
    while session.step_count() < 40 {
        assert!(!block_on(session.travel_on(&mut journey, tick)).expect("a chunk"));
        chunks += 1;
    }
    assert!(chunks >= 3, "chunks grow from one step on");
    assert_eq!(block_on(session.walk_to(1, &[])).expect_err("on its way").code, ErrorCode::WrongState);
    // Others may look meanwhile.
    block_on(session.read_node("loss", false)).expect("a loss");
    let here = session.step_count();
    let info = block_on(session.arrive(journey)).expect("ended here");
    assert!((40..65).contains(&here) && info.state.step == here && info.state.snapshots.contains(&here));
    let mut other = cpu(MLP);
    train(&mut other, here);
    assert!(bits(&session) == bits(&other), "ended at a step that is not like any other");
    // Behind what is kept further apart, the way leaves snapshots.
    let info = block_on(session.walk_steps(Travel::Batches { by: 5000 })).expect("far");
    let last = info.state.step;
    let gap = info.state.snapshots.windows(2).map(|pair| pair[1] - pair[0]).max().expect("snapshots");
    assert!(gap > 200 && info.state.snapshots.len() <= 12 && !info.state.thinned, "{:?}", info.state.snapshots);
    block_on(session.walk_steps(Travel::Batches { by: -(last as i32) + 70 })).expect("back");
    assert_eq!(session.step_count(), 70);
}

#[test]
fn a_budget_for_one_snapshot_alone_says_so_and_refuses_to_go_back() {
    let mut session = cpu(MLP);
    open(&mut session);
    session.set_history_budget(1);
    let info = block_on(session.walk_steps(Travel::Batches { by: 3 })).expect("forward");
    assert!(info.state.thinned);
    assert_eq!(info.state.snapshots, [3]);
    let refused = block_on(session.walk_steps(Travel::Batches { by: -1 })).expect_err("nothing leads there");
    assert_eq!(refused.code, ErrorCode::WrongState);
    assert_eq!(block_on(session.walk_to(2, &[])).expect("the walk stays open").step, 3);
}

/// A team that only says how large it is.
struct Named(usize);

impl Team for Named {
    fn size(&self) -> usize {
        self.0
    }

    fn rank(&self) -> usize {
        0
    }

    fn call(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn sum(&mut self, _: &mut [f32]) -> Result<()> {
        Ok(())
    }

    fn break_up(&mut self) {}
}

/// Another number of workers rounds differently: what one took is not taken again by three and called the same.
#[test]
fn steps_of_another_number_of_workers_are_not_taken_again() {
    let mut session = cpu(MLP);
    train(&mut session, 4);
    open(&mut session);
    session.set_team(Some(Box::new(Named(3))));
    assert_eq!(block_on(session.walk_steps(Travel::Batches { by: -1 })).expect_err("no past").code, ErrorCode::WrongState);
    session.close_walk().expect("closed");
    session.set_team(None);
    open(&mut session);
    assert_eq!(block_on(session.walk_steps(Travel::Batches { by: -1 })).expect_err("no past").code, ErrorCode::WrongState);
    block_on(session.walk_steps(Travel::Batches { by: 1 })).expect("on alone");
    block_on(session.walk_steps(Travel::Batches { by: -1 })).expect("and back");
}
