#!/bin/bash
# perl_threads: threads, shared data, a select server with three clients
# group scripts
# needs perl
# packages perl
# version perl -e 'print $^V'
set -e
cat > a.pl <<'E'
use threads; use threads::shared; use Thread::Queue; use IO::Select; use IO::Socket::INET;
my $n :shared = 0; my $q = Thread::Queue->new;
my @t = map { my $i = $_; threads->create(sub { for (1..200) { lock($n); $n++ } $q->enqueue($i); return $i * 10 }) } 1..4;
print join(",", map { $_->join } @t), " $n ", $q->pending, "\n";
my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp') or die; my $port = $s->sockport;
for my $i (1..3) { next if fork; my $c = IO::Socket::INET->new("127.0.0.1:$port"); print $c "hello $i\n"; my $l = <$c>; exit($l eq "HELLO $i\n" ? 0 : 1) }
my $sel = IO::Select->new($s); my $done = 0;
while ($done < 3) { for my $f ($sel->can_read) { if ($f == $s) { $sel->add($s->accept) } else { my $l = <$f>; if (defined $l) { print $f uc $l } else { $sel->remove($f); close $f; $done++ } } } }
my @st; push @st, $? >> 8 while wait > 0; print "@st\n";
E
perl a.pl
