#include "gate_show.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../traces/digest.h"
#include "../traces/error.h"
#include "gate.h"

/* One line: what a run would begin with. Nothing but the head of the file is read. */
static enum gate_code list_one(const struct gate *gate, const struct gate_item *item)
{
	struct reader *reader = NULL;
	int fd = item->problem ? -1 : gate_open(item);
	int r = fd < 0 ? fd : reader_open(fd, -1, &reader);
	char start[32] = "", tenant[2 * TENANT_ID_SIZE + 1], label[GATE_LABEL_BYTES];
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
	hex_encode(item->tenant, TENANT_ID_SIZE, tenant);
	gate_tenant_label(gate, strspn(tenant, "0") == strlen(tenant) ? "default" : tenant, label);
	printf("  tenant %s ", label);
	for (const char *const *word = info->argv; *word; word++) {
		fputc(' ', stdout);
		gate_word(stdout, *word);
	}
	fputc('\n', stdout);
	reader_close(reader);
	close(fd);
	return GATE_OK;
}

int gate_list(struct gate *gate)
{
	enum gate_code code = gate->count ? GATE_OK : GATE_NOTHING;
	for (size_t i = 0; i < gate->count; i++)
		code = gate_worse(code, list_one(gate, &gate->items[i]));
	if (!gate->count)
		fprintf(stderr,
			"sworn gate: no trace was selected, %zu of other tenants were left out; name another TRACE, DIR "
			"or --tenant\n",
			gate->left_out);
	return fflush(stdout) == 0 ? (int)code : GATE_UNKNOWN;
}
