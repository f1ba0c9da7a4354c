//! This project's own messages; their `.msg` files are in `msg/cerebellum_msgs/`.

mod action_chunk;
mod episode_request;
mod episode_status;
mod goal;
mod latent;
mod learner_report;
mod runtime_status;
