#![no_main]

use cerebellum_messages::RuntimeStatus;
use cerebellum_messages_fuzz::attempt;

libfuzzer_sys::fuzz_target!(|payload: &[u8]| attempt::<RuntimeStatus>(payload));
