#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../traces/digest.h"
#include "../traces/error.h"
#include "../traces/store.h"
#include "gate.h"
#include "input.h"

/* The tenant that a trust file names so: all its lines with that name have to be for one and the same. */
static int find_foreign(const struct trust *trust, const char *name, uint8_t ret_id[TENANT_ID_SIZE])
{
	const uint8_t *found = NULL;
	for (size_t i = 0; i < trust->count; i++) {
		const struct trust_entry *entry = &trust->entries[i];
		if (strcmp(entry->name, name) != 0)
			continue;
		if (entry->tenants_count != 1 ||
		    (found && memcmp(found, entry->tenants[0], TENANT_ID_SIZE) != 0))
			return -ENOTUNIQ;
		found = entry->tenants[0];
	}
	if (!found)
		return -ENOENT;
	memcpy(ret_id, found, TENANT_ID_SIZE);
	return 0;
}

static int unknown_tenant(const struct gate *gate, const char *name)
{
	const char *nearest = "default";
	for (size_t i = 0; i < gate->trust.count; i++) {
		const char *known = gate->trust.entries[i].name;
		if (*known && input_distance(name, known) < input_distance(name, nearest))
			nearest = known;
	}
	fprintf(stderr,
		"sworn gate: --tenant %s: neither an id nor the name of one tenant in the keystore or trust file; the "
		"name most like it is %s, `sworn tenant list` shows yours\n",
		name, nearest);
	return GATE_USAGE;
}

int gate_tenants_load(struct gate *gate)
{
	const struct gate_options *options = &gate->options;
	int r = trust_load(&gate->trust, options->keystore, options->trust_file);
	if (r < 0) {
		fprintf(stderr, "sworn gate: nothing was checked: %s\n",
			gate->trust.reason[0] ? gate->trust.reason : error_text(r));
		return GATE_UNKNOWN;
	}
	for (size_t i = 0; options->tenants[i]; i++)
		if (trust_tenant(&gate->trust, options->tenants[i], gate->tenants[i]) < 0 &&
		    find_foreign(&gate->trust, options->tenants[i], gate->tenants[i]) < 0)
			return unknown_tenant(gate, options->tenants[i]);
	return 0;
}

static char *store_of(const struct gate *gate, const uint8_t id[TENANT_ID_SIZE])
{
	char path[HOME_PATH_MAX];
	return trust_store(gate->options.keystore, id, path, sizeof(path)) == 0 ? strdup(path) : NULL;
}

/* Opens @NAME in the first store of a tenant that was asked for and has it, else in the default one. */
static int open_stored(const struct gate *gate, struct gate_item *item)
{
	static const uint8_t nobody[TENANT_ID_SIZE];
	const struct gate_options *options = &gate->options;
	int fd = SWORN_ENOTRACE;
	if (options->store) {
		item->store = strdup(options->store);
		return item->store ? gate_open(item) : -ENOMEM;
	}
	for (size_t i = 0; i == 0 || options->tenants[i]; i++) {
		free(item->store);
		item->store = store_of(gate, options->tenants[0] ? gate->tenants[i] : nobody);
		fd = gate_open(item);
		if (fd >= 0 || !options->tenants[0])
			break;
	}
	return fd;
}

/* Whose trace it says to be; nobody has checked that yet. */
static void look_at(const struct gate *gate, struct gate_item *item)
{
	struct reader *reader = NULL;
	char text[512];
	bool named = item->path[0] == '@';
	int fd = named ? open_stored(gate, item) : gate_open(item), store_fd;
	if (fd == SWORN_ENOTRACE || fd == -ENOENT) {
		store_fd = store_find(item->store);
		input_missing_text(store_fd, item->path, text, sizeof(text));
		if (store_fd >= 0)
			close(store_fd);
		item->problem = strdup(text);
		item->code = GATE_NOTHING;
	}
	if (fd < 0)
		return;
	if (reader_open(fd, -1, &reader) == 0) {
		memcpy(item->tenant, reader_tenant(reader), TENANT_ID_SIZE);
		item->has_tenant = true;
		if (!item->store)
			item->store = gate->options.store ? strdup(gate->options.store)
							  : store_of(gate, item->tenant);
	}
	reader_close(reader);
	close(fd);
}

static bool is_wanted(const struct gate *gate, const struct gate_item *item)
{
	/* What does not say whose it is cannot be left out. */
	if (!gate->options.tenants[0] || !item->has_tenant)
		return true;
	for (size_t i = 0; gate->options.tenants[i]; i++)
		if (!memcmp(gate->tenants[i], item->tenant, TENANT_ID_SIZE))
			return true;
	return false;
}

void gate_tenants_choose(struct gate *gate)
{
	size_t kept = 0;
	for (size_t i = 0; i < gate->count; i++) {
		struct gate_item *item = &gate->items[i];
		if (!item->problem)
			look_at(gate, item);
		if (is_wanted(gate, item)) {
			gate->items[kept++] = *item;
		} else {
			gate->left_out++;
			gate_item_release(item);
		}
	}
	gate->count = kept;
}

void gate_tenant_label(const struct gate *gate, const char *tenant, char ret_text[GATE_LABEL_BYTES])
{
	uint8_t id[TENANT_ID_SIZE], named[TENANT_ID_SIZE];
	snprintf(ret_text, GATE_LABEL_BYTES, "%s", tenant);
	if (tenant_id_parse(tenant, id) < 0)
		return;
	for (size_t i = 0; i < gate->trust.count; i++) {
		const struct trust_entry *entry = &gate->trust.entries[i];
		if (!entry->name[0] || entry->tenants_count != 1 ||
		    memcmp(entry->tenants[0], id, TENANT_ID_SIZE) != 0)
			continue;
		/* A name says something only where it is that of one tenant. */
		if (find_foreign(&gate->trust, entry->name, named) == 0)
			snprintf(ret_text, GATE_LABEL_BYTES, "%s (%s)", entry->name, tenant);
		return;
	}
}
