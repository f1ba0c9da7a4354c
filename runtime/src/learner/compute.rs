//! The learner's own compute threads.
//!
//! Tensor operations on the CPU spread over the rayon pool of the thread that starts them, by
//! default one pool for the whole process. A plan would then wait for a worker that is deep in a
//! backward pass, at the worker's priority instead of the learner's. So the learner's thread becomes
//! the first worker of a pool of its own, and what else it starts steps back as it does itself.

use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// What each compute thread does first: its priority and affinity.
pub type StepBack = Arc<dyn Fn() + Send + Sync>;

/// Makes the calling thread the first of `threads` (at least one) that compute what it starts from
/// now on. It must not belong to a pool yet. The others end when the pool is dropped.
///
/// # Errors
/// If the system refuses a thread, or the caller already belongs to a pool.
pub fn own_pool(
    threads: usize,
    step_back: Option<StepBack>,
) -> Result<ThreadPool, ThreadPoolBuildError> {
    if let Some(step_back) = &step_back {
        step_back();
    }
    ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .use_current_thread()
        .thread_name(|index| format!("learner-{index}"))
        .start_handler(move |_| {
            if let Some(step_back) = &step_back {
                step_back();
            }
        })
        .build()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use rayon::prelude::*;

    use super::*;

    #[test]
    fn one_thread_computes_all_that_it_starts() {
        let used = thread::spawn(|| {
            let _pool = own_pool(1, None).unwrap();
            let me = thread::current().id();
            (0..64)
                .into_par_iter()
                .all(|_| thread::current().id() == me)
        });
        assert!(used.join().unwrap());
    }

    #[test]
    fn every_compute_thread_steps_back() {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let caller = thread::spawn(move || {
            let step_back: StepBack = Arc::new(move || {
                counted.fetch_add(1, Ordering::SeqCst);
            });
            let _pool = own_pool(3, Some(step_back)).unwrap();
            assert_eq!(rayon::current_num_threads(), 3);
            // All three have begun once each has answered.
            rayon::broadcast(|_| ());
        });
        caller.join().unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_thread_has_one_pool() {
        let second = thread::spawn(|| {
            let _pool = own_pool(1, None).unwrap();
            own_pool(1, None).is_err()
        });
        assert!(second.join().unwrap());
    }
}
