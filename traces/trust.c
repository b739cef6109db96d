#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "cose.h"
#include "digest.h"
#include "error.h"
#include "seal.h"

#define WORDS_MAX 6
#define SHORT_DIGITS 16

int trust_add(struct trust *trust, const struct trust_entry *entry)
{
	if (trust->count >= TRUST_ENTRIES_MAX)
		return SWORN_ELIMIT;
	struct trust_entry *entries = array_grow(trust->entries, trust->count, &trust->room,
						 sizeof(*entry));
	if (!entries)
		return -ENOMEM;
	trust->entries = entries;
	trust->entries[trust->count++] = *entry;
	return 0;
}

void trust_release(struct trust *trust)
{
	free(trust->entries);
	trust->entries = NULL;
	trust->count = trust->room = 0;
}

int trust_time_parse(const char *text, uint64_t *ret_time)
{
	struct tm utc = { 0 };
	char again[32];
	const char *end = strptime(text, "%Y-%m-%d", &utc);
	if (end && *end == 'T')
		end = strptime(end, "T%H:%M:%SZ", &utc);
	if (!end || *end)
		return SWORN_EFORMAT;
	time_t seconds = timegm(&utc);
	/* strptime() takes a 31st of February and single digits, too. */
	if (seconds < 0 ||
	    strftime(again, sizeof(again), strchr(text, 'T') ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%d",
		     gmtime_r(&seconds, &utc)) == 0 ||
	    strcmp(again, text) != 0)
		return SWORN_EFORMAT;
	*ret_time = (uint64_t)seconds;
	return 0;
}

