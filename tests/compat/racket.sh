#!/bin/bash
# racket: green threads, futures, a TCP server
# group scripts
# needs racket
# packages racket
# version racket --version
set -e
cat > a.rkt <<'E'
#lang racket/base
(require racket/place racket/future racket/tcp)
(define ch (make-channel))
(for ([i 10]) (thread (lambda () (channel-put ch (* i i)))))
(displayln (for/sum ([i 10]) (channel-get ch)))
(define fs (for/list ([i 4]) (future (lambda () (for/sum ([j 200000]) (* i j))))))
(displayln (map touch fs))
(define l (tcp-listen 0 5 #t "127.0.0.1"))
(define-values (a port b bp) (tcp-addresses l #t))
(define th (thread (lambda () (define-values (i o) (tcp-accept l)) (write (add1 (read i)) o) (close-output-port o))))
(define-values (i o) (tcp-connect "127.0.0.1" port))
(write 41 o) (close-output-port o)
(displayln (read i))
E
racket a.rkt
