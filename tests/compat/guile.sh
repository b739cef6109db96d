#!/bin/bash
# guile: threads, futures, a big computation with garbage collection
# group scripts
# needs guile
# packages guile-3.0
# version guile --version
set -e
cat > all.scm <<'EOF'
(use-modules (ice-9 threads) (ice-9 futures) (ice-9 popen) (ice-9 rdelim))
(define (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(display (fib 22)) (newline)
(display (par-map fib '(10 12 14 16))) (newline)
(let ((t (make-thread (lambda () (fib 15))))) (display (join-thread t)) (newline))
(let ((p (open-input-pipe "echo pipe"))) (display (read-line p)) (newline) (close-pipe p))
(let loop ((i 0) (l '())) (if (< i 300000) (loop (+ i 1) (cons i l)) (begin (display (length l)) (newline))))
EOF
GUILE_AUTO_COMPILE=0 guile all.scm
