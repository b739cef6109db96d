#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "keyverb.h"
#include "../traces/error.h"
#include "../traces/outfile.h"
#include "../traces/trust.h"

static const char help[] =
	"usage: sworn key init [--passphrase | --passphrase-file FILE] [--keystore DIR]\n"
	"       sworn key export [--tenant ID|NAME] [-o FILE] [--secret [--passphrase-file FILE]] [--keystore DIR]\n"
	"       sworn key import FILE [--passphrase-file FILE] [--keystore DIR]\n"
	"       sworn key trust [FILE] [--tenant ID|any]... [--from TIME] [--until TIME] [--keystore DIR]\n"
	"\n"
	"Makes keys, moves them, and says whose signatures count here.\n"
	"\n"
	"  sworn key export -o mine.pub              what others need to check your traces: no secret\n"
	"  sworn key trust yours.pub --until 2031-01-01   accept theirs, until then\n"
	"\n"
	"init makes the keystore and the default tenant's keys, which the first recording would do too. export prints\n"
	"public keys, or with --secret writes all of a tenant's keys to FILE, wrapped by a passphrase, for import on\n"
	"another host. trust adds the keys of FILE (- is standard input) to the keystore's trust file; without FILE it prints\n"
	"that.\n"
	"\n"
	"  --tenant ID|NAME   export: whose keys (default: default). trust: for which tenants they count instead of\n"
	"                     those in FILE; `any` is all of them\n"
	"  --from TIME, --until TIME   when they count: YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ\n"
	"  --passphrase-file FILE   a passphrase from its first line, instead of asking for it\n"
	"  --keystore DIR     the keystore (default: $SWORN_KEYSTORE, $XDG_DATA_HOME/sworn/keys)\n"
	"\n"
	"Exits 0; 2 for wrong options or keys that are there already; 3 when it could not be done; 4 when there is no\n"
	"such tenant or file; 5 for a keystore, key or passphrase that must not be used.\n";

struct options {
	struct key_place place;
	const char *output, *tenants[TRUST_TENANTS_MAX];
	size_t tenants_count;
	uint64_t from, until;
	bool secret, has_from, has_until;
	const char *action, *file;
};

static int parse_time(const char *text, uint64_t *ret_time, bool *ret_has)
{
	*ret_has = true;
	return trust_time_parse(text, ret_time) < 0 ? key_usage("key", "no time: ", text) : 0;
}

static int parse_option(int c, struct options *ret)
{
	switch (c) {
	case 'K': ret->place.keystore = optarg; return 0;
	case 'o': ret->output = optarg; return 0;
	case 's': ret->secret = true; return 0;
	case 'p': ret->place.passphrase = true; return 0;
	case 'F':
		ret->place.passphrase = true;
		ret->place.passphrase_file = optarg;
		return 0;
	case 'T':
		if (ret->tenants_count == TRUST_TENANTS_MAX)
			return key_usage("key", "too many tenants: ", optarg);
		ret->tenants[ret->tenants_count++] = optarg;
		return 0;
	case 'f': return parse_time(optarg, &ret->from, &ret->has_from);
	case 'u': return parse_time(optarg, &ret->until, &ret->has_until);
	}
	return key_usage("key", "unknown option", "");
}

/* 0 to go on, 1 when help was printed, else the exit code. */
static int parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "keystore", required_argument, NULL, 'K' },
		{ "passphrase", no_argument, NULL, 'p' },
		{ "passphrase-file", required_argument, NULL, 'F' },
		{ "tenant", required_argument, NULL, 'T' },
		{ "from", required_argument, NULL, 'f' },
		{ "until", required_argument, NULL, 'u' },
		{ "secret", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, r;
	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":ho:", longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (c == ':')
			return key_usage("key", "a value is missing after ", argv[optind - 1]);
		if (c == '?')
			return key_usage("key", "unknown option ", argv[optind - 1]);
		r = parse_option(c, ret);
		if (r != 0)
			return r;
	}
	if (optind < argc)
		ret->action = argv[optind++];
	if (optind < argc)
		ret->file = argv[optind++];
	return optind < argc ? key_usage("key", "too much: ", argv[optind]) : 0;
}

