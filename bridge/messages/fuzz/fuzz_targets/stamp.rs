#![no_main]

use cerebellum_messages::Stamp;
use cerebellum_messages_fuzz::attempt;

libfuzzer_sys::fuzz_target!(|payload: &[u8]| attempt::<Stamp>(payload));
