#!/bin/bash
# sbcl: garbage collection that works by memory faults, threads
# group native
# needs sbcl
# packages sbcl
# version sbcl --version
set -e
cat > all.lisp <<'EOF'
(defun fib (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(format t "~a~%" (fib 24))
(let ((l '())) (dotimes (i 500000) (push (make-array 4) l) (when (zerop (mod i 1000)) (setf l '()))))
(gc :full t)
(let ((ts (loop for i from 1 to 4 collect (let ((i i)) (sb-thread:make-thread (lambda () (fib (+ 15 i))))))))
  (format t "~a~%" (mapcar #'sb-thread:join-thread ts)))
(handler-case (sb-ext:with-timeout 0.2 (loop)) (sb-ext:timeout () (format t "timeout~%")))
(sb-ext:exit)
EOF
sbcl --noinform --no-userinit --script all.lisp
