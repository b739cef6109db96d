#include "info.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cbor.h"
#include "error.h"
#include "frame.h"

#define REQUIRES_PMU "pmu"

/* Copies strings with a NUL behind each; the input's own heads make its length enough for all. */
struct copier {
	char *next;
};

static const char *copy(struct copier *copier, const void *bytes, size_t length)
{
	char *start = copier->next;
	memcpy(start, bytes, length);
	start[length] = '\0';
	copier->next += length + 1;
	return start;
}

static int take_text(struct cbor_in *in, struct copier *copier, const char **ret_text)
{
	const char *text;
	size_t length;
	int r = cbor_take_text(in, &text, &length);
	if (r < 0)
		return r;
	if (length > INFO_TEXT_MAX)
		return SWORN_ELIMIT;
	*ret_text = copy(copier, text, length);
	return 0;
}

static int take_bytes(struct cbor_in *in, struct copier *copier, const char **ret_text)
{
	const uint8_t *bytes;
	size_t length;
	int r = cbor_take_bytes(in, &bytes, &length);
	if (r < 0)
		return r;
	if (memchr(bytes, 0, length))
		return SWORN_EFORMAT;
	*ret_text = copy(copier, bytes, length);
	return 0;
}

static int take_keyed_text(struct cbor_in *in, unsigned int key, struct copier *copier,
			   const char **ret_text)
{
	int r = cbor_expect_key(in, key);
	return r < 0 ? r : take_text(in, copier, ret_text);
}

static int take_keyed_uint(struct cbor_in *in, unsigned int key, uint64_t max, uint64_t *ret_value)
{
	int r = cbor_expect_key(in, key);
	return r < 0 ? r : cbor_take_uint_max(in, max, ret_value);
}

static void put_keyed_text(struct cbor_out *out, unsigned int key, const char *text)
{
	cbor_put_uint(out, key);
	cbor_put_text(out, text);
}

static void put_keyed_uint(struct cbor_out *out, unsigned int key, uint64_t value)
{
	cbor_put_uint(out, key);
	cbor_put_uint(out, value);
}

static size_t length_of(const char *text)
{
	return text ? strlen(text) : 0;
}

static size_t list_length(const char *const *list, size_t *bytes)
{
	size_t count = 0;
	for (; list && list[count]; count++)
		*bytes += strlen(list[count]) + CBOR_HEAD_BYTES;
	return count;
}

static int finish(const struct cbor_out *out, struct buffer *buffer)
{
	if (out->full || out->length > FRAME_INFO_MAX)
		return SWORN_ELIMIT;
	buffer->length = out->length;
	return 0;
}

int info_encode(const struct trace_info *info, struct buffer *buffer)
{
	const char *texts[] = { info->seed,	     info->host, info->os_release,
				info->operator_name, info->tool, info->cpu };
	size_t bytes = 256 + length_of(info->directory);
	size_t arguments = list_length(info->argv, &bytes);
	if (arguments > INFO_ARGV_MAX)
		return SWORN_ELIMIT;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (length_of(texts[i]) > INFO_TEXT_MAX)
			return SWORN_ELIMIT;
		bytes += length_of(texts[i]);
	}
	int r = buffer_reserve(buffer, bytes);
	if (r < 0)
		return r;
	struct cbor_out out = { .bytes = buffer->bytes, .capacity = buffer->capacity };
	cbor_put_map(&out, 14);
	put_keyed_uint(&out, 0, info->table_version);
	put_keyed_text(&out, 1, info->seed);
	cbor_put_uint(&out, 2);
	cbor_put_array(&out, arguments);
	for (size_t i = 0; i < arguments; i++)
		cbor_put_bytes(&out, info->argv[i], strlen(info->argv[i]));
	cbor_put_uint(&out, 3);
	cbor_put_bytes(&out, info->directory, length_of(info->directory));
	put_keyed_uint(&out, 4, info->clock_virtual);
	put_keyed_uint(&out, 5, info->schedule_seeded);
	put_keyed_uint(&out, 6, info->epoch_ns);
	put_keyed_text(&out, 7, info->host);
	put_keyed_text(&out, 8, info->os_release);
	put_keyed_text(&out, 9, info->operator_name);
	put_keyed_text(&out, 10, info->tool);
	put_keyed_uint(&out, 11, info->started_utc_ns);
	put_keyed_uint(&out, 12, info->xcr0);
	put_keyed_text(&out, 13, info->cpu);
	return finish(&out, buffer);
}

