#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../traces/catalog.h"
#include "../traces/error.h"
#include "../traces/report.h"
#include "../traces/store.h"
#include "verify.h"
#include "input.h"

#define SHORT_NAME 12	 /* characters of a name; as many as a store of people's traces needs */
#define COMMAND_BYTES 72 /* printed of a command */
#define NS_PER_SECOND UINT64_C(1000000000)

static const char help[] = "usage: sworn list [--json] [--store DIR]\n"
			   "\n"
			   "  sworn list\n"
			   "  sworn list --json | python3 -m json.tool\n"
			   "\n"
			   "Lists the traces of a store, oldest first; * marks the one that `sworn replay` takes without a name. The state is what\n"
			   "the seal says, which nobody checked here: sealed (complete), prefix (the recorder ended early), repaired, recording,\n"
			   "unfinished (the recorder was killed: see `sworn repair`), damaged, newer. The beginning of a name is enough wherever\n"
			   "@NAME is asked for.\n"
			   "\n"
			   "  --json         one JSON object\n"
			   "  --store DIR    the store (default: $XDG_DATA_HOME/sworn/store)\n"
			   "  --help         print this\n"
			   "\n"
			   "Exits 0, 2 wrong options, 3 the store could not be read.\n";

static void print_command(const struct catalog_entry *entry)
{
	char text[COMMAND_BYTES + 4];
	size_t length = 0;
	const char *const *argument = entry->info.text ? entry->info.info.argv : NULL;
	for (; argument && *argument && length < COMMAND_BYTES; argument++) {
		if (length > 0)
			text[length++] = ' ';
		for (const char *c = *argument; *c && length < COMMAND_BYTES; c++)
			text[length++] = *c >= 0x20 && *c <= 0x7e ? *c : '?';
	}
	memcpy(text + length, length < COMMAND_BYTES ? "" : "...", length < COMMAND_BYTES ? 1 : 4);
	puts(text);
}

static void print_entry(const struct catalog_entry *entry)
{
	time_t seconds = (time_t)(entry->started_ns / NS_PER_SECOND);
	char started[32] = "-", events[24] = "-";
	struct tm utc;
	if (entry->started_ns && gmtime_r(&seconds, &utc))
		strftime(started, sizeof(started), "%Y-%m-%d %H:%M:%S", &utc);
	if (entry->events)
		snprintf(events, sizeof(events), "%" PRIu64, entry->events);
	printf("%c %-12.*s  %-10s  %-19s  %10s  %12" PRIu64 "  ", entry->latest ? '*' : ' ', SHORT_NAME,
	       entry->file, catalog_state_name(entry->state), started, events, entry->bytes);
	print_command(entry);
}

static void print_table(const struct catalog *catalog)
{
	if (catalog->count > 0)
		printf("  %-12s  %-10s  %-19s  %10s  %12s  %s\n", "NAME", "STATE", "STARTED (UTC)",
		       "EVENTS", "BYTES", "COMMAND");
	for (size_t i = 0; i < catalog->count; i++)
		print_entry(&catalog->entries[i]);
}

static void print_json_entry(struct json *json, const struct catalog_entry *entry)
{
	char name[PATH_BYTES_MAX];
	size_t length = strlen(entry->file), suffix = strlen(STORE_SUFFIX);
	if (length > suffix && !strcmp(entry->file + length - suffix, STORE_SUFFIX))
		length -= suffix;
	snprintf(name, sizeof(name), "@%.*s", (int)length, entry->file);
	json_open(json, NULL, '{');
	json_text(json, "name", name);
	json_text(json, "state", catalog_state_name(entry->state));
	json_bool(json, "latest", entry->latest);
	json_uint(json, "bytes", entry->bytes);
	json_uint(json, "events", entry->events);
	if (entry->info.text) {
		report_print_tenant(json, entry->tenant);
		json_texts(json, "argv", entry->info.info.argv);
		json_text(json, "directory", entry->info.info.directory);
		report_print_recorded(json, &entry->info.info);
	}
	json_close(json, '}');
}

static void print_json(const struct catalog *catalog, const char *path)
{
	struct json json = { .out = stdout };
	json_open(&json, NULL, '{');
	report_head(&json, "list");
	json_text(&json, "store", path);
	json_open(&json, "traces", '[');
	for (size_t i = 0; i < catalog->count; i++)
		print_json_entry(&json, &catalog->entries[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	putchar('\n');
}

static enum verify_code list(const char *store, bool as_json)
{
	char link[64], path[PATH_BYTES_MAX] = "";
	struct catalog catalog = { .count = 0 };
	int store_fd = store_find(store);
	/* Without a name and without a recording there is no store yet, which is no mistake. */
	if (store_fd < 0 && (store || store_fd != -ENOENT))
		return input_store("list", store, true) < 0 ? VERIFY_UNKNOWN : VERIFY_OK;
	if (store_fd >= 0) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", store_fd);
		ssize_t length = readlink(link, path, sizeof(path) - 1);
		path[length < 0 ? 0 : length] = '\0';
		int r = catalog_read(store_fd, &catalog);
		close(store_fd);
		if (r < 0) {
			catalog_release(&catalog);
			return input_fail("list", path, r);
		}
	}
	if (as_json)
		print_json(&catalog, path);
	else
		print_table(&catalog);
	if (catalog.count == 0 && !as_json)
		fprintf(stderr,
			"sworn list: the store has no traces; `sworn record -- COMMAND` makes one\n");
	catalog_release(&catalog);
	return fflush(stdout) ? input_fail("list", "the output", -EIO) : VERIFY_OK;
}

int cmd_list(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "store", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *store = NULL;
	bool as_json = false;
	int option;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", longs, NULL)) >= 0) {
		switch (option) {
		case 's': store = optarg; break;
		case 'j': as_json = true; break;
		case 'h': fputs(help, stdout); return 0;
		case ':': return input_usage("list", "an option lacks its value");
		default: return input_unknown("list", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return input_usage("list", "there is nothing to name");
	return (int)list(store, as_json);
}
