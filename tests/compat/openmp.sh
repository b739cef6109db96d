#!/bin/bash
# OpenMP in C: four threads, barriers, critical sections, tasks
# group native
# needs gcc
# packages gcc
# version gcc --version
set -e
cat > all.c <<'EOF'
#include <omp.h>
#include <stdio.h>
static long fib(int n)
{
	long a, b;
	if (n < 12) return n < 2 ? n : fib(n - 1) + fib(n - 2);
#pragma omp task shared(a)
	a = fib(n - 1);
#pragma omp task shared(b)
	b = fib(n - 2);
#pragma omp taskwait
	return a + b;
}
int main(void)
{
	long sum = 0, result = 0;
	for (int round = 0; round < 20; round++) {
#pragma omp parallel
		{
#pragma omp for schedule(dynamic, 100) reduction(+ : sum)
			for (int i = 0; i < 10000; i++) sum += i % 7;
#pragma omp critical
			result++;
#pragma omp barrier
		}
	}
#pragma omp parallel
#pragma omp single
	result += fib(20);
	printf("%ld %ld\n", sum, result);
	return 0;
}
EOF
gcc -O2 -fopenmp all.c -o all && OMP_NUM_THREADS=4 ./all && OMP_NUM_THREADS=4 OMP_WAIT_POLICY=passive ./all