static int init(const struct options *options, struct keystore *keystore)
{
	static const uint8_t id[TENANT_ID_SIZE];
	struct keystore_wrap wrap = { options->place.passphrase, options->place.passphrase_file };
	struct tenant tenant;
	int r = tenant_generate(id, "default", &tenant);
	if (r == 0)
		r = keystore_add(keystore, &tenant, &wrap);
	tenant_erase(&tenant);
	if (r == -EEXIST)
		snprintf(keystore->reason, sizeof(keystore->reason),
			 "%s has the default tenant's keys already; they stay", keystore->path);
	if (r == 0)
		printf("%s\n", keystore->path);
	return r;
}

/* The lines that a trust file elsewhere needs. */
static int export_public(const struct options *options, const struct tenant *tenant,
			 struct keystore *keystore)
{
	char text[TENANT_KEYS_MAX * TRUST_LINE_BYTES + 1] = "", line[TRUST_LINE_BYTES];
	for (size_t i = 0; i < tenant->keys_count; i++) {
		struct trust_entry entry = { .key = tenant->keys[i],
					     .tenants_count = 1,
					     .until = UINT64_MAX };
		memcpy(entry.tenants[0], tenant->id, TENANT_ID_SIZE);
		snprintf(entry.name, sizeof(entry.name), "%s", tenant->name);
		trust_format(&entry, line);
		strcat(strcat(text, line), "\n");
	}
	if (!options->output) {
		fputs(text, stdout);
		return 0;
	}
	int r = outfile_write(options->output, text, strlen(text), 0644);
	if (r < 0)
		snprintf(keystore->reason, sizeof(keystore->reason),
			 "%s cannot be written: %s; name another with -o", options->output,
			 error_text(r));
	return r;
}

static int export_secret(const struct options *options, struct tenant_file *file,
			 struct keystore *keystore)
{
	struct buffer content = { 0 };
	int r = keystore_unlock(keystore, file, options->place.passphrase_file);
	if (r == 0)
		r = keystore_export(keystore, &file->tenant, options->place.passphrase_file, &content);
	tenant_erase(&file->tenant);
	if (r == 0) {
		r = outfile_write(options->output, content.bytes, content.length, 0600);
		if (r < 0)
			snprintf(keystore->reason, sizeof(keystore->reason),
				 "%s cannot be written: %s; name another with -o", options->output,
				 error_text(r));
	}
	buffer_release(&content);
	return r;
}

static int export(const struct options *options, struct keystore *keystore)
{
	struct tenant_file file;
	int r = keystore_find(keystore, options->tenants_count ? options->tenants[0] : NULL, &file);
	if (r < 0)
		return r;
	return options->secret ? export_secret(options, &file, keystore)
			       : export_public(options, &file.tenant, keystore);
}

/* A whole file, or standard input, of at most TRUST_FILE_MAX bytes. */
static int slurp(const char *path, struct buffer *content, struct keystore *keystore)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
	int r = fd < 0 ? -errno : buffer_reserve(content, TRUST_FILE_MAX + 1);
	while (r == 0) {
		ssize_t n = read(fd, content->bytes + content->length,
				 TRUST_FILE_MAX + 1 - content->length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = n < 0 ? -errno : 0;
			break;
		}
		content->length += (size_t)n;
		if (content->length > TRUST_FILE_MAX)
			r = SWORN_ELIMIT;
	}
	if (fd > STDIN_FILENO)
		close(fd);
	if (r < 0)
		snprintf(keystore->reason, sizeof(keystore->reason),
			 "%s cannot be read: %s; name another file", path, error_text(r));
	return r;
}

static int import(const struct options *options, struct keystore *keystore)
{
	struct keystore_wrap wrap = { .passphrase = false };
	struct buffer content = { 0 };
	struct tenant_file file;
	int r = slurp(options->file, &content, keystore);
	if (r == 0) {
		r = keystore_import(keystore, content.bytes, content.length,
				    options->place.passphrase_file, &file);
		if (r == 0)
			r = keystore_add(keystore, &file.tenant, &wrap);
		tenant_erase(&file.tenant);
		if (r == -EEXIST)
			snprintf(keystore->reason, sizeof(keystore->reason),
				 "%s has a tenant of that name or id already; its keys stay",
				 keystore->path);
		if (r == 0)
			printf("%s\n", file.tenant.name);
	}
	buffer_release(&content);
	return r;
}

