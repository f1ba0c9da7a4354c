#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Action {
    Send(usize),
    Receive,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        3 => (0usize..40).prop_map(Action::Send),
        2 => Just(Action::Receive),
    ];
    prop::collection::vec(action, 0..200)
}

proptest! {
    /// Whatever is sent and received: the bounds hold, no item is lost without being counted, the
    /// order is kept, and drop-oldest keeps the newest item.
    #[test]
    fn bounds_hold_and_losses_are_exact(
        items in 0usize..8,
        bytes in 0usize..64,
        newest in any::<bool>(),
        actions in actions(),
    ) {
        let overflow = if newest { Overflow::DropNewest } else { Overflow::DropOldest };
        let queue = Queue::new(Bound { items, bytes, overflow }, Counter::default());
        let (mut sent, mut received) = (0u64, 0u64);
        let mut last = None;
        for action in actions {
            match action {
                Action::Send(size) => {
                    queue.send_sized((sent, size), size);
                    sent += 1;
                    if !newest && size <= bytes {
                        let state = queue.0.state.lock().unwrap();
                        prop_assert_eq!(state.items.back().unwrap().0.0, sent - 1);
                    }
                }
                Action::Receive => {
                    if let Some((number, _)) = queue.try_receive() {
                        prop_assert!(last.is_none_or(|last| number > last));
                        last = Some(number);
                        received += 1;
                    }
                }
            }
            let state = queue.0.state.lock().unwrap();
            let held: usize = state.items.iter().map(|(_, size)| size).sum();
            prop_assert_eq!(held, state.bytes);
            prop_assert!(state.bytes <= bytes);
            prop_assert!(state.items.len() <= items.max(1));
            prop_assert_eq!(sent, received + queue.dropped() + state.items.len() as u64);
        }
    }
}

#[test]
fn concurrent_senders_lose_nothing_uncounted() {
    let queue = Queue::new(Bound::newest(16), Counter::default());
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let queue = queue.clone();
            std::thread::spawn(move || (0..1000).for_each(|item| queue.send(item)))
        })
        .collect();
    let reader = {
        let queue = queue.clone();
        std::thread::spawn(move || {
            let mut received = 0;
            while queue
                .receive(Instant::now() + Duration::from_secs(10))
                .is_ok()
            {
                received += 1;
            }
            received
        })
    };
    for sender in senders {
        sender.join().unwrap();
    }
    queue.close();
    assert_eq!(reader.join().unwrap() + queue.dropped(), 4000);
}

#[test]
fn a_closed_queue_gives_what_is_left_and_refuses_more() {
    let queue = Queue::new(Bound::newest(4), Counter::default());
    queue.send(1);
    queue.close();
    queue.send(2);
    let now = Instant::now();
    assert_eq!(queue.receive(now), Ok(1));
    assert_eq!(queue.receive(now), Err(Empty::Closed));
    assert_eq!(queue.dropped(), 1);
}

#[test]
fn an_empty_queue_times_out() {
    let queue = Queue::<u8>::new(Bound::newest(4), Counter::default());
    let deadline = Instant::now() + Duration::from_millis(10);
    assert_eq!(queue.receive(deadline), Err(Empty::TimedOut));
}
