//! Programs walked through like a network's step.

use gradscope::error::{Error, ErrorCode};
use gradscope::trace::ReadItem;
use gradscope::train::ProgramWalk;

use super::{close, report};

/// A program is walked through like a network's step: values as the report has them, explained, nudged, edited, and step by step forth and back.
#[test]
fn a_program_is_walked_through() -> Result<(), Error> {
    let source = "x = data([0.5, 4]); w = [1, -2]; b = 3; z = sum(w * x) + b; h = relu(-z); loss = h^2; learning_rate = 0.01";
    let report = report(source);
    pollster::block_on(async {
        let mut walk = ProgramWalk::open(source, 7).await?;
        let info = walk.info().await?;
        let node = |name: &str| info.nodes.iter().position(|node| node.name == name).expect("a node of that name");
        let layers: Vec<&str> = info.layers.iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(layers, ["w", "b", "z", "h"]);
        assert_eq!((info.nodes[info.x].name.as_str(), info.nodes[info.loss].name.as_str()), ("x", "loss"));
        assert!(info.nodes.iter().filter(|node| node.name == "mul" || node.name == "sum").all(|node| node.layer == "z"));
        assert!(0 < info.forward_end && info.forward_end < info.backward_end && info.backward_end < info.ops.len());
        // Nothing is there before it is computed; then it is what the report says.
        let z = node("z");
        let read = ReadItem { node: z, example: None };
        let early = {
            let (backend, trace) = walk.trace();
            trace.read(backend, &read).await
        };
        assert_eq!(early.map_err(|error| error.code), Err(ErrorCode::WrongState));
        let state = walk.go(info.backward_end, &[]).await?;
        assert_eq!(state.loss, Some(report.nodes[report.loss].value[0]));
        for (id, shown) in report.nodes.iter().enumerate() {
            let (backend, trace) = walk.trace();
            assert_eq!(trace.read(backend, &ReadItem { node: id, example: None }).await?.1, shown.value, "{}", shown.name);
            if let (Some(gradient), Some(expected)) = (info.nodes[id].gradient, &shown.gradient) {
                assert_eq!(
                    &trace.read(backend, &ReadItem { node: gradient, example: None }).await?.1,
                    expected,
                    "gradient of {}",
                    shown.name
                );
            }
        }
        let (backend, trace) = walk.trace();
        let (explanation, _) = trace.explain(backend, z, 0, 8).await?;
        assert!((explanation.recomputed - f64::from(explanation.value)).abs() < 1e-6);
        let nudge = trace.nudge(backend, node("w"), 1, None).await?;
        assert!((nudge.slope - nudge.gradient.expect("it is computed")).abs() < 1e-3 * nudge.slope.abs(), "{nudge:?}");
        // An edit of a computed value is for this walk, one of a variable for good.
        walk.edit(z, 0, 5.0).await?;
        let state = walk.go(info.forward_end, &[]).await?;
        assert_eq!(state.loss, Some(0.0));
        assert_eq!(state.edited, [z]);
        let before = walk.steps(0).await?;
        assert_eq!(before.state.step, 0);
        // Steps go down, and the way back ends at the same bits.
        let losses = {
            let mut losses = Vec::new();
            for _ in 0..4 {
                walk.steps(1).await?;
                losses.extend(walk.go(info.forward_end, &[]).await?.loss);
            }
            losses
        };
        assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
        assert_eq!(walk.steps(-3).await?.state.step, 1);
        assert_eq!(walk.go(info.forward_end, &[]).await?.loss, Some(losses[0]));
        walk.steps(3).await?;
        assert_eq!(walk.go(info.forward_end, &[]).await?.loss, Some(losses[3]));
        walk.go(info.ops.len(), &[]).await?;
        let (table, columns) = walk.optimizer_table("w").await?;
        assert_eq!(table.columns, ["value", "gradient", "update", "next"]);
        close(&columns[2], &columns[1].iter().map(|gradient| -0.01 * f64::from(*gradient)).collect::<Vec<_>>());
        assert_eq!(walk.optimizer_table("x").await.map_err(|error| error.code), Err(ErrorCode::UnknownName));
        walk.edit(node("b"), 0, 1.5).await?;
        walk.steps(1).await?;
        assert_eq!(walk.edit(node("b"), 0, f32::NAN).await.map_err(|error| error.code), Err(ErrorCode::BadValue));
        Ok(())
    })
}

/// A variable's edit belongs to the step at which it was made: going back to that step or a later one has it, however many states were given up
/// for memory on the way, going back further takes it back, and steps that are taken anew are then without it.
#[test]
fn going_back_never_loses_an_edit() -> Result<(), Error> {
    let source = "w = [1, -2]; x = data([0.5, 4]); loss = (sum(w * x) - 1)^2; learning_rate = 0.0001";
    pollster::block_on(async {
        let mut walk = ProgramWalk::open(source, 7).await?;
        let info = walk.info().await?;
        let node = |name: &str| info.nodes.iter().position(|node| node.name == name).expect("a node of that name");
        let plain = walk.steps(12).await.map(|info| info.state.step)?;
        let without = walk.go(info.forward_end, &[]).await?.loss;
        walk.steps(-1).await?;
        walk.edit(node("w"), 0, 30.0).await?;
        walk.steps(4).await?;
        let with = walk.go(info.forward_end, &[]).await?.loss;
        assert_ne!(with, without);
        walk.steps(400).await?;
        let state = walk.steps(-400).await?.state;
        assert_eq!((plain, state.step), (12, 15));
        assert_eq!(walk.go(info.forward_end, &[]).await?.loss, with, "the edit is lost");
        walk.steps(-5).await?;
        walk.steps(2).await?;
        assert_eq!(walk.go(info.forward_end, &[]).await?.loss, without, "the edit is still there");
        walk.steps(3).await?;
        walk.steps(-1).await?;
        walk.steps(1).await?;
        assert_ne!(walk.go(info.forward_end, &[]).await?.loss, with);
        // An edit of what a step leaves alone is one of these too; one of a computed value is not.
        walk.edit(node("x"), 1, 0.0).await?;
        walk.go(info.forward_end, &[]).await?;
        let edited = walk.edit(node("loss"), 0, 100.0).await?;
        assert_eq!(edited.loss, Some(100.0));
        walk.steps(1).await?;
        walk.steps(-1).await?;
        assert_ne!(walk.go(info.forward_end, &[]).await?.loss, Some(100.0));
        // Without memory for earlier states the way back is refused, and the walk stays where it is.
        walk.set_history_budget(1);
        walk.steps(2).await?;
        assert_eq!(walk.steps(-1).await.map_err(|error| error.code).err(), Some(ErrorCode::WrongState));
        let state = walk.go(1, &[]).await?;
        assert!(state.thinned && state.step == 17 && state.cursor == 1, "{state:?}");
        Ok(())
    })
}