static int take_argv(struct cbor_in *in, struct copier *copier, struct info *info)
{
	uint64_t count;
	int r = cbor_expect_key(in, 2);
	if (r < 0 || (r = cbor_take_array(in, &count)) < 0)
		return r;
	if (count > in->length)
		return SWORN_EFORMAT;
	if (count > INFO_ARGV_MAX)
		return SWORN_ELIMIT;
	info->argv = calloc(count + 1, sizeof(char *));
	if (!info->argv)
		return -ENOMEM;
	for (uint64_t i = 0; i < count && r == 0; i++)
		r = take_bytes(in, copier, &info->argv[i]);
	info->info.argv = info->argv;
	return r;
}

static int decode_info(struct cbor_in *in, struct info *info)
{
	struct copier copier = { info->text };
	struct trace_info *t = &info->info;
	uint64_t version, clock, schedule;
	int r = cbor_expect_map(in, 14);
	if (r < 0 || (r = take_keyed_uint(in, 0, UINT32_MAX, &version)) < 0 ||
	    (r = take_keyed_text(in, 1, &copier, &t->seed)) < 0 ||
	    (r = take_argv(in, &copier, info)) < 0 || (r = cbor_expect_key(in, 3)) < 0 ||
	    (r = take_bytes(in, &copier, &t->directory)) < 0 ||
	    (r = take_keyed_uint(in, 4, 1, &clock)) < 0 ||
	    (r = take_keyed_uint(in, 5, 1, &schedule)) < 0 ||
	    (r = take_keyed_uint(in, 6, UINT64_MAX, &t->epoch_ns)) < 0 ||
	    (r = take_keyed_text(in, 7, &copier, &t->host)) < 0 ||
	    (r = take_keyed_text(in, 8, &copier, &t->os_release)) < 0 ||
	    (r = take_keyed_text(in, 9, &copier, &t->operator_name)) < 0 ||
	    (r = take_keyed_text(in, 10, &copier, &t->tool)) < 0 ||
	    (r = take_keyed_uint(in, 11, UINT64_MAX, &t->started_utc_ns)) < 0 ||
	    (r = take_keyed_uint(in, 12, UINT64_MAX, &t->xcr0)) < 0 ||
	    (r = take_keyed_text(in, 13, &copier, &t->cpu)) < 0)
		return r;
	t->table_version = (uint32_t)version;
	t->clock_virtual = clock == 1;
	t->schedule_seeded = schedule == 1;
	return in->length ? SWORN_EFORMAT : 0;
}

int info_decode(const uint8_t *bytes, size_t length, struct info *ret_info)
{
	struct cbor_in in = { bytes, length };
	struct info info = { .text = malloc(length + 1) };
	if (!info.text)
		return -ENOMEM;
	int r = decode_info(&in, &info);
	if (r < 0)
		info_release(&info);
	else
		*ret_info = info;
	return r;
}

void info_release(struct info *info)
{
	free(info->text);
	free(info->argv);
	memset(info, 0, sizeof(*info));
}

static void put_keyed_list(struct cbor_out *out, unsigned int key, const char *const *list, size_t count)
{
	cbor_put_uint(out, key);
	cbor_put_array(out, count);
	for (size_t i = 0; i < count; i++)
		cbor_put_text(out, list[i]);
}

static bool list_fits(const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) > INFO_TEXT_MAX)
			return false;
	return count <= SUMMARY_LIST_MAX;
}

int summary_encode(const struct trace_summary *summary, struct buffer *buffer)
{
	const char *words[REQUIRES_MAX];
	size_t bytes = 128 + length_of(summary->isolation);
	summary_requires(summary, words);
	size_t required = list_length(words, &bytes);
	size_t assumptions = list_length(summary->assumptions, &bytes);
	size_t exclusions = list_length(summary->exclusions, &bytes);
	if (!list_fits(summary->assumptions, assumptions) ||
	    !list_fits(summary->exclusions, exclusions) || length_of(summary->isolation) > INFO_TEXT_MAX)
		return SWORN_ELIMIT;
	int r = buffer_reserve(buffer, bytes);
	if (r < 0)
		return r;
	struct cbor_out out = { .bytes = buffer->bytes, .capacity = buffer->capacity };
	cbor_put_map(&out, 4);
	put_keyed_list(&out, 0, words, required);
	put_keyed_list(&out, 1, summary->assumptions, assumptions);
	put_keyed_list(&out, 2, summary->exclusions, exclusions);
	put_keyed_text(&out, 3, summary->isolation);
	return finish(&out, buffer);
}

