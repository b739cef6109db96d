#!/bin/bash
# cargo: builds and tests a small crate
# group native
# needs cargo rustc
# packages cargo
# version cargo --version
set -e
export CARGO_HOME=$PWD/home HOME=$PWD
mkdir -p src && printf '[package]\nname = "small"\nversion = "0.1.0"\nedition = "2021"\n' > Cargo.toml
cat > src/main.rs <<'EOF'
fn add(a: u32, b: u32) -> u32 { a + b }
fn main() { println!("{}", add(2, 3)); }
#[test]
fn adds() { assert_eq!(add(2, 2), 4); }
#[test]
fn threads() { let t: Vec<_> = (0..4).map(|i| std::thread::spawn(move || add(i, 1))).collect(); assert_eq!(t.into_iter().map(|t| t.join().unwrap()).sum::<u32>(), 10); }
EOF
cargo --offline run -q
cargo --offline test -q 2> /dev/null | grep -c 'test result: ok'