/* What the options say instead of the line. */
static int adjust(const struct options *options, const struct trust *own, struct trust_entry *entry)
{
	if (options->has_from)
		entry->from = options->from;
	if (options->has_until)
		entry->until = options->until;
	if (options->tenants_count)
		entry->tenants_count = 0;
	for (size_t i = 0; i < options->tenants_count; i++) {
		if (!strcmp(options->tenants[i], "any"))
			continue;
		if (trust_tenant(own, options->tenants[i], entry->tenants[entry->tenants_count++]) < 0)
			return -ENOENT;
	}
	return 0;
}

static int append(struct buffer *text, const struct trust_entry *entry)
{
	char line[TRUST_LINE_BYTES + 1];
	trust_format(entry, line);
	strcat(line, "\n");
	/* A line that is there already stays the only one of its kind. */
	if (text->length && memmem(text->bytes, text->length, line, strlen(line)))
		return 0;
	int r = buffer_append(text, line, strlen(line));
	if (r == 0)
		fputs(line, stdout);
	return r;
}

static int add_trust(const struct options *options, struct keystore *keystore, struct buffer *text)
{
	struct buffer given = { 0 };
	struct trust trust = { 0 }, own;
	int r = slurp(options->file, &given, keystore);
	if (r == 0) {
		r = trust_parse(&trust, options->file, (const char *)given.bytes, given.length);
		if (r < 0)
			memcpy(keystore->reason, trust.reason, sizeof(keystore->reason));
	}
	if (r == 0 && (r = trust_load(&own, options->place.keystore, NULL)) < 0)
		memcpy(keystore->reason, own.reason, sizeof(keystore->reason));
	if (r == 0 && text->length && text->bytes[text->length - 1] != '\n')
		r = buffer_append(text, "\n", 1);
	for (size_t i = 0; r == 0 && i < trust.count; i++) {
		r = adjust(options, &own, &trust.entries[i]);
		if (r == -ENOENT)
			snprintf(keystore->reason, sizeof(keystore->reason),
				 "a --tenant is neither an id nor a tenant of %s; `sworn tenant list` has those",
				 keystore->path);
		else
			r = append(text, &trust.entries[i]);
	}
	if (r == 0 && trust.count == 0) {
		snprintf(keystore->reason, sizeof(keystore->reason),
			 "%s has no keys; `sworn key export` prints them", options->file);
		r = -ENOENT;
	}
	if (r == 0)
		r = keystore_write(keystore, KEYSTORE_TRUST, text, true);
	trust_release(&trust);
	trust_release(&own);
	buffer_release(&given);
	return r;
}

static int trust(const struct options *options, struct keystore *keystore)
{
	struct buffer text = { 0 };
	/* Two who add at once must not lose what the other added. */
	flock(keystore->fd, LOCK_EX);
	int r = keystore_read(keystore, KEYSTORE_TRUST, TRUST_FILE_MAX, &text);
	if (r == -ENOENT)
		r = 0;
	if (r == 0 && options->file)
		r = add_trust(options, keystore, &text);
	else if (r == 0)
		fwrite(text.bytes ? text.bytes : (const uint8_t *)"", 1, text.length, stdout);
	flock(keystore->fd, LOCK_UN);
	buffer_release(&text);
	return r;
}

int cmd_key(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*function)(const struct options *options, struct keystore *keystore);
		int file; /* -1 none, 0 may be, 1 wanted */
		bool create;
	} actions[] = {
		{ "init", init, -1, true },
		{ "export", export, -1, false },
		{ "import", import, 1, true },
		{ "trust", trust, 0, true },
	};
	struct options options = { .until = UINT64_MAX };
	static struct keystore keystore;
	size_t i = 0;
	int r = parse(argc, argv, &options);
	if (r != 0)
		return r == 1 ? 0 : r;
	while (i < 4 && (!options.action || strcmp(actions[i].name, options.action) != 0))
		i++;
	if (i == 4)
		return key_usage("key", "init, export, import or trust is wanted, not ",
				 options.action ? options.action : "nothing");
	if ((actions[i].file < 0 && options.file) || (actions[i].file > 0 && !options.file))
		return key_usage("key", actions[i].name,
				 options.file ? " takes no file" : " wants a file");
	if (options.secret && !options.output)
		return key_usage("key", "--secret wants -o FILE: secrets are not printed", "");
	r = keystore_open(&keystore, options.place.keystore, actions[i].create);
	if (r == 0)
		r = actions[i].function(&options, &keystore);
	keystore_close(&keystore);
	return key_conclude("key", r, keystore.reason);
}
