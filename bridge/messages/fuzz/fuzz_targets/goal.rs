#![no_main]

use cerebellum_messages::Goal;
use cerebellum_messages_fuzz::attempt;

libfuzzer_sys::fuzz_target!(|payload: &[u8]| attempt::<Goal>(payload));
