#include "sink.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../traces/error.h"
#include "descriptor.h"

#define SINK_CHUNK_BYTES 65536

struct sink_state {
	uint64_t device, inode;
	struct sink report;
	EVP_MD_CTX *digest;
};

struct sinks {
	struct sink_state *states; /* [number - 1] */
	struct sink *reports;
	size_t count;
	guest_reader *read; /* instead of guest_read(), or NULL */
	void *read_context;
	uint8_t chunk[SINK_CHUNK_BYTES];
};

/* Makes sinks up to `number` exist. */
static struct sink_state *sink_at(struct sinks *sinks, uint32_t number)
{
	if (number == 0 || number > EVENT_SINKS_MAX || number > sinks->count + 2)
		return NULL;
	while (sinks->count < number) {
		struct sink_state *state = &sinks->states[sinks->count];

		state->digest = EVP_MD_CTX_new();
		if (!state->digest || EVP_DigestInit_ex(state->digest, EVP_sha256(), NULL) != 1)
			return NULL;
		state->report.number = (uint32_t)++sinks->count;
		state->report.kind = state->report.number <= 2 ? (uint8_t)state->report.number
							       : SINK_FILE;
	}
	return &sinks->states[number - 1];
}

struct sinks *sinks_new(void)
{
	struct sinks *sinks = calloc(1, sizeof(*sinks));

	if (!sinks)
		return NULL;
	sinks->states = calloc(EVENT_SINKS_MAX, sizeof(*sinks->states));
	sinks->reports = calloc(EVENT_SINKS_MAX, sizeof(*sinks->reports));
	if (!sinks->states || !sinks->reports) {
		sinks_release(sinks);
		return NULL;
	}
	if (!sink_at(sinks, SINK_STDERR)) {
		sinks_release(sinks);
		return NULL;
	}
	return sinks;
}

void sinks_release(struct sinks *sinks)
{
	if (!sinks)
		return;
	for (size_t i = 0; sinks->states && i < sinks->count; i++)
		EVP_MD_CTX_free(sinks->states[i].digest);
	free(sinks->states);
	free(sinks->reports);
	free(sinks);
}

void sinks_bind_standard(struct sinks *sinks)
{
	for (uint32_t fd = 1; fd <= 2; fd++) {
		struct sink_state *state = sink_at(sinks, fd);
		struct stat status;

		if (state && fstat((int)fd, &status) == 0) {
			state->device = status.st_dev;
			state->inode = status.st_ino;
		}
	}
}

uint32_t sink_number(struct sinks *sinks, struct thread *thread)
{
	struct fd_info info = fd_lookup(thread->process->fds, thread->tid, (int)thread->call.args[0]);
	struct sink_state *state;

	if (info.mode == 0)
		return 0;
	for (size_t i = 0; i < sinks->count; i++) {
		if (sinks->states[i].device == info.device && sinks->states[i].inode == info.inode)
			return (uint32_t)i + 1;
	}
	if (!S_ISREG(info.mode) && !S_ISSOCK(info.mode))
		return 0;
	state = sink_at(sinks, (uint32_t)sinks->count + 1);
	if (!state)
		return 0;
	state->device = info.device;
	state->inode = info.inode;
	state->report.kind = S_ISSOCK(info.mode) ? SINK_SOCKET : SINK_FILE;
	return state->report.number;
}

void sinks_forget(struct sinks *sinks, uint64_t device, uint64_t inode)
{
	for (size_t i = 0; i < sinks->count; i++) {
		if (sinks->states[i].device == device && sinks->states[i].inode == inode)
			sinks->states[i].device = sinks->states[i].inode = UINT64_MAX;
	}
}

/* What is left to count. The result of sendmmsg counts messages, the kernel stores the bytes of each. */
struct quota {
	uint64_t messages, bytes;
	uint64_t measure; /* where the length of the message in hand is stored */
};

/* How many bytes of `range` are data that left the guest. */
static uint64_t data_length(struct thread *thread, const struct range *range, struct quota *quota)
{
	const struct arg *arg = &thread->call.row->args[1];
	uint64_t length;
	uint32_t sent = 0;

	if (range->direction != DIRECTION_IN || range->arg != 1)
		return 0;
	if (arg->extent == EXTENT_MMSGHDR) {
		if (range->trim != TRIM_MESSAGE || range->message > quota->messages)
			return 0;
		if (range->measure != quota->measure) {
			guest_read(thread, range->measure, &sent, sizeof(sent));
			quota->measure = range->measure;
			quota->bytes = sent;
		}
	}
	/* Vectors and headers are no data; what they point at is marked. */
	if ((arg->extent == EXTENT_IOVEC || arg->extent == EXTENT_MSGHDR) && range->trim != TRIM_STREAM)
		return 0;
	length = range->length < quota->bytes ? range->length : quota->bytes;
	quota->bytes -= length;
	return length;
}

int sink_update(struct sinks *sinks, uint32_t number, struct thread *thread, int64_t result,
		void (*copy)(uint32_t number, const void *bytes, size_t length))
{
	struct sink_state *state = sink_at(sinks, number);
	const struct call *call = &thread->call;
	struct quota quota = { .messages = result > 0 ? (uint64_t)result : 0 };

	if (!state || !call->row)
		return SWORN_EFORMAT;
	quota.bytes = quota.messages;
	for (size_t i = 0; i < call->entry.count; i++) {
		uint64_t length = data_length(thread, &call->entry.ranges[i], &quota);
		uint64_t address = call->entry.ranges[i].address;

		while (length > 0) {
			size_t want = length < SINK_CHUNK_BYTES ? (size_t)length : SINK_CHUNK_BYTES;
			size_t got = sinks->read ? sinks->read(sinks->read_context, address,
							       sinks->chunk, want)
						 : guest_read(thread, address, sinks->chunk, want);

			if (got == 0)
				break;
			if (EVP_DigestUpdate(state->digest, sinks->chunk, got) != 1)
				return -ENOMEM;
			if (copy)
				copy(number, sinks->chunk, got);
			state->report.bytes += got;
			address += got;
			length -= got;
		}
	}
	return 0;
}

void sinks_read_from(struct sinks *sinks, guest_reader *read, void *context)
{
	sinks->read = read;
	sinks->read_context = context;
}

int sinks_report(struct sinks *sinks, const struct sink **ret, size_t *ret_count)
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	int r = copy ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < sinks->count; i++) {
		sinks->reports[i] = sinks->states[i].report;
		if (EVP_MD_CTX_copy_ex(copy, sinks->states[i].digest) != 1 ||
		    EVP_DigestFinal_ex(copy, sinks->reports[i].digest, NULL) != 1)
			r = -ENOMEM;
	}
	EVP_MD_CTX_free(copy);
	if (r < 0)
		return r;
	*ret = sinks->reports;
	*ret_count = sinks->count;
	return 0;
}
