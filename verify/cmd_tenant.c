#include "verify.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyverb.h"
#include "../traces/digest.h"
#include "../traces/error.h"
#include "../traces/report.h"

static const char help[] =
	"usage: sworn tenant create NAME [--id ID] [--passphrase | --passphrase-file FILE] [--keystore DIR]\n"
	"       sworn tenant list [--json] [--keystore DIR]\n"
	"       sworn tenant show NAME|ID [--json] [--keystore DIR]\n"
	"\n"
	"A tenant has an id, keys of its own, and a store of its own. Each trace belongs to one tenant; the one that\n"
	"is always there is `default`, whose id is zeros.\n"
	"\n"
	"  sworn tenant create acme && sworn record --tenant acme -- make test\n"
	"  sworn tenant list\n"
	"\n"
	"  --id ID            32 hexadecimal digits, instead of random ones: the same tenant on another host\n"
	"  --passphrase       wrap its secret keys with a passphrase instead of the keyfile, and ask for it\n"
	"  --passphrase-file FILE  the same, with the passphrase from the first line of FILE\n"
	"  --keystore DIR     the keystore (default: $SWORN_KEYSTORE, $XDG_DATA_HOME/sworn/keys)\n"
	"  --json             the answer as JSON\n"
	"\n"
	"Exits 0; 2 for wrong options or a name that is taken; 3 when it could not be done; 4 when there is no such\n"
	"tenant; 5 for a keystore that must not be used.\n";

struct options {
	struct key_place place;
	const char *id;
	bool json;
	const char *words[3]; /* what is no option */
	int words_count;
};

static int parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "keystore", required_argument, NULL, 'K' },
		{ "id", required_argument, NULL, 'I' },
		{ "passphrase", no_argument, NULL, 'p' },
		{ "passphrase-file", required_argument, NULL, 'F' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;
	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		switch (c) {
		case 'h': fputs(help, stdout); return 1;
		case 'K': ret->place.keystore = optarg; break;
		case 'I': ret->id = optarg; break;
		case 'p': ret->place.passphrase = true; break;
		case 'F':
			ret->place.passphrase = true;
			ret->place.passphrase_file = optarg;
			break;
		case 'j': ret->json = true; break;
		case ':': return key_usage("tenant", "a value is missing after ", argv[optind - 1]);
		default: return key_usage("tenant", "unknown option ", argv[optind - 1]);
		}
	}
	for (; optind < argc; optind++) {
		if (ret->words_count == 3)
			return key_usage("tenant", "too much: ", argv[optind]);
		ret->words[ret->words_count++] = argv[optind];
	}
	return 0;
}

struct listing {
	const struct keystore *keystore;
	struct json json; /* out NULL: text */
	bool brief;	  /* one line for each */
};

