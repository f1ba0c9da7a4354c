//! The runtime: the clock, the control thread, the inference thread, the learner, weights
//! generations, safety, configuration and the command line.

pub mod assets;
pub mod cli;
pub mod clock;
pub mod control;
pub mod inference;
pub mod learner;
pub mod realtime;
pub mod report;
pub mod run;
