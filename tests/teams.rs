//! Data-parallel training, with threads for workers: against one worker, bit for bit among themselves, and when one of them goes away.

use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use gradscope::backend::cpu::Cpu;
use gradscope::data::{Dataset, Split};
use gradscope::error::{Error, ErrorCode, Result};
use gradscope::nn::{LossSpec, ModelSpec};
use gradscope::optim::OptimizerSpec;
use gradscope::train::{RunOptions, Session, Settings, Snapshot, Team};
use serde_json::{Value, json};

/// What the threads share.
#[derive(Default)]
struct Table {
    jobs: Vec<Vec<u8>>,
    /// What each has brought to the present sum, and how many have taken it.
    parts: Vec<Option<Vec<f32>>>,
    taken: usize,
    broken: bool,
}

#[derive(Clone)]
struct Threads {
    table: Arc<(Mutex<Table>, Condvar)>,
    size: usize,
    rank: usize,
}

fn gone() -> Error {
    Error::new(ErrorCode::WrongState, &[("what", &"a team"), ("reason", &"a worker is gone")])
}

impl Threads {
    fn wait(&self, ready: impl Fn(&Table) -> bool) -> Result<std::sync::MutexGuard<'_, Table>> {
        let (table, changed) = &*self.table;
        let waiting = table.lock().unwrap_or_else(PoisonError::into_inner);
        let table = changed.wait_while(waiting, |table| !table.broken && !ready(table)).unwrap_or_else(PoisonError::into_inner);
        if table.broken { Err(gone()) } else { Ok(table) }
    }

    fn job(&self, number: usize) -> Result<Vec<u8>> {
        self.wait(|table| table.jobs.len() > number).map(|table| table.jobs[number].clone())
    }
}

impl Team for Threads {
    fn size(&self) -> usize {
        self.size
    }

    fn rank(&self) -> usize {
        self.rank
    }

    fn call(&mut self, job: &[u8]) -> Result<()> {
        self.wait(|_| true)?.jobs.push(job.to_vec());
        self.table.1.notify_all();
        Ok(())
    }

    fn sum(&mut self, values: &mut [f32]) -> Result<()> {
        self.wait(|table| table.parts[self.rank].is_none())?.parts[self.rank] = Some(values.to_vec());
        self.table.1.notify_all();
        let mut table = self.wait(|table| table.parts.iter().all(Option::is_some))?;
        values.fill(0.0);
        for part in table.parts.iter().flatten() {
            values.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
        }
        table.taken += 1;
        if table.taken == self.size {
            table.taken = 0;
            table.parts.fill(None);
        }
        drop(table);
        self.table.1.notify_all();
        // Nobody brings his next part before all have taken this sum.
        self.wait(|table| table.parts[self.rank].is_none()).map(drop)
    }

    fn break_up(&mut self) {
        self.table.0.lock().unwrap_or_else(PoisonError::into_inner).broken = true;
        self.table.1.notify_all();
    }
}

fn session(layers: &Value, batch_size: usize) -> Result<Session<Cpu>> {
    let settings = Settings {
        model: ModelSpec::from_json(&json!({ "input": [2], "layers": layers }))?,
        loss: LossSpec::from_json(&json!("binary_crossentropy"))?,
        optimizer: OptimizerSpec::from_json(&json!({ "type": "Adam", "learning_rate": 0.01, "global_clipnorm": 1.0 }))?,
        batch_size,
        seed: 3,
        validation_split: 0.2,
        train_examples: None,
    };
    pollster::block_on(Session::new(Cpu::new(), settings, Rc::new(Dataset::generated("moons")?)))
}

fn train(session: &mut Session<Cpu>, steps: usize) -> Result<Vec<f32>> {
    let options = RunOptions { steps: Some(steps), shuffle: true, ..RunOptions::default() };
    Ok(pollster::block_on(session.run(options, || 0.0))?.0.losses)
}