static void print_json(struct json *json, const struct tenant_file *file, const char *store)
{
	const struct tenant *tenant = &file->tenant;
	char hex[DIGEST_HEX_BYTES], created[32];
	json_open(json, NULL, '{');
	report_print_tenant(json, tenant->id);
	json_text(json, "name", tenant->name);
	report_time(tenant->created, created, sizeof(created));
	json_text(json, "created", created);
	json_text(json, "wrapped", file->wrap.kind == WRAP_PASSPHRASE ? "passphrase" : "keyfile");
	json_text(json, "store", store);
	json_open(json, "keys", '[');
	for (size_t i = 0; i < tenant->keys_count; i++) {
		json_open(json, NULL, '{');
		json_text(json, "purpose", key_purpose_name(tenant->keys[i].purpose));
		hex_encode(tenant->keys[i].public_key, KEY_BYTES, hex);
		json_text(json, "public_key", hex);
		json_digest(json, "kid", tenant->keys[i].id);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_close(json, '}');
}

static void print_text(const struct listing *listing, const struct tenant_file *file, const char *store)
{
	const struct tenant *tenant = &file->tenant;
	char hex[DIGEST_HEX_BYTES], created[32];
	report_time(tenant->created, created, sizeof(created));
	hex_encode(tenant->id, TENANT_ID_SIZE, hex);
	printf("%s  %s\n", hex, tenant->name);
	if (listing->brief)
		return;
	printf("  %-12s %s\n  %-12s %s\n  %-12s %s\n", "created", created, "secrets",
	       file->wrap.kind == WRAP_PASSPHRASE ? "wrapped by a passphrase" : "wrapped by the keyfile",
	       "store", store);
	for (size_t i = 0; i < tenant->keys_count; i++) {
		digest_hex(tenant->keys[i].id, hex);
		printf("  %-12s kid %s\n", key_purpose_name(tenant->keys[i].purpose), hex);
	}
}

static int print_tenant(void *context, const struct tenant_file *file)
{
	struct listing *listing = context;
	char store[HOME_PATH_MAX];
	if (keystore_store(listing->keystore, file->tenant.id, store, sizeof(store)) < 0)
		store[0] = '\0';
	if (listing->json.out)
		print_json(&listing->json, file, store);
	else
		print_text(listing, file, store);
	return 0;
}

static int list(const struct options *options, struct keystore *keystore)
{
	struct listing listing = { .keystore = keystore, .brief = true };
	if (options->json)
		listing.json.out = stdout;
	if (options->json)
		json_open(&listing.json, NULL, '[');
	int r = keystore_each(keystore, print_tenant, &listing);
	if (options->json) {
		json_close(&listing.json, ']');
		putchar('\n');
	}
	return r;
}

static int show(const struct options *options, struct keystore *keystore)
{
	struct listing listing = { .keystore = keystore };
	struct tenant_file file;
	int r = keystore_find(keystore, options->words[1], &file);
	if (r < 0)
		return r;
	if (options->json)
		listing.json.out = stdout;
	print_tenant(&listing, &file);
	if (options->json)
		putchar('\n');
	return 0;
}

static int create(const struct options *options, struct keystore *keystore)
{
	const char *name = options->words[1];
	struct listing listing = { .keystore = keystore };
	struct keystore_wrap wrap = { options->place.passphrase, options->place.passphrase_file };
	struct tenant_file file;
	struct tenant tenant;
	uint8_t id[TENANT_ID_SIZE];
	if (options->id)
		tenant_id_parse(options->id, id);
	int r = tenant_generate(options->id ? id : NULL, name, &tenant);
	if (r == 0)
		r = keystore_add(keystore, &tenant, &wrap);
	tenant_erase(&tenant);
	if (r == -EEXIST)
		snprintf(keystore->reason, sizeof(keystore->reason),
			 "%s has a tenant of that name or id already; choose another", keystore->path);
	if (r == 0)
		r = keystore_find(keystore, name, &file);
	return r < 0 ? r : print_tenant(&listing, &file);
}

int cmd_tenant(int argc, char **argv)
{
	struct options options = { 0 };
	struct keystore keystore;
	uint8_t id[TENANT_ID_SIZE];
	int r = parse(argc, argv, &options);
	const char *action = options.words_count ? options.words[0] : "";
	bool is_create = !strcmp(action, "create"), is_list = !strcmp(action, "list");
	if (r != 0)
		return r == 1 ? 0 : r;
	if (!is_create && !is_list && strcmp(action, "show") != 0)
		return key_usage("tenant", "create, list or show is wanted, not ",
				 *action ? action : "nothing");
	if (options.words_count != (is_list ? 1 : 2))
		return key_usage("tenant", action, is_list ? " takes no name" : " wants one name");
	if (is_create && !tenant_name_is_valid(options.words[1]))
		return key_usage("tenant",
				 "a name has up to 64 letters, digits, dots, dashes and underscores, unlike ",
				 options.words[1]);
	if (options.id && tenant_id_parse(options.id, id) < 0)
		return key_usage("tenant", "an id has 32 hexadecimal digits, unlike ", options.id);
	r = keystore_open(&keystore, options.place.keystore, is_create);
	if (r == 0)
		r = is_create ? create(&options, &keystore)
		    : is_list ? list(&options, &keystore)
			      : show(&options, &keystore);
	keystore_close(&keystore);
	return key_conclude("tenant", r, keystore.reason);
}
