/* Prints docs/SYSCALLS.md from the table. */
#include "../../traces/syscall.h"
#include "../../traces/event.h"

#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {
	[ARG_NONE] = "",     [ARG_WORD] = "word",    [ARG_INT] = "int",	  [ARG_FD] = "fd",
	[ARG_SIZE] = "size", [ARG_FLAGS] = "flags",  [ARG_MODE] = "mode", [ARG_SIGNAL] = "signal",
	[ARG_PID] = "pid",   [ARG_ADDR] = "address",
};
static const char *const results[] = { "word", "fd", "address", "none" };
static const char *const grants[] = {
	"", "fs read", "fs write", "fs by flags", "net connect", "net listen", "proc spawn", "clock"
};
static const char *const flags[] = { "blocks",	    "output", "closes", "timer",
				     "writes file", "opens",  "quiet" };

static void print_scaled(const char *count, unsigned int unit)
{
	if (unit == 1)
		printf("%s bytes", count);
	else
		printf("%s * %u bytes", count, unit);
}

static void print_extent(const struct row *row, const struct arg *arg)
{
	const char *other = row->args[arg->arg].name;
	char least[64];

	switch ((enum extent)arg->extent) {
	case EXTENT_FIXED: printf("%u bytes", arg->unit); break;
	case EXTENT_COUNT: print_scaled(other, arg->unit); break;
	case EXTENT_RESULT:
		snprintf(least, sizeof(least), "min(result, %s)", other);
		print_scaled(least, arg->unit);
		break;
	case EXTENT_DEREF:
		snprintf(least, sizeof(least), "\\*%s", other);
		print_scaled(least, arg->unit);
		break;
	case EXTENT_STRING: printf("string"); break;
	case EXTENT_STRINGS: printf("strings"); break;
	case EXTENT_IOVEC: printf("iovec[%s]", other); break;
	case EXTENT_MSGHDR: printf("msghdr"); break;
	case EXTENT_MMSGHDR: printf("mmsghdr[%s]", other); break;
	case EXTENT_FDSET: printf("%s bits", other); break;
	case EXTENT_PAGES: printf("a byte per page of %s", other); break;
	case EXTENT_MSGBUF: printf("8 + %s bytes", other); break;
	case EXTENT_SPAN: printf("pointer and length, and what they name"); break;
	case EXTENT_PROGRAM: printf("sock_fprog and its instructions"); break;
	case EXTENT_IFCONF: printf("ifconf and its buffer"); break;
	case EXTENT_LIST:
		printf("%u bytes and %u for each that the word at %u counts", arg->head, arg->unit,
		       arg->arg);
		break;
	case EXTENT_SPECIAL: printf("by family"); break;
	}
}

static void print_arguments(const struct row *row)
{
	static const char *const ways[] = { "", "in", "out", "in and out" };

	for (unsigned int i = 0; i < row_args(row); i++) {
		const struct arg *arg = &row->args[i];

		printf("%s", i > 0 ? ", " : "");
		if (arg->kind == ARG_NONE) {
			printf("-");
		} else if (arg->kind == ARG_MEMORY) {
			printf("%s (%s: ", arg->name, ways[arg->direction]);
			print_extent(row, arg);
			printf(")");
		} else {
			printf("%s (%s)", arg->name, kinds[arg->kind]);
		}
	}
}

static void print_treatment(const struct row *row)
{
	printf("%s", treatment_name(row->treatment));
	if (row->family != FAMILY_NONE)
		printf(" %s", family_name(row->family));
	if (row->treatment == TREAT_REFUSE)
		printf(" %s: %s", strerrorname_np(row->error), row->reason);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (row->flags & 1u << i)
			printf(", %s", flags[i]);
	}
}

static void print_row(const struct row *row)
{
	const char *colon = strchr(row->name, ':');

	if (colon)
		printf("| | %s | ", colon + 1);
	else
		printf("| %u | **%s** | ", row->nr, row->name);
	print_treatment(row);
	printf(" | %s | %s | ", results[row->result], grants[row->grant]);
	print_arguments(row);
	printf(" |\n");
}

int main(void)
{
	size_t counts[TREAT_REFUSE + 1] = { 0 };

	for (size_t i = 0; i < syscall_rows(); i++)
		counts[syscall_row_at(i)->treatment]++;
	printf("# System calls\n\n"
	       "Generated from traces/syscall_table.def and its sub-tables by tests/tools/syscalls_doc.c; "
	       "HOWTO_ADD_SYSCALL.md explains the words.\n\n"
	       "Table version %d: %zu calls, of which %zu are emulated, %zu executed on both sides, "
	       "%zu special and %zu refused. Calls that take requests are followed by a line for each; "
	       "`other` is what a request gets that is not listed.\n\n"
	       "| Number | Name | Treatment | Result | Grant | Arguments |\n"
	       "| --- | --- | --- | --- | --- | --- |\n",
	       SYSCALL_TABLE_VERSION, syscall_rows(), counts[TREAT_EMULATE], counts[TREAT_EXECUTE],
	       counts[TREAT_SPECIAL], counts[TREAT_REFUSE]);
	for (size_t i = 0; i < syscall_rows(); i++) {
		const struct row *row = syscall_row_at(i);

		print_row(row);
		for (size_t k = 0; k < row->sub_count; k++)
			print_row(&row->sub[k]);
		if (row->fallback)
			print_row(row->fallback);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
