#![no_main]

use cerebellum_messages::Text;
use cerebellum_messages_fuzz::attempt;

libfuzzer_sys::fuzz_target!(|payload: &[u8]| attempt::<Text>(payload));
