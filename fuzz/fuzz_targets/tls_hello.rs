#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| matou_actors::fuzzing::tls_hello(bytes));
