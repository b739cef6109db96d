#include "image.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STRINGS_MAX 262144U
#define RANDOM_BYTES 16U

/* The bytes of one side at an address, up to the end of their payload; NULL when the event has none there. */
static const uint8_t *peek(const struct event *event, uint64_t address, size_t *ret_left)
{
	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];
		if (p->arg != PAYLOAD_IMAGE || address < p->address || address - p->address >= p->length)
			continue;
		*ret_left = p->length - (size_t)(address - p->address);
		return p->bytes + (address - p->address);
	}
	return NULL;
}

static bool peek_word(const struct event *event, uint64_t address, uint64_t *ret_word)
{
	size_t left;
	const uint8_t *bytes = peek(event, address, &left);
	if (!bytes || left < sizeof(*ret_word))
		return false;
	memcpy(ret_word, bytes, sizeof(*ret_word));
	return true;
}

/* A text whose end is in the same payload. */
static const char *peek_text(const struct event *event, uint64_t address)
{
	size_t left;
	const uint8_t *bytes = peek(event, address, &left);
	return bytes && memchr(bytes, '\0', left) ? (const char *)bytes : NULL;
}

/* Where the lists of a stack start: argv, environment, auxiliary vector. */
struct lists {
	const struct event *event;
	uint64_t argv, environment, auxv;
};

/* The address behind the NULL that ends a list, or 0. */
static uint64_t behind(const struct event *event, uint64_t address)
{
	uint64_t word;
	for (unsigned int i = 0; i < STRINGS_MAX; i++, address += sizeof(word)) {
		if (!peek_word(event, address, &word))
			return 0;
		if (word == 0)
			return address + sizeof(word);
	}
	return 0;
}

static bool find_lists(const struct event *event, struct lists *ret)
{
	if (!event->registers)
		return false;
	ret->event = event;
	ret->argv = event->registers->rsp + sizeof(uint64_t);
	ret->environment = behind(event, ret->argv);
	ret->auxv = ret->environment ? behind(event, ret->environment) : 0;
	return ret->auxv != 0;
}

static const char *string_at(const struct lists *lists, uint64_t list, unsigned int i)
{
	uint64_t word;
	if (!peek_word(lists->event, list + i * sizeof(word), &word) || word == 0)
		return NULL;
	return peek_text(lists->event, word);
}

int image_strings(const struct event *event, enum image_list list, struct buffer *buffer,
		  uint32_t *ret_count)
{
	struct lists lists;
	const char *text;
	uint32_t count = 0;
	if (!find_lists(event, &lists))
		return -ENOENT;
	uint64_t start = list == IMAGE_ARGUMENTS ? lists.argv : lists.environment;
	while ((text = string_at(&lists, start, count)) != NULL) {
		if (buffer_append(buffer, text, strlen(text) + 1) < 0)
			return -ENOMEM;
		count++;
	}
	*ret_count = count;
	return 0;
}

static void show(const char *text, char *value)
{
	if (text)
		field_quote((const uint8_t *)text, strlen(text), value, FIELD_VALUE_BYTES);
	else
		snprintf(value, FIELD_VALUE_BYTES, "none");
}

/* Names the entry of two lists in which they differ first; false when they are equal. */
static bool strings_differ(const struct lists lists[2], const uint64_t starts[2],
			   struct difference *difference, unsigned int *ret_index)
{
	for (unsigned int i = 0; i < STRINGS_MAX; i++) {
		const char *x = string_at(&lists[0], starts[0], i);
		const char *y = string_at(&lists[1], starts[1], i);
		if (!x && !y)
			return false;
		if (x && y && strcmp(x, y) == 0)
			continue;
		show(x, difference->values[0]);
		show(y, difference->values[1]);
		*ret_index = i;
		return true;
	}
	return false;
}

