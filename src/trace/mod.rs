//! A walk through one step of any graph: a cursor over the plan that keeps every value, and what can be asked of the values.

pub mod report;
