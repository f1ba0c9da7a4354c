//! The runtime: the clock, the control thread, the inference thread, the learner, weights
//! generations, safety, configuration and the command line.

pub mod report;
pub mod run;
