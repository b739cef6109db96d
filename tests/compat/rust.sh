#!/bin/bash
# rust: threads, channels, mutexes, a TCP server, built by rustc
# group native
# needs rustc
# packages rustc
# version rustc --version
set -e
cat > all.rs <<'EOF'
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{mpsc, Arc, Condvar, Mutex};
use std::thread;

fn main() {
    let (sender, receiver) = mpsc::channel();
    for i in 0..8u64 {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut sum = 0u64;
            for j in 0..50_000u64 { sum = (sum * 31 + j * i) % 1_000_003; }
            sender.send(sum).unwrap();
        });
    }
    drop(sender);
    println!("{}", receiver.iter().sum::<u64>());
    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let other = pair.clone();
    let t = thread::spawn(move || { for _ in 0..1000 { *other.0.lock().unwrap() += 1; } other.1.notify_all(); });
    let mut count = pair.0.lock().unwrap();
    while *count < 1000 { count = pair.1.wait(count).unwrap(); }
    println!("{}", *count);
    drop(count);
    t.join().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let t = thread::spawn(move || for _ in 0..3 {
        let (mut s, _) = listener.accept().unwrap();
        let mut b = [0; 7];
        s.read_exact(&mut b).unwrap();
        s.write_all(&b).unwrap();
    });
    for i in 0..3 {
        let mut s = TcpStream::connect(address).unwrap();
        write!(s, "hello {}", i).unwrap();
        let mut text = String::new();
        s.read_to_string(&mut text).unwrap();
        println!("{}", text);
    }
    t.join().unwrap();
    println!("{:?}", std::panic::catch_unwind(|| panic!("x")).is_err());
}
EOF
rustc -O all.rs && ./all