/// What the leader does with its session; the states in which the workers end, the leader's first. The last worker leaves after `leaves` jobs.
fn together<T>(
    layers: &Value,
    batch: usize,
    size: usize,
    leaves: Option<usize>,
    lead: impl FnOnce(&mut Session<Cpu>) -> Result<T>,
) -> Result<(T, Vec<Snapshot>)> {
    let table = Table { parts: vec![None; size], ..Table::default() };
    let team = Threads { table: Arc::new((Mutex::new(table), Condvar::new())), size, rank: 0 };
    thread::scope(|scope| {
        let others = (1..size).map(|rank| {
            let mut team = Threads { rank, ..team.clone() };
            scope.spawn(move || -> Result<Snapshot> {
                let mut session = session(layers, batch)?;
                session.set_team(Some(Box::new(team.clone())));
                for number in 0.. {
                    if leaves.is_some_and(|leaves| rank + 1 == size && number == leaves) {
                        team.break_up();
                    }
                    let Ok(job) = team.job(number) else { break };
                    pollster::block_on(session.follow(&job))?;
                }
                pollster::block_on(session.snapshot())
            })
        });
        let others: Vec<_> = others.collect();
        let mut leader = session(layers, batch)?;
        leader.set_team(Some(Box::new(team.clone())));
        let result = lead(&mut leader);
        let mut states = vec![pollster::block_on(leader.snapshot())?];
        leader.set_team(None);
        for other in others {
            states.push(other.join().map_err(|_| gone())??);
        }
        Ok((result?, states))
    })
}

fn regularised() -> Value {
    let l2 = json!({ "l2": 0.01 });
    json!([
        { "type": "Dense", "units": 8, "activation": "tanh", "kernel_regularizer": l2 },
        { "type": "Dense", "units": 1, "activation": "sigmoid" }
    ])
}

#[test]
fn a_team_trains_as_one_worker_does() -> Result<()> {
    // 50 does not divide the examples, nor 3 the batch: the last batch and the shares are of several sizes.
    let mut alone = session(&regularised(), 50)?;
    let expected = train(&mut alone, 60)?;
    let (losses, states) = together(&regularised(), 50, 3, None, |leader| train(leader, 60))?;
    assert_eq!(losses.len(), 60);
    for (step, (loss, expected)) in losses.iter().zip(&expected).enumerate() {
        assert!((loss - expected).abs() <= 1e-5 * expected.abs(), "step {step}: {loss} together, {expected} alone");
    }
    assert!(states.iter().all(|state| *state == states[0]), "every worker ends with the same bits");
    let (again, _) = together(&regularised(), 50, 3, None, |leader| train(leader, 60))?;
    assert_eq!(again, losses);
    Ok(())
}

#[test]
fn workers_without_a_share_keep_up() -> Result<()> {
    let expected = train(&mut session(&regularised(), 2)?, 12)?;
    let (losses, states) = together(&regularised(), 2, 3, None, |leader| train(leader, 12))?;
    for (loss, expected) in losses.iter().zip(&expected) {
        assert!((loss - expected).abs() <= 1e-5 * expected.abs(), "{loss} together, {expected} alone");
    }
    assert!(states.iter().all(|state| *state == states[0]));
    Ok(())
}

#[test]
fn statistics_are_shared_and_dropout_is_not() -> Result<()> {
    let layers = json!([
        { "type": "Dense", "units": 16 }, { "type": "BatchNormalization" }, { "type": "Activation", "activation": "relu" },
        { "type": "Dropout", "rate": 0.5 }, { "type": "Dense", "units": 1, "activation": "sigmoid" }
    ]);
    let (losses, states) = together(&layers, 32, 2, None, |leader| train(leader, 150))?;
    assert!(states[0] == states[1], "parameters and moving statistics are the same bits");
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    assert!(mean(&losses[130..]) < 0.8 * mean(&losses[..20]), "it learns: {losses:?}");
    Ok(())
}

