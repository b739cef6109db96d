#!/bin/bash
# ecl: a Lisp that compiles to C, with a conservative collector
# group native
# needs ecl
# packages ecl
# version ecl --version
set -e
ecl --norc --eval '(progn (defun fib (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (format t "~a~%" (fib 16)) (let ((l nil)) (dotimes (i 100000) (push (list i) l)) (format t "~a~%" (length l))) (ext:gc t) (ext:quit 0))' < /dev/null
