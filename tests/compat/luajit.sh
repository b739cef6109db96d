#!/bin/bash
# luajit: a tracing compiler, the foreign function interface
# group scripts
# needs luajit
# packages luajit
# version luajit -v
set -e
cat > all.lua <<'EOF'
local ffi = require("ffi")
ffi.cdef[[ int getpid(void); int snprintf(char *s, size_t n, const char *f, ...); ]]
local x = 0
for i = 1, 3000000 do x = (x * 31 + i) % 1000003 end
print(x)
local b = ffi.new("char[32]")
ffi.C.snprintf(b, 32, "%d %s", ffi.new("int", 42), "text")
print(ffi.string(b), ffi.C.getpid() > 0)
local t = {}
for i = 1, 100000 do t[i] = { i } end
print(#t)
EOF
luajit all.lua
