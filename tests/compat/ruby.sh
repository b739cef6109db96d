#!/bin/bash
# ruby: threads, fork, pipes, a TCP server, garbage collection
# group scripts
# needs ruby
# packages ruby
# version ruby --version
set -e
cat > all.rb <<'EOF'
require 'socket'
require 'timeout'
r, w = IO.pipe
pid = fork { r.close; w.puts 'child'; exit! 3 }
w.close
puts r.read
puts Process.wait2(pid)[1].exitstatus
queue = Queue.new
threads = 4.times.map { |i| Thread.new { 100.times { |j| queue << i * j } } }
threads.each(&:join)
puts queue.size
server = TCPServer.new('127.0.0.1', 0)
t = Thread.new { 3.times { c = server.accept; c.puts c.gets.upcase; c.close } }
3.times { |i| s = TCPSocket.new('127.0.0.1', server.addr[1]); s.puts "hello #{i}"; puts s.gets; s.close }
t.join
begin
	Timeout.timeout(0.1) { sleep 10 }
rescue Timeout::Error
	puts 'timeout'
end
a = (1..200_000).map { |i| i.to_s }
puts a.map(&:size).sum
GC.start
puts `echo shell`.strip
x = 0
200_000.times { |i| x = (x * 33 + i) % 65521 }
puts x
EOF
ruby all.rb
