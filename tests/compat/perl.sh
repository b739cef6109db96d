#!/bin/bash
# perl: fork, pipes, sockets, signals, local $SIG{ALRM}
# group scripts
# needs perl
# packages perl
# version perl -e 'print $^V'
set -e
cat > all.pl <<'EOF'
use strict; use Socket; use IO::Socket::INET; use IO::Select; use POSIX ":sys_wait_h";
$| = 1;
pipe(my $r, my $w);
for my $i (1 .. 4) {
	next if fork;
	close $r; syswrite $w, "child $i\n"; exit $i;
}
close $w;
print sort <$r>;
my %status; while ((my $pid = wait) > 0) { $status{$? >> 8} = 1 }
print join(" ", sort keys %status), "\n";
my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or die;
my $port = $server->sockport;
if (!fork) {
	my $c = $server->accept; while (<$c>) { print $c uc } exit 0;
}
my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port) or die;
for (1 .. 20) { print $c "line $_\n"; print scalar <$c> } close $c; wait;
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC);
if (!fork) { close $a; print $b "pair\n"; exit 0 }
close $b; print <$a>; wait;
eval { local $SIG{ALRM} = sub { die "alarm\n" }; alarm 1; select undef, undef, undef, 20; };
print $@;
my $count = 0; $SIG{USR1} = sub { $count++ }; kill USR1 => $$ for 1 .. 5; print "$count\n";
open my $p, "-|", "echo from a pipe; exit 2"; print <$p>; close $p; print $? >> 8, "\n";
print `date +%Y > /dev/null; echo ok`;
EOF
perl all.pl
