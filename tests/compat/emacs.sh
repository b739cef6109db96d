#!/bin/bash
# emacs: batch mode, byte compilation, a subprocess
# group terminal
# needs emacs
# packages emacs-nox
# version emacs --version
set -e
cat > all.el <<'EOF'
(defun fib (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(princ (format "%d\n" (fib 18)))
(princ (shell-command-to-string "echo child"))
(with-temp-buffer (dotimes (i 2000) (insert (number-to-string i))) (princ (format "%d\n" (buffer-size))))
EOF
emacs -Q --batch -f batch-byte-compile all.el 2> /dev/null
emacs -Q --batch -l ./all.elc