#[test]
fn what_is_changed_by_hand_reaches_every_worker() -> Result<()> {
    let by_hand = |session: &mut Session<Cpu>| -> Result<Vec<f32>> {
        let mut losses = train(session, 5)?;
        let kept = pollster::block_on(session.snapshot())?;
        session.set_parameter("dense.bias", &[0.5; 8])?;
        losses.extend(train(session, 5)?);
        session.set_hyper("learning_rate", 0.05)?;
        losses.extend(train(session, 5)?);
        session.restore(&kept)?;
        losses.extend(train(session, 5)?);
        session.reset(Some(9))?;
        losses.extend(train(session, 5)?);
        let (x, y) = (vec![0.25; 64], vec![1.0; 32]);
        losses.push(pollster::block_on(session.train_batch(&x, &y))?);
        losses.extend(train(session, 5)?);
        Ok(losses)
    };
    let expected = by_hand(&mut session(&regularised(), 32)?)?;
    let (losses, states) = together(&regularised(), 32, 2, None, by_hand)?;
    for (step, (loss, expected)) in losses.iter().zip(&expected).enumerate() {
        assert!((loss - expected).abs() <= 1e-5 * expected.abs(), "step {step}: {loss} together, {expected} alone");
    }
    assert!(states[0] == states[1]);
    Ok(())
}

#[test]
fn a_team_answers_as_one_worker_does() -> Result<()> {
    // 37 examples have no equal shares; 5 are too few to be shared, and the leader's alone.
    let answer = |session: &mut Session<Cpu>| -> Result<(Vec<f32>, Vec<f32>)> {
        let mut answers = Vec::new();
        let mut losses = Vec::new();
        for round in 0..2u8 {
            train(session, 5)?;
            session.set_parameter("dense.bias", &[0.25 * f32::from(round); 8])?;
            for count in [37, 5, 600] {
                let x: Vec<f32> = (0..2 * count).map(|k| (k as f32 * 0.37).sin()).collect();
                answers.extend(pollster::block_on(session.predict(&x))?);
            }
            for split in [Split::Validation, Split::Test] {
                let evaluation = pollster::block_on(session.evaluate(split))?;
                losses.extend([Some(evaluation.loss), evaluation.accuracy].into_iter().flatten());
                answers.extend(evaluation.confusion.iter().flatten().flatten().map(|&count| count as f32));
            }
        }
        Ok((answers, losses))
    };
    let (expected, expected_losses) = answer(&mut session(&regularised(), 32)?)?;
    let ((answers, losses), states) = together(&regularised(), 32, 3, None, answer)?;
    assert_eq!((answers.len(), losses.len()), (expected.len(), expected_losses.len()));
    for (got, want) in answers.iter().zip(&expected).chain(losses.iter().zip(&expected_losses)) {
        assert!((got - want).abs() <= 1e-5 * want.abs().max(1e-2), "{got} together, {want} alone");
    }
    assert!(states[0] == states[1] && states[0] == states[2]);
    Ok(())
}

#[test]
fn the_leader_answers_alone_when_a_worker_goes_away() -> Result<()> {
    let x: Vec<f32> = (0..200).map(|k| (k as f32 * 0.37).sin()).collect();
    let expected = pollster::block_on(session(&regularised(), 32)?.predict(&x))?;
    let (answers, _) = together(&regularised(), 32, 3, Some(1), |leader| {
        let shared = pollster::block_on(leader.predict(&x))?;
        let alone = pollster::block_on(leader.predict(&x))?;
        assert_eq!(leader.workers(), 1);
        Ok([shared, alone])
    })?;
    assert_eq!(answers, [expected.clone(), expected]);
    Ok(())
}

#[test]
fn the_leader_goes_on_alone_when_a_worker_goes_away() -> Result<()> {
    let expected = train(&mut session(&regularised(), 32)?, 40)?;
    let (losses, _) = together(&regularised(), 32, 2, Some(3), |leader| {
        let losses = train(leader, 40)?;
        assert_eq!((leader.workers(), leader.step_count()), (1, 40));
        Ok(losses)
    })?;
    assert_eq!(losses.len(), 40);
    // Where the team broke, the metrics of the last steps may be the leader's share alone; what follows is on the whole batch again.
    for (step, (loss, expected)) in losses.iter().zip(&expected).enumerate().skip(20) {
        assert!((loss - expected).abs() <= 1e-4 * expected.abs(), "step {step}: {loss} against {expected}");
    }
    Ok(())
}
