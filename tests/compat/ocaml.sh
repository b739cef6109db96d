#!/bin/bash
# ocaml: native compilation, garbage collection, Unix processes
# group native
# needs ocamlopt
# packages ocaml-nox
# version ocamlopt -version
set -e
cat > all.ml <<'EOF'
let rec fib n = if n < 2 then n else fib (n - 1) + fib (n - 2)
let () =
  Printf.printf "%d\n" (fib 25);
  let h = Hashtbl.create 16 in
  for i = 0 to 100000 do Hashtbl.replace h (string_of_int (i mod 5003)) i done;
  Printf.printf "%d\n" (Hashtbl.length h);
  let r, w = Unix.pipe () in
  match Unix.fork () with
  | 0 -> ignore (Unix.write_substring w "child" 0 5); exit 3
  | pid ->
    let b = Bytes.create 5 in
    ignore (Unix.read r b 0 5);
    (match Unix.waitpid [] pid with
     | _, Unix.WEXITED n -> Printf.printf "%s %d\n" (Bytes.to_string b) n
     | _ -> ());
    Gc.full_major ()
EOF
ocamlopt -I +unix unix.cmxa all.ml -o all 2> /dev/null && ./all
