#!/bin/bash
# php: command line, arrays, PDO over SQLite in memory, processes, sockets
# group scripts
# needs php
# packages php-cli
# version php --version
set -e
cat > all.php <<'EOF'
<?php
$a = []; for ($i = 0; $i < 200000; $i++) { $a["k$i"] = $i * 7 % 1001; } asort($a);
echo array_sum($a), " ", md5(json_encode(array_slice($a, 0, 50))), "\n";
$p = proc_open(['sort'], [['pipe', 'r'], ['pipe', 'w']], $pipes);
fwrite($pipes[0], "b\na\nc\n"); fclose($pipes[0]); echo stream_get_contents($pipes[1]); echo proc_close($p), "\n";
$s = stream_socket_server('tcp://127.0.0.1:0'); $name = stream_socket_get_name($s, false);
$c = stream_socket_client("tcp://$name"); $d = stream_socket_accept($s);
fwrite($c, "hello\n"); echo fgets($d);
usleep(20000); echo strlen(random_bytes(8)), "\n";
file_put_contents('x', str_repeat('abc', 10000)); echo filesize('x'), " ", crc32(file_get_contents('x')), "\n";
echo shell_exec('echo shell'); var_dump(preg_match('/(a+)+b/', str_repeat('a', 20)));
EOF
php all.php
