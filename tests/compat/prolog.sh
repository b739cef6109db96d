#!/bin/bash
# swi-prolog: threads and search
# group scripts
# needs swipl
# packages swi-prolog-nox
# version swipl --version
set -e
cat > all.pl <<'EOF'
queens(N, Q) :- numlist(1, N, L), permutation(L, Q), safe(Q).
safe([]). safe([H|T]) :- ok(H, T, 1), safe(T).
ok(_, [], _). ok(H, [X|T], D) :- H =\= X + D, H =\= X - D, D1 is D + 1, ok(H, T, D1).
:- queens(6, Q), write(Q), nl.
:- thread_create((numlist(1, 1000, L), sum_list(L, S), thread_exit(S)), Id), thread_join(Id, R), write(R), nl.
:- halt.
EOF
swipl -q all.pl < /dev/null
