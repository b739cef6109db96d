/*
 * Named processors: what CPUID, the auxiliary vector and /proc/cpuinfo say when a recording is made for a level of
 * the x86-64 psABI and not for the processor it happens to run on. Which features a model offers is fixed: exactly
 * those of its level, so that a program takes the same path wherever it is recorded. The host's own are used for two
 * things: a host that lacks a feature cannot record or replay for that model, and the layout of XSAVE's area is
 * the host's, as that instruction writes what XCR0 says whatever a program believes. Knows no guests and no files.
 */
#ifndef SWORN_SANDBOX_CPU_MODEL_H
#define SWORN_SANDBOX_CPU_MODEL_H

#include <stddef.h>
#include <stdint.h>

#define CPU_HOST "host" /* spelling of no model at all */

struct cpu_model;

/* The model of that name ("x86-64-v2", "x86-64-v3", "x86-64-v4"), or NULL. */
const struct cpu_model *cpu_model_find(const char *name);
/* Its name, as --cpu takes it. */
const char *cpu_model_name(const struct cpu_model *model);
/* The first feature of the model that this host lacks, by its name in /proc/cpuinfo; NULL when it has all. What
 * SWORN_WITHOUT names counts as lacking. */
const char *cpu_model_missing(const struct cpu_model *model);

/* What CPUID answers to a leaf (eax) and a subleaf (ecx): eax, ebx, ecx, edx. Leaves that the model does not have
 * are zeros. */
void cpu_model_answer(const struct cpu_model *model, uint32_t leaf, uint32_t subleaf, uint32_t ret[4]);
/* The value that the auxiliary vector's entry `type` has on such a processor, or `value` where it says nothing of it
 * (getauxval(3)). */
uint64_t cpu_model_auxv(const struct cpu_model *model, uint64_t type, uint64_t value);
/* The text of /proc/cpuinfo: one processor. Valid until the next call. */
const char *cpu_model_cpuinfo(const struct cpu_model *model);

#endif
