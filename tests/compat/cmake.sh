#!/bin/bash
# cmake and ctest over a small project
# group build
# needs cmake ctest cc
# packages cmake gcc
# version cmake --version
set -e
cat > CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.20)
project(small C)
enable_testing()
add_library(sum sum.c)
add_executable(main main.c)
target_link_libraries(main sum)
add_test(NAME main COMMAND main)
add_test(NAME again COMMAND main)
EOF
echo 'int sum(int a, int b) { return a + b; }' > sum.c
echo 'int sum(int a, int b); int main(void) { return sum(2, 3) != 5; }' > main.c
cmake -S . -B build > configure.log
cmake --build build -j 2 > build.log
ctest --test-dir build -j 2 | grep 'tests passed'
