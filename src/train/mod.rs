//! Training: a session holds a model, its data and its state; a run takes it on, chunk by chunk, so that whoever drives it stays responsive.

mod activations;
mod attribution;
mod evaluate;
mod generate;
mod guess;
mod health;
mod history;
mod inspect;
mod journey;
mod landscape;
mod load;
mod pace;
mod parameters;
mod program;
mod reading;
mod run;
mod session;
mod snapshot;
mod step;
mod team;
mod walk;
mod watch;

pub use attribution::{AttributeOptions, Attribution, Method};
pub use evaluate::{Answered, Cell, Evaluation, Evaluator};
pub use generate::{Candidate, GenerateOptions, Generated};
pub use health::{Distribution, HealthReport, LayerHealth, ParameterHealth};
pub use journey::Journey;
pub use load::LoadReport;
pub use program::ProgramWalk;
pub use run::{EpochEnd, Run, RunOptions, RunResult, Status};
pub use session::{Compiled, Session, Settings};
pub use snapshot::Snapshot;
pub use step::{Pending, StepMetrics};
pub use team::Team;
pub use walk::{OptimizerTable, Subject, TraceInfo, TraceLayer, TraceState, Travel};
pub use watch::Watched;
