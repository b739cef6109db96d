/*
 * Classic BPF as seccomp(2) uses it: the kernel's checks of a program and its meaning. Record and replay both
 * run guests' filters by it; the kernel never gets one. Pure code.
 */
#ifndef SWORN_SANDBOX_BPF_H
#define SWORN_SANDBOX_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True when the kernel would take the program for a filter of calls: 1..BPF_MAXINSNS instructions of the kinds
 * that seccomp(2) permits, loads inside struct seccomp_data, jumps forward and inside, no scratch word read
 * before it was written, no division by the constant 0, a return at the end. */
bool bpf_valid(const struct sock_filter *code, size_t count);

/* Runs a valid program. What it returns: SECCOMP_RET_*. A division by an index register of 0 ends it with 0. */
uint32_t bpf_run(const struct sock_filter *code, const struct seccomp_data *data);

#endif
