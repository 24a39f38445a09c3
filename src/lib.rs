//! Gradscope.
