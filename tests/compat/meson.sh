#!/bin/bash
# meson and ninja with ccache: configure, build, test
# group build
# needs meson ninja ccache cc
# packages meson ninja-build ccache gcc
# version meson --version
set -e
export CCACHE_DIR=$PWD/cache
for ((i = 0; i < 10; i++)); do echo "int f$i(int x) { return x + $i; }" > f$i.c; done
echo 'int f3(int); int main(void) { return f3(1) != 4; }' > main.c
cat > meson.build <<'EOF'
project('small', 'c')
e = executable('main', 'main.c', 'f0.c', 'f1.c', 'f2.c', 'f3.c', 'f4.c', 'f5.c', 'f6.c', 'f7.c', 'f8.c', 'f9.c')
test('main', e)
EOF
CC='ccache cc' meson setup build > setup.log
ninja -C build > build.log
meson test -C build | grep -E '^Ok'
rm -rf build/main.p/*.o && ninja -C build > again.log
ccache -s | grep -c -i hit > /dev/null && echo cached
