#include "out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../traces/digest.h"

#define BUFFER_BYTES 262144U

int out_init(struct out *out, int fd, bool json)
{
	*out = (struct out){ .fd = fd, .json = json, .bytes = malloc(BUFFER_BYTES), .size = BUFFER_BYTES };
	return out->bytes ? 0 : -ENOMEM;
}

static void drain(struct out *out)
{
	size_t done = 0;
	while (done < out->used && !out->error) {
		ssize_t n = write(out->fd, out->bytes + done, out->used - done);
		if (n < 0 && errno != EINTR)
			out->error = -errno;
		else if (n > 0)
			done += (size_t)n;
	}
	out->used = 0;
}

int out_close(struct out *out)
{
	drain(out);
	free(out->bytes);
	out->bytes = NULL;
	return out->error;
}

/* Text that goes nowhere stays, in a buffer that grows; where it cannot, what there was is given up. */
static void grow(struct out *out)
{
	char *grown = out->size < OUT_KEPT_BYTES_MAX ? realloc(out->bytes, 2 * out->size) : NULL;
	if (grown) {
		out->bytes = grown;
		out->size *= 2;
		return;
	}
	out->error = -ENOMEM;
	out->used = 0;
}

/* Room for so many bytes, which must be fewer than BUFFER_BYTES. */
static char *room(struct out *out, size_t bytes)
{
	if (out->size - out->used < bytes && out->fd < 0)
		grow(out);
	else if (out->size - out->used < bytes)
		drain(out);
	return out->bytes + out->used;
}

void out_char(struct out *out, char c)
{
	*room(out, 1) = c;
	out->used++;
}

void out_raw(struct out *out, const void *bytes, size_t length)
{
	const char *from = bytes;
	while (length > 0) {
		size_t part = length < BUFFER_BYTES ? length : BUFFER_BYTES;
		memcpy(room(out, part), from, part);
		out->used += part;
		from += part;
		length -= part;
	}
}

void out_text(struct out *out, const char *text)
{
	out_raw(out, text, strlen(text));
}

void out_uint(struct out *out, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);
	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	memcpy(room(out, sizeof(digits)), digits + at, sizeof(digits) - at);
	out->used += sizeof(digits) - at;
}