static void format_time(uint64_t time, uint64_t absent, char *ret_text, size_t size)
{
	time_t seconds = (time_t)time;
	struct tm utc;
	if (time == absent || !gmtime_r(&seconds, &utc) ||
	    strftime(ret_text, size, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		snprintf(ret_text, size, "-");
}

void trust_format(const struct trust_entry *entry, char ret_line[TRUST_LINE_BYTES])
{
	char key[2 * KEY_BYTES + 1], from[32], until[32];
	char tenants[TRUST_TENANTS_MAX * (2 * TENANT_ID_SIZE + 1) + 2] = "*";
	for (size_t i = 0; i < entry->tenants_count; i++) {
		char *at = tenants + i * (2 * TENANT_ID_SIZE + 1);
		hex_encode(entry->tenants[i], TENANT_ID_SIZE, at);
		if (i + 1 < entry->tenants_count)
			at[2 * TENANT_ID_SIZE] = ',';
	}
	hex_encode(entry->key.public_key, KEY_BYTES, key);
	format_time(entry->from, 0, from, sizeof(from));
	format_time(entry->until, UINT64_MAX, until, sizeof(until));
	snprintf(ret_line, TRUST_LINE_BYTES, "%s %s %s %s %s %s",
		 key_purpose_name(entry->key.purpose), key, tenants, from, until, entry->name);
}

static int parse_tenants(char *text, struct trust_entry *entry)
{
	char *next;
	if (!strcmp(text, "*"))
		return 0;
	for (; text; text = next) {
		next = strchr(text, ',');
		if (next)
			*next++ = '\0';
		if (entry->tenants_count == TRUST_TENANTS_MAX ||
		    tenant_id_parse(text, entry->tenants[entry->tenants_count++]) < 0)
			return SWORN_EFORMAT;
	}
	return 0;
}

static int parse_key(const char *purpose, const char *text, struct trust_entry *entry)
{
	uint8_t bytes[KEY_BYTES];
	enum key_purpose found;
	size_t length;
	const char *end;
	if (key_purpose_find(purpose, &found) < 0 ||
	    sodium_hex2bin(bytes, sizeof(bytes), text, strlen(text), NULL, &length, &end) != 0 ||
	    *end || length != sizeof(bytes))
		return SWORN_EFORMAT;
	key_from_public(found, bytes, &entry->key);
	return 0;
}

/* PURPOSE PUBLIC-KEY TENANTS FROM UNTIL [NAME] */
static int parse_line(char *line, struct trust_entry *ret_entry)
{
	char *words[WORDS_MAX + 1], *rest = NULL;
	size_t count = 0;
	struct trust_entry entry = { .until = UINT64_MAX };
	for (char *word = strtok_r(line, " \t\r", &rest); word && count <= WORDS_MAX;
	     word = strtok_r(NULL, " \t\r", &rest))
		words[count++] = word;
	if (count < WORDS_MAX - 1 || count > WORDS_MAX ||
	    parse_key(words[0], words[1], &entry) < 0 || parse_tenants(words[2], &entry) < 0 ||
	    (strcmp(words[3], "-") != 0 && trust_time_parse(words[3], &entry.from) < 0) ||
	    (strcmp(words[4], "-") != 0 && trust_time_parse(words[4], &entry.until) < 0) ||
	    (count == WORDS_MAX && !tenant_name_is_valid(words[5])))
		return SWORN_EFORMAT;
	if (count == WORDS_MAX)
		snprintf(entry.name, sizeof(entry.name), "%s", words[5]);
	*ret_entry = entry;
	return 0;
}

int trust_parse(struct trust *trust, const char *name, const char *text, size_t length)
{
	char line[TRUST_LINE_BYTES];
	size_t number = 0;
	int r = 0;
	for (const char *at = text, *next; r == 0 && at < text + length; at = next) {
		struct trust_entry entry;
		size_t left = (size_t)(text + length - at);
		const char *end = memchr(at, '\n', left);
		size_t size = end ? (size_t)(end - at) : left;
		next = end ? end + 1 : text + length;
		number++;
		r = size < sizeof(line) && !memchr(at, '\0', size) ? 0 : SWORN_EFORMAT;
		if (r == 0) {
			memcpy(line, at, size);
			line[size] = '\0';
			if (line[strspn(line, " \t\r")] == '#' || !line[strspn(line, " \t\r")])
				continue;
			r = parse_line(line, &entry);
		}
		if (r == 0)
			r = trust_add(trust, &entry);
	}
	if (r == SWORN_EFORMAT) {
		snprintf(trust->reason, sizeof(trust->reason),
			 "%s, line %zu: not PURPOSE PUBLIC-KEY TENANTS FROM UNTIL [NAME]; `sworn key export` "
			 "prints such lines",
			 name, number);
		return SWORN_EKEYSTORE;
	}
	return r;
}

static int add_own(void *context, const struct tenant_file *file)
{
	const struct tenant *tenant = &file->tenant;
	int r = 0;
	for (size_t i = 0; r == 0 && i < tenant->keys_count; i++) {
		struct trust_entry entry = {
			.key = tenant->keys[i], .tenants_count = 1, .until = UINT64_MAX, .own = true
		};
		memcpy(entry.tenants[0], tenant->id, TENANT_ID_SIZE);
		snprintf(entry.name, sizeof(entry.name), "%s", tenant->name);
		r = trust_add(context, &entry);
	}
	return r;
}

static int read_file(struct trust *trust, const char *path)
{
	struct stat status;
	struct buffer text = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r = fd < 0 || fstat(fd, &status) < 0 ? -errno : 0;
	if (r == 0 && (!S_ISREG(status.st_mode) || (uint64_t)status.st_size > TRUST_FILE_MAX))
		r = SWORN_ELIMIT;
	if (r == 0)
		r = buffer_reserve(&text, (size_t)status.st_size + 1);
	if (r == 0 && pread(fd, text.bytes, (size_t)status.st_size, 0) != status.st_size)
		r = -EIO;
	if (fd >= 0)
		close(fd);
	if (r == 0)
		r = trust_parse(trust, path, (const char *)text.bytes, (size_t)status.st_size);
	else
		snprintf(trust->reason, sizeof(trust->reason),
			 "the trust file %s cannot be read: %s; name another with --trust", path,
			 error_text(r));
	buffer_release(&text);
	return r;
}

static int read_keystore(struct trust *trust, struct keystore *keystore)
{
	char path[HOME_PATH_MAX + 16];
	struct buffer text = { 0 };
	int r = keystore_each(keystore, add_own, trust);
	if (r == 0)
		r = keystore_read(keystore, KEYSTORE_TRUST, TRUST_FILE_MAX, &text);
	if (r < 0 && r != -ENOENT)
		memcpy(trust->reason, keystore->reason, sizeof(trust->reason));
	snprintf(path, sizeof(path), "%s/%s", keystore->path, KEYSTORE_TRUST);
	if (r == 0)
		r = trust_parse(trust, path, (const char *)text.bytes, text.length);
	buffer_release(&text);
	return r == -ENOENT ? 0 : r;
}

int trust_load(struct trust *trust, const char *path, const char *file)
{
	struct keystore *keystore = malloc(sizeof(*keystore));
	memset(trust, 0, sizeof(*trust));
	if (!keystore)
		return -ENOMEM;
	int r = keystore_open(keystore, path, false);
	if (r == 0)
		r = read_keystore(trust, keystore);
	else if (!keystore->named && (r == -ENOENT || r == -EACCES || r == -ENOTDIR))
		r = 0;
	else
		memcpy(trust->reason, keystore->reason, sizeof(trust->reason));
	/* Not to be taken for a trace that is missing. */
	if (r == -ENOENT)
		r = SWORN_EKEYSTORE;
	keystore_close(keystore);
	free(keystore);
	return r == 0 && file ? read_file(trust, file) : r;
}

int trust_tenant(const struct trust *trust, const char *tenant, uint8_t ret_id[TENANT_ID_SIZE])
{
	if (tenant_id_parse(tenant, ret_id) == 0)
		return 0;
	if (!strcmp(tenant, "default")) {
		memset(ret_id, 0, TENANT_ID_SIZE);
		return 0;
	}
	for (size_t i = 0; i < trust->count; i++) {
		const struct trust_entry *entry = &trust->entries[i];
		if (!entry->own || strcmp(entry->name, tenant) != 0)
			continue;
		memcpy(ret_id, entry->tenants[0], TENANT_ID_SIZE);
		return 0;
	}
	return -ENOENT;
}

int trust_store(const char *path, const uint8_t id[TENANT_ID_SIZE], char *ret_path, size_t size)
{
	struct keystore *keystore = malloc(sizeof(*keystore));
	if (!keystore)
		return -ENOMEM;
	int r = keystore_open(keystore, path, false);
	/* Where it would be, is known without it. */
	if (r == 0 || keystore->path[0])
		r = keystore_store(keystore, id, ret_path, size);
	keystore_close(keystore);
	free(keystore);
	return r;
}

const char *trust_state_text(enum trust_state state)
{
	switch (state) {
	case TRUST_OK: return "trusted";
	case TRUST_UNSIGNED: return "unsigned";
	case TRUST_UNKNOWN: return "unknown key";
	case TRUST_PURPOSE: return "other purpose";
	case TRUST_TENANT: return "other tenant";
	case TRUST_TIME: return "expired";
	}
	return "unknown key";
}

static enum trust_state match(const struct trust_entry *entry, const struct trust_claim *claim)
{
	bool found = entry->tenants_count == 0;
	if (entry->key.purpose != claim->purpose)
		return TRUST_PURPOSE;
	for (size_t i = 0; i < entry->tenants_count; i++)
		found |= !memcmp(entry->tenants[i], claim->tenant, TENANT_ID_SIZE);
	if (!found)
		return TRUST_TENANT;
	return claim->from >= entry->from && claim->until < entry->until ? TRUST_OK : TRUST_TIME;
}

static void explain(const struct trust_claim *claim, struct judgement *judgement)
{
	char kid[DIGEST_HEX_BYTES], tenant[2 * TENANT_ID_SIZE + 1], from[32], until[32];
	const char *name = judgement->signer.name[0] ? judgement->signer.name : "without a name";
	digest_hex(judgement->kid, kid);
	hex_encode(claim->tenant, TENANT_ID_SIZE, tenant);
	format_time(judgement->signer.from, 0, from, sizeof(from));
	format_time(judgement->signer.until, UINT64_MAX, until, sizeof(until));
	char *text = judgement->text;
	size_t size = sizeof(judgement->text);
	switch (judgement->state) {
	case TRUST_OK: snprintf(text, size, "%s (%.*s), trusted", name, SHORT_DIGITS, kid); return;
	case TRUST_UNSIGNED: snprintf(text, size, "nobody signed it"); return;
	case TRUST_UNKNOWN:
		snprintf(text, size, "signed by the unknown key %s, so by anybody", kid);
		return;
	case TRUST_PURPOSE:
		snprintf(text, size, "signed by %s (%.*s), whose key is for something else", name,
			 SHORT_DIGITS, kid);
		return;
	case TRUST_TENANT:
		snprintf(text, size, "signed by %s (%.*s), whose key is not trusted for tenant %s",
			 name, SHORT_DIGITS, kid, tenant);
		return;
	case TRUST_TIME:
		snprintf(text, size, "signed by %s (%.*s), whose key is trusted from %s until %s only",
			 name, SHORT_DIGITS, kid, from, until);
		return;
	}
}

void trust_judge(const struct trust *trust, const struct trust_claim *claim,
		 struct judgement *ret_judgement)
{
	struct judgement judgement = { .state = digest_is_zero(claim->kid) ? TRUST_UNSIGNED
									   : TRUST_UNKNOWN };
	memcpy(judgement.kid, claim->kid, DIGEST_BYTES);
	for (size_t i = 0; i < trust->count && judgement.state != TRUST_OK; i++) {
		if (!digest_equal(trust->entries[i].key.id, claim->kid))
			continue;
		judgement.state = match(&trust->entries[i], claim);
		judgement.signer = trust->entries[i];
	}
	explain(claim, &judgement);
	*ret_judgement = judgement;
}

int trust_judge_trace(const struct trust *trust, const struct reader *reader,
		      const struct trace_report *report, struct judgement *ret_judgement)
{
	struct trust_claim claim = { .kid = report->kid,
				     .tenant = report->tenant,
				     .purpose = KEY_RECORDER,
				     .from = report->started,
				     .until = report->ended > report->started ? report->ended
									      : report->started };
	struct envelope envelope;
	const uint8_t *bytes;
	size_t length;
	trust_judge(trust, &claim, ret_judgement);
	if (ret_judgement->state == TRUST_UNSIGNED || ret_judgement->state == TRUST_UNKNOWN)
		return 0;
	reader_envelope(reader, &bytes, &length);
	int r = envelope_decode(bytes, length, SEAL_TYPE_HEADER, &envelope);
	const struct key *key = &ret_judgement->signer.key;
	return r < 0 ? r : envelope_check(&envelope, key->purpose, key->public_key);
}

int trust_verdict(const struct judgement *judgement, const struct trace_report *report, int error,
		  const struct trust_allow *allow, uint64_t *ret_events)
{
	bool prefix = report->is_derived ? allow->repaired : allow->truncated;
	*ret_events = report->events;
	if (judgement->state == TRUST_UNSIGNED && !allow->is_unsigned)
		return error == SWORN_ETRUNCATED && !prefix ? error : SWORN_EUNSIGNED;
	if (judgement->state != TRUST_OK && judgement->state != TRUST_UNSIGNED && !allow->untrusted)
		return SWORN_EUNTRUSTED;
	if (error == 0)
		return 0;
	if (!prefix || report->events == 0)
		return SWORN_ETRUNCATED;
	if (allow->is_unsigned)
		return 0;
	*ret_events = report->signed_events;
	return report->signed_events > 0 ? 0 : SWORN_EUNSIGNED;
}
