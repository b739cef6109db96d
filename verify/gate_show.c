#include "gate_show.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../traces/error.h"
#include "gate.h"

static int usage(const char *problem, const char *detail)
{
	fprintf(stderr, "sworn gate: %s%s; `sworn gate --help` explains\n", problem, detail);
	return GATE_USAGE;
}

/* One line: what a run would begin with. Nothing but the head of the file is read. */
static enum gate_code list_one(const struct gate_item *item)
{
	struct reader *reader = NULL;
	int fd = item->problem ? -1 : open(item->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r = fd < 0 ? -errno : reader_open(fd, -1, &reader);
	char start[32] = "";
	if (item->problem || r < 0) {
		printf("%-20s  %-8s  ", "unreadable", "");
		gate_text(stdout, item->path);
		fputs(": ", stdout);
		gate_text(stdout, item->problem ? item->problem : error_text(r));
		fputc('\n', stdout);
		if (fd >= 0)
			close(fd);
		return item->problem ? item->code : GATE_INTEGRITY;
	}
	const struct trace_info *info = reader_info(reader);
	time_t seconds = (time_t)(info->started_utc_ns / 1000000000U);
	struct tm utc;
	if (gmtime_r(&seconds, &utc))
		strftime(start, sizeof(start), "%Y-%m-%dT%H:%M:%SZ", &utc);
	printf("%-20s  %-8s  ", start, info->schedule_seeded ? "seeded" : "observed");
	gate_text(stdout, item->path);
	fputs("  ", stdout);
	for (const char *const *word = info->argv; *word; word++) {
		fputc(' ', stdout);
		gate_word(stdout, *word);
	}
	fputc('\n', stdout);
	reader_close(reader);
	close(fd);
	return GATE_OK;
}

int gate_list(int argc, char **argv)
{
	struct gate gate = { .options = { .paths = argv + 1, .paths_count = argc - 1 } };
	enum gate_code code = GATE_OK;
	if (argc < 2)
		return usage("list wants a TRACE or DIR", "");
	if (argv[1][0] == '-')
		return usage("list knows no option ", argv[1]);
	if (gate_select(&gate) < 0) {
		fputs("sworn gate: memory is short; name fewer traces\n", stderr);
		gate_release(&gate);
		return GATE_UNKNOWN;
	}
	for (size_t i = 0; i < gate.count; i++)
		code = gate_worse(code, list_one(&gate.items[i]));
	gate_release(&gate);
	return fflush(stdout) == 0 ? (int)code : GATE_UNKNOWN;
}
