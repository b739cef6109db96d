#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

unsigned int value_args_used(const uint64_t args[6])
{
	unsigned int used = 6;
	while (used > 0 && args[used - 1] == 0)
		used--;
	return used;
}

void value_put_args(struct cbor_out *out, const uint64_t args[6])
{
	unsigned int used = value_args_used(args);
	cbor_put_array(out, used);
	for (unsigned int i = 0; i < used; i++)
		cbor_put_uint(out, args[i]);
}

int value_take_args(struct cbor_in *in, uint64_t args[6])
{
	uint64_t used;
	int r = cbor_take_array(in, &used);
	if (r < 0 || used == 0 || used > 6)
		return SWORN_EFORMAT;
	for (uint64_t i = 0; i < used; i++)
		if ((r = cbor_take_uint(in, &args[i])) < 0)
			return r;
	return args[used - 1] ? 0 : SWORN_EFORMAT;
}

int value_reserve(void **array, size_t *capacity, uint64_t count, size_t entry_bytes)
{
	if (count <= *capacity)
		return 0;
	void *grown = reallocarray(*array, count, entry_bytes);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*capacity = count;
	return 0;
}

int value_take_count(struct cbor_in *in, uint64_t max, uint64_t *ret_count)
{
	uint64_t count;
	int r = cbor_take_array(in, &count);
	if (r < 0 || count == 0 || count > in->length)
		return SWORN_EFORMAT;
	if (count > max)
		return SWORN_ELIMIT;
	*ret_count = count;
	return 0;
}

int value_put_payloads(struct cbor_out *out, const struct event *event)
{
	size_t total = 0;
	if (event->payloads_count > EVENT_PAYLOADS_MAX)
		return SWORN_ELIMIT;
	cbor_put_array(out, event->payloads_count);
	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *payload = &event->payloads[i];
		if (payload->length > EVENT_PART_BYTES - total)
			return SWORN_ELIMIT;
		total += payload->length;
		if (payload->arg > PAYLOAD_SOURCE_LAST ||
		    (payload->direction != DIRECTION_IN && payload->direction != DIRECTION_OUT))
			return SWORN_EFORMAT;
		cbor_put_array(out, 4);
		cbor_put_uint(out, payload->arg);
		cbor_put_uint(out, payload->direction);
		cbor_put_uint(out, payload->address);
		cbor_put_bytes(out, payload->bytes, payload->length);
	}
	return 0;
}

static int take_payload(struct cbor_in *in, struct payload *ret_payload)
{
	uint64_t arg, direction;
	int r = cbor_expect_array(in, 4);
	if (r < 0 || (r = cbor_take_uint_max(in, PAYLOAD_SOURCE_LAST, &arg)) < 0 ||
	    (r = cbor_take_uint_max(in, DIRECTION_OUT, &direction)) < 0)
		return r;
	if (direction == 0)
		return SWORN_EFORMAT;
	ret_payload->arg = (uint8_t)arg;
	ret_payload->direction = (uint8_t)direction;
	if ((r = cbor_take_uint(in, &ret_payload->address)) < 0)
		return r;
	return cbor_take_bytes(in, &ret_payload->bytes, &ret_payload->length);
}

int value_take_payloads(struct cbor_in *in, struct record_scratch *scratch, struct event *event)
{
	uint64_t count;
	size_t total = 0;
	int r = value_take_count(in, EVENT_PAYLOADS_MAX, &count);
	if (r < 0)
		return r;
	r = value_reserve((void **)&scratch->payloads, &scratch->payloads_capacity, count,
			  sizeof(struct payload));
	for (uint64_t i = 0; i < count && r == 0; i++) {
		struct payload *payload = &scratch->payloads[i];
		r = take_payload(in, payload);
		if (r == 0 && payload->length > EVENT_PART_BYTES - total)
			return SWORN_ELIMIT;
		if (r == 0)
			total += payload->length;
	}
	event->payloads = scratch->payloads;
	event->payloads_count = count;
	return r;
}

int value_put_path(struct cbor_out *out, const char *path)
{
	size_t length = strnlen(path, PATH_BYTES_MAX);
	if (length >= PATH_BYTES_MAX)
		return SWORN_ELIMIT;
	cbor_put_bytes(out, path, length);
	return 0;
}

int value_take_path(struct cbor_in *in, struct record_scratch *scratch, const char **ret_path)
{
	const uint8_t *bytes;
	size_t length;
	if (scratch->paths_length == 0) {
		/* Every path takes two bytes or more beside its own in the input, so what is left
		 * of it is room enough for all copies and none ever has to move. */
		int r = value_reserve((void **)&scratch->paths, &scratch->paths_capacity, in->length, 1);
		if (r < 0)
			return r;
	}
	int r = cbor_take_bytes(in, &bytes, &length);
	if (r < 0)
		return r;
	if (length >= PATH_BYTES_MAX)
		return SWORN_ELIMIT;
	if (memchr(bytes, 0, length))
		return SWORN_EFORMAT;
	char *path = scratch->paths + scratch->paths_length;
	memcpy(path, bytes, length);
	path[length] = '\0';
	scratch->paths_length += length + 1;
	*ret_path = path;
	return 0;
}

size_t value_siginfo_used(const uint8_t siginfo[SIGINFO_BYTES])
{
	size_t used = SIGINFO_BYTES;
	while (used > 0 && siginfo[used - 1] == 0)
		used--;
	return used;
}

int value_take_siginfo(struct cbor_in *in, uint8_t siginfo[SIGINFO_BYTES])
{
	const uint8_t *bytes;
	size_t length;
	int r = cbor_take_bytes(in, &bytes, &length);
	if (r < 0 || length == 0 || length > SIGINFO_BYTES || bytes[length - 1] == 0)
		return SWORN_EFORMAT;
	memcpy(siginfo, bytes, length);
	return 0;
}

void record_scratch_release(struct record_scratch *scratch)
{
	free(scratch->payloads);
	free(scratch->mappings);
	free(scratch->sinks);
	free(scratch->paths);
	memset(scratch, 0, sizeof(*scratch));
}
