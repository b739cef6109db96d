#!/bin/bash
# lua: coroutines, strings, tables, pipes
# group scripts
# needs lua5.4
# packages lua5.4
# version lua5.4 -v
set -e
cat > all.lua <<'EOF'
local t = {}
for i = 1, 200000 do t[i] = (i * 7919) % 10007 end
table.sort(t)
print(t[1], t[100000], t[200000])
local co = coroutine.wrap(function() for i = 1, 5 do coroutine.yield(i * i) end end)
print(co(), co(), co())
local p = io.popen("echo popen; exit 4")
print(p:read("a"), p:close())
local s = {}
for i = 1, 20000 do s[#s + 1] = ("%05d"):format(i) end
print(#table.concat(s), select(2, table.concat(s):gsub("7", "")))
print(collectgarbage("count") > 0)
EOF
lua5.4 all.lua