void out_int(struct out *out, int64_t value)
{
	if (value < 0)
		out_char(out, '-');
	out_uint(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static void out_power(struct out *out, uint64_t value, unsigned int bits)
{
	char digits[24];
	size_t at = sizeof(digits);
	do
		digits[--at] = "0123456789abcdef"[value & ((1U << bits) - 1)];
	while ((value >>= bits) > 0);
	memcpy(room(out, sizeof(digits)), digits + at, sizeof(digits) - at);
	out->used += sizeof(digits) - at;
}

void out_hex(struct out *out, uint64_t value)
{
	out_text(out, "0x");
	out_power(out, value, 4);
}

void out_octal(struct out *out, uint64_t value)
{
	if (value)
		out_char(out, '0');
	out_power(out, value, 3);
}

void out_format(struct out *out, const char *format, ...)
{
	va_list list;
	char *at = room(out, 4096);
	va_start(list, format);
	int n = vsnprintf(at, 4096, format, list);
	va_end(list);
	out->used += n < 0 ? 0 : n < 4096 ? (size_t)n : 4095;
}

void out_digest(struct out *out, const uint8_t *digest)
{
	char text[DIGEST_HEX_BYTES];
	if (digest_is_zero(digest)) {
		out_char(out, '-');
		return;
	}
	digest_hex(digest, text);
	out_text(out, "sha256:");
	out_text(out, text);
}

static void escaped(struct out *out, unsigned char c)
{
	char *at = room(out, 4);
	size_t n = 2;
	at[0] = '\\';
	switch (c) {
	case '\n': at[1] = 'n'; break;
	case '\t': at[1] = 't'; break;
	case '\r': at[1] = 'r'; break;
	case '"':
	case '\\': at[1] = (char)c; break;
	default:
		at[1] = 'x';
		at[2] = "0123456789abcdef"[c >> 4];
		at[3] = "0123456789abcdef"[c & 15];
		n = 4;
	}
	out->used += n;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void out_quoted(struct out *out, const void *bytes, size_t length)
{
	const unsigned char *c = bytes;
	out_char(out, '"');
	for (size_t i = 0; i < length; i++) {
		if (is_plain(c[i]))
			out_char(out, (char)c[i]);
		else
			escaped(out, c[i]);
	}
	out_char(out, '"');
}

void out_name(struct out *out, const char *name)
{
	size_t length = strlen(name);
	bool bare = length > 0;
	for (size_t i = 0; i < length && bare; i++)
		bare = is_plain((unsigned char)name[i]) && name[i] != ' ' && name[i] != '\'';
	/* What has no path is called by words in brackets. */
	if (bare || (name[0] == '[' && !memchr(name, '/', length) &&
		     strspn(name, "[]abcdefghijklmnopqrstuvwxyz0123456789_ ") == length))
		out_raw(out, name, length);
	else
		out_quoted(out, name, length);
}

void out_line(struct out *out, const char *kind)
{
	out->lines++;
	if (!out->json) {
		if (out->unverified)
			out_text(out, "UNVERIFIED ");
		return;
	}
	out_char(out, '{');
	out->more = false;
	out_member_uint(out, "schema", OUT_SCHEMA);
	out_member_text(out, "kind", kind);
	out_member_bool(out, "verified", !out->unverified);
}

void out_end(struct out *out)
{
	if (out->json)
		out_char(out, '}');
	out_char(out, '\n');
}

static void begin(struct out *out, const char *key)
{
	if (out->more)
		out_char(out, ',');
	out->more = true;
	if (!key)
		return;
	out_char(out, '"');
	out_text(out, key);
	out_text(out, "\":");
}

void out_member_uint(struct out *out, const char *key, uint64_t value)
{
	begin(out, key);
	out_uint(out, value);
}

void out_member_int(struct out *out, const char *key, int64_t value)
{
	begin(out, key);
	out_int(out, value);
}

void out_member_bool(struct out *out, const char *key, bool value)
{
	begin(out, key);
	out_text(out, value ? "true" : "false");
}

void out_member_bytes(struct out *out, const char *key, const void *bytes, size_t length)
{
	const unsigned char *c = bytes;
	begin(out, key);
	out_char(out, '"');
	for (size_t i = 0; i < length; i++) {
		if (is_plain(c[i])) {
			out_char(out, (char)c[i]);
		} else if (c[i] == '"' || c[i] == '\\') {
			out_char(out, '\\');
			out_char(out, (char)c[i]);
		} else {
			out_text(out, "\\u00");
			out_char(out, "0123456789abcdef"[c[i] >> 4]);
			out_char(out, "0123456789abcdef"[c[i] & 15]);
		}
	}
	out_char(out, '"');
}

void out_member_text(struct out *out, const char *key, const char *text)
{
	if (text) {
		out_member_bytes(out, key, text, strlen(text));
		return;
	}
	begin(out, key);
	out_text(out, "null");
}

void out_member_digest(struct out *out, const char *key, const uint8_t *digest)
{
	if (digest_is_zero(digest)) {
		out_member_text(out, key, NULL);
		return;
	}
	begin(out, key);
	out_char(out, '"');
	out_digest(out, digest);
	out_char(out, '"');
}

void out_member_event(struct out *out, const char *key, uint64_t event)
{
	if (event == UINT64_MAX)
		out_member_text(out, key, NULL);
	else
		out_member_uint(out, key, event);
}

void out_open(struct out *out, const char *key, char bracket)
{
	begin(out, key);
	out_char(out, bracket);
	out->more = false;
}

void out_shut(struct out *out, char bracket)
{
	out_char(out, bracket);
	out->more = true;
}
