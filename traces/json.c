#include "json.h"

#include <inttypes.h>

#include "digest.h"

static void begin(struct json *json, const char *key)
{
	if (json->more)
		fputc(',', json->out);
	if (key)
		fprintf(json->out, "\"%s\":", key);
	json->more = true;
}

void json_open(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	fputc(bracket, json->out);
	json->more = false;
}

void json_close(struct json *json, char bracket)
{
	fputc(bracket, json->out);
	json->more = true;
}

void json_uint(struct json *json, const char *key, uint64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_int(struct json *json, const char *key, int64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_text(struct json *json, const char *key, const char *text)
{
	begin(json, key);
	if (!text) {
		fputs("null", json->out);
		return;
	}
	fputc('"', json->out);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(json->out, "\\%c", *c);
		else if (*c >= 0x20 && *c < 0x7f)
			fputc(*c, json->out);
		else
			fprintf(json->out, "\\u%04x", *c);
	}
	fputc('"', json->out);
}

void json_digest(struct json *json, const char *key, const uint8_t *digest)
{
	char text[7 + DIGEST_HEX_BYTES] = "sha256:";
	digest_hex(digest, text + 7);
	json_text(json, key, digest_is_zero(digest) ? NULL : text);
}

void json_texts(struct json *json, const char *key, const char *const *texts)
{
	json_open(json, key, '[');
	for (; texts && *texts; texts++)
		json_text(json, NULL, *texts);
	json_close(json, ']');
}
