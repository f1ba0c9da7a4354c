//! Schedules that are more than equal steps on some scale. Each gives decreasing noise levels and a
//! final zero; [`super::Schedule`] offers those that make sense for a policy.

pub mod cosine_beta;
pub mod iddpm;
pub mod variance_exploding;
pub mod variance_preserving;

pub use cosine_beta::cosine_beta;
pub use iddpm::iddpm;
pub use variance_exploding::variance_exploding;
pub use variance_preserving::variance_preserving;

/// Numbers from `first` to `last` in `count` equal steps; `first` alone if `count` is 1.
fn grid(first: f64, last: f64, count: usize) -> impl Iterator<Item = f64> {
    let step = (last - first) / count.saturating_sub(1).max(1) as f64;
    (0..count).map(move |i| first + step * i as f64)
}