void summary_requires(const struct trace_summary *summary, const char *ret[REQUIRES_MAX])
{
	size_t count = 0;
	if (summary->requires_pmu)
		ret[count++] = REQUIRES_PMU;
	if (summary->requires_cpu)
		ret[count++] = summary->requires_cpu;
	ret[count] = NULL;
}

/* One of the words that name a processor, as a text that lives for ever; NULL when it is none. */
static const char *cpu_word(const char *text, size_t length)
{
	static const char *const words[] = { "x86-64-v2", "x86-64-v3", "x86-64-v4" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (length == strlen(words[i]) && memcmp(text, words[i], length) == 0)
			return words[i];
	return NULL;
}

/* Each word at most once, "pmu" first. */
static int take_requires(struct cbor_in *in, struct trace_summary *summary, bool *ret_newer)
{
	uint64_t count;
	const char *text;
	size_t length;
	int r = cbor_expect_key(in, 0);
	if (r < 0 || (r = cbor_take_array(in, &count)) < 0)
		return r;
	for (uint64_t i = 0; i < count; i++) {
		if ((r = cbor_take_text(in, &text, &length)) < 0)
			return r;
		if (i == 0 && length == strlen(REQUIRES_PMU) && memcmp(text, REQUIRES_PMU, length) == 0) {
			summary->requires_pmu = true;
			continue;
		}
		if (summary->requires_cpu || !(summary->requires_cpu = cpu_word(text, length)))
			*ret_newer = true;
	}
	return 0;
}

static int take_list(struct cbor_in *in, unsigned int key, struct copier *copier, const char **list,
		     size_t *ret_count)
{
	uint64_t count;
	int r = cbor_expect_key(in, key);
	if (r < 0 || (r = cbor_take_array(in, &count)) < 0)
		return r;
	if (count > in->length)
		return SWORN_EFORMAT;
	if (count > SUMMARY_LIST_MAX)
		return SWORN_ELIMIT;
	for (uint64_t i = 0; i < count; i++)
		if ((r = take_text(in, copier, &list[i])) < 0)
			return r;
	*ret_count = count;
	return 0;
}

static int decode_summary(struct cbor_in *in, struct summary *summary)
{
	struct copier copier = { summary->text };
	struct trace_summary *t = &summary->summary;
	const char **assumptions = summary->lists;
	size_t count;
	bool newer = false;
	int r = cbor_expect_map(in, 4);
	if (r < 0 || (r = take_requires(in, t, &newer)) < 0 ||
	    (r = take_list(in, 1, &copier, assumptions, &count)) < 0)
		return r;
	const char **exclusions = assumptions + count + 1;
	if ((r = take_list(in, 2, &copier, exclusions, &count)) < 0 ||
	    (r = take_keyed_text(in, 3, &copier, &t->isolation)) < 0)
		return r;
	t->assumptions = assumptions;
	t->exclusions = exclusions;
	if (in->length)
		return SWORN_EFORMAT;
	/* Only what is right in everything else can be told to be newer. */
	return newer ? SWORN_EVERSION : 0;
}

int summary_decode(const uint8_t *bytes, size_t length, struct summary *ret_summary)
{
	struct cbor_in in = { bytes, length };
	size_t entries = length < 2 * SUMMARY_LIST_MAX ? length : 2 * SUMMARY_LIST_MAX;
	struct summary summary = { .text = malloc(length + 1),
				   .lists = calloc(entries + 2, sizeof(char *)) };
	int r = summary.text && summary.lists ? decode_summary(&in, &summary) : -ENOMEM;
	if (r < 0)
		summary_release(&summary);
	else
		*ret_summary = summary;
	return r;
}

void summary_release(struct summary *summary)
{
	free(summary->text);
	free(summary->lists);
	memset(summary, 0, sizeof(*summary));
}