static void name_variable(const struct lists lists[2], unsigned int i, char *subject)
{
	const char *text = string_at(&lists[0], lists[0].environment, i);
	size_t length, used;
	if (!text)
		text = string_at(&lists[1], lists[1].environment, i);
	length = text ? strcspn(text, "=") : 0;
	used = (size_t)snprintf(subject, ORIGIN_SUBJECT_BYTES, "variable ");
	for (size_t n = 0; n < length && used + 1 < ORIGIN_SUBJECT_BYTES; n++)
		subject[used++] = text[n] > 0x20 && text[n] < 0x7f ? text[n] : '?';
	subject[used] = '\0';
}

static bool random_differs(const struct lists lists[2], const uint64_t addresses[2],
			   struct difference *difference)
{
	const uint8_t *bytes[2];
	size_t left[2];
	for (int side = 0; side < 2; side++) {
		bytes[side] = peek(lists[side].event, addresses[side], &left[side]);
		if (!bytes[side] || left[side] < RANDOM_BYTES)
			return false;
	}
	if (memcmp(bytes[0], bytes[1], RANDOM_BYTES) == 0)
		return false;
	for (int side = 0; side < 2; side++)
		field_quote(bytes[side], RANDOM_BYTES, difference->values[side], FIELD_VALUE_BYTES);
	return true;
}

/* Values of these are addresses, which differ where lengths before them do. */
static bool is_address(uint64_t type)
{
	return type == AT_PLATFORM || type == AT_EXECFN || type == AT_BASE_PLATFORM ||
	       type == AT_PHDR || type == AT_BASE || type == AT_ENTRY || type == AT_SYSINFO_EHDR;
}

static enum origin auxv_difference(const struct lists lists[2], struct difference *difference,
				   char *subject)
{
	for (unsigned int i = 0; i < STRINGS_MAX; i++) {
		uint64_t type[2], value[2];
		for (int side = 0; side < 2; side++) {
			uint64_t at = lists[side].auxv + i * 2 * sizeof(uint64_t);
			if (!peek_word(lists[side].event, at, &type[side]) ||
			    !peek_word(lists[side].event, at + sizeof(uint64_t), &value[side]))
				return ORIGIN_NONE;
		}
		if (type[0] == type[1] && type[0] == AT_RANDOM) {
			if (!random_differs(lists, value, difference))
				continue;
			snprintf(subject, ORIGIN_SUBJECT_BYTES, "AT_RANDOM");
			return ORIGIN_RANDOM;
		}
		if (type[0] != type[1] || (value[0] != value[1] && !is_address(type[0]))) {
			snprintf(subject, ORIGIN_SUBJECT_BYTES, "auxiliary value %" PRIu64, type[0]);
			for (int side = 0; side < 2; side++)
				snprintf(difference->values[side], FIELD_VALUE_BYTES,
					 "type %" PRIu64 ": 0x%" PRIx64, type[side], value[side]);
			return ORIGIN_AUXV;
		}
		if (type[0] == AT_NULL)
			return ORIGIN_NONE;
	}
	return ORIGIN_NONE;
}

enum origin image_difference(const struct event *const events[2], struct difference *difference,
			     char ret_subject[ORIGIN_SUBJECT_BYTES])
{
	struct lists lists[2];
	unsigned int index;
	enum origin origin;
	if (!find_lists(events[0], &lists[0]) || !find_lists(events[1], &lists[1]))
		return ORIGIN_NONE;
	if (strings_differ(lists, (const uint64_t[]){ lists[0].argv, lists[1].argv }, difference,
			   &index)) {
		snprintf(ret_subject, ORIGIN_SUBJECT_BYTES, "argument %u", index);
		origin = ORIGIN_ARGUMENTS;
	} else if (strings_differ(lists, (const uint64_t[]){ lists[0].environment, lists[1].environment },
				  difference, &index)) {
		name_variable(lists, index, ret_subject);
		origin = ORIGIN_ENVIRONMENT;
	} else {
		origin = auxv_difference(lists, difference, ret_subject);
	}
	if (origin != ORIGIN_NONE)
		snprintf(difference->where, sizeof(difference->where), "the stack of the new image");
	return origin;
}
