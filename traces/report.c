#include "report.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "blob.h"
#include "digest.h"
#include "error.h"
#include "frame.h"
#include "info.h"
#include "seal.h"

#ifndef SWORN_VERSION
#define SWORN_VERSION "unknown"
#endif

#define READ_BYTES (1u << 20)
#define NS_PER_SECOND UINT64_C(1000000000)

bool report_is_trace(const char *path)
{
	uint8_t head[FRAME_HEAD_BYTES], first[4];
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	frame_head(FRAME_HEADER, 0, head);
	bool is_trace = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
			pread(fd, first, sizeof(first), 0) == sizeof(first) &&
			!memcmp(first, head, sizeof(first));
	close(fd);
	return is_trace;
}

int report_open(const char *path, struct report_file *ret_file)
{
	struct stat status;
	int fd = -1;
	if (path && !strcmp(path, "-"))
		fd = STDOUT_FILENO;
	else if (path && report_is_trace(path))
		return -EEXIST;
	else if (path)
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	if (path && fd < 0)
		return -errno;
	ret_file->fd = fd;
	ret_file->is_file = fd > STDERR_FILENO && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
	return 0;
}

int report_write(const struct report_file *file, const char *text, size_t length)
{
	if (file->fd < 0)
		return 0;
	if (!file->is_file)
		return write_all(file->fd, text, length);
	if (lseek(file->fd, 0, SEEK_SET) < 0)
		return -errno;
	int r = write_all(file->fd, text, length);
	/* What an earlier text left behind this one, or half of this one: better none than half. */
	if (ftruncate(file->fd, r == 0 ? (off_t)length : 0) < 0 && r == 0)
		r = -errno;
	return r;
}

int report_digest(int fd, uint8_t ret_digest[DIGEST_BYTES], uint64_t *ret_bytes)
{
	struct digest digest = { 0 };
	uint8_t *buffer = malloc(READ_BYTES);
	off_t offset = 0;
	ssize_t n = 0;
	int r = buffer ? digest_init(&digest) : -ENOMEM;
	while (r == 0 &&
	       ((n = pread(fd, buffer, READ_BYTES, offset)) > 0 || (n < 0 && errno == EINTR))) {
		if (n < 0)
			continue;
		digest_append(&digest, buffer, (size_t)n);
		offset += n;
	}
	if (n < 0)
		r = -errno;
	if (r == 0) {
		digest_end(&digest, ret_digest);
		*ret_bytes = (uint64_t)offset;
	}
	digest_release(&digest);
	free(buffer);
	return r;
}

int report_manifest(int fd, struct manifest *ret_manifest, uint8_t ret_id[DIGEST_BYTES])
{
	struct stat status;
	struct buffer tail = { 0 };
	if (fstat(fd, &status) < 0)
		return -errno;
	struct frame_source source = { .fd = fd, .size = (uint64_t)status.st_size };
	int r = frame_tail(&source, &tail);
	size_t at = 0;
	bool found = false;
	while (r == 0 && !found && (at = frame_find_seal(tail.bytes, tail.length, at)) < tail.length) {
		uint32_t length;
		const uint8_t *content = tail.bytes + at + FRAME_HEAD_BYTES;
		memcpy(&length, tail.bytes + at + 4, sizeof(length));
		found = manifest_decode(content, le32toh(length), NULL, ret_manifest) == 0 &&
			seal_id(content, le32toh(length), ret_id) == 0;
		at++;
	}
	buffer_release(&tail);
	return r < 0 ? r : found ? 0 : SWORN_ETRUNCATED;
}

int report_seal(int fd, uint8_t ret_id[DIGEST_BYTES])
{
	struct manifest manifest;
	return report_manifest(fd, &manifest, ret_id);
}

void report_head(struct json *json, const char *kind)
{
	json_uint(json, "schema", REPORT_SCHEMA);
	json_text(json, "kind", kind);
	json_open(json, "tool", '{');
	json_text(json, "version", SWORN_VERSION);
	json_close(json, '}');
}

void report_print_trace(struct json *json, const struct report_trace *trace)
{
	json_open(json, "trace", '{');
	json_text(json, "path", trace->path);
	json_digest(json, "digest", trace->digest);
	json_uint(json, "bytes", trace->bytes);
	json_open(json, "seal", '{');
	json_digest(json, "id", trace->seal);
	json_bool(json, "signed", trace->is_signed);
	json_digest(json, "kid", trace->kid);
	json_text(json, "trust", trace->trust);
	json_text(json, "signer", trace->signer);
	json_uint(json, "signed_events", trace->signed_events);
	json_close(json, '}');
	json_close(json, '}');
}

void report_signer(struct report_trace *trace, const struct trace_report *report,
		   const struct judgement *judgement)
{
	trace->is_signed = report->is_signed && report->sealed;
	trace->signed_events = report->signed_events;
	memcpy(trace->kid, report->kid, DIGEST_BYTES);
	if (!judgement->text[0])
		return;
	trace->trust = trust_state_text(judgement->state);
	trace->signer = judgement->signer.name[0] ? judgement->signer.name : NULL;
}

void report_time(uint64_t time, char *ret_text, size_t size)
{
	time_t seconds = (time_t)time;
	struct tm utc;
	if (!gmtime_r(&seconds, &utc) || strftime(ret_text, size, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		ret_text[0] = '\0';
}

void report_print_tenant(struct json *json, const uint8_t tenant[16])
{
	char text[33];
	hex_encode(tenant, 16, text);
	json_text(json, "tenant", text);
}

void report_print_recorded(struct json *json, const struct trace_info *info)
{
	char start[32];
	if (!info) {
		json_text(json, "recorded", NULL);
		return;
	}
	report_time(info->started_utc_ns / NS_PER_SECOND, start, sizeof(start));
	json_open(json, "recorded", '{');
	json_text(json, "start", start);
	json_text(json, "clock", info->clock_virtual ? "virtual" : "real");
	json_text(json, "schedule", info->schedule_seeded ? "seeded" : "observed");
	json_uint(json, "epoch", info->epoch_ns);
	json_text(json, "host", info->host);
	json_text(json, "operator", info->operator_name ? info->operator_name : "");
	json_text(json, "tool", info->tool);
	json_close(json, '}');
}

void report_print_exit(struct json *json, bool known, uint32_t wait_status)
{
	int status = (int)wait_status;
	if (!known) {
		json_text(json, "exit", NULL);
		return;
	}
	json_open(json, "exit", '{');
	if (WIFSIGNALED(status)) {
		json_text(json, "code", NULL);
		json_int(json, "signal", WTERMSIG(status));
	} else {
		json_int(json, "code", WEXITSTATUS(status));
		json_text(json, "signal", NULL);
	}
	json_close(json, '}');
}

void report_print_outputs(struct json *json, const uint8_t outputs[2][DIGEST_BYTES])
{
	json_open(json, "outputs", '{');
	json_digest(json, "stdout", outputs[0]);
	json_digest(json, "stderr", outputs[1]);
	json_close(json, '}');
}

void report_print_summary(struct json *json, const struct trace_summary *summary)
{
	const char *words[REQUIRES_MAX];
	if (summary)
		summary_requires(summary, words);
	json_texts(json, "requires", summary ? words : NULL);
	json_texts(json, "assumptions", summary ? summary->assumptions : NULL);
	json_text(json, "domain",
		  !summary		      ? NULL
		  : summary->capture_isolated ? "isolated"
					      : "ambient");
}

uint64_t report_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

void report_usage(struct report *report, uint64_t started_ns, int who)
{
	struct rusage usage;
	report->wall_ns = report_now_ns() - started_ns;
	if (getrusage(who, &usage) == 0)
		report->cpu_ns += (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) *
					  NS_PER_SECOND +
				  (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static void print_checked(struct json *json, const struct report *report)
{
	json_open(json, "usage", '{');
	json_uint(json, "wall_ns", report->wall_ns);
	json_uint(json, "cpu_ns", report->cpu_ns);
	json_uint(json, "bytes", report->bytes);
	json_close(json, '}');
	json_text(json, "verdict", report->verdict);
	json_int(json, "code", report->code);
	json_open(json, "checked", '{');
	json_uint(json, "events", report->checked_events);
	json_uint(json, "of", report->checked_of);
	json_text(json, "reason", report->reason);
	json_close(json, '}');
}

static void print_divergence(struct json *json, const struct report *report)
{
	const struct report_divergence *divergence = report->divergence;
	if (!divergence) {
		json_text(json, "divergence", NULL);
		return;
	}
	json_open(json, "divergence", '{');
	report_print_tenant(json, report->tenant);
	json_uint(json, "unit", divergence->unit);
	json_uint(json, "thread", divergence->thread);
	json_uint(json, "event", divergence->event);
	json_text(json, "call", divergence->call);
	json_text(json, "where", divergence->where);
	json_text(json, "expected", divergence->expected);
	json_text(json, "actual", divergence->actual);
	json_texts(json, "previous", divergence->previous);
	json_texts(json, "backtrace", divergence->backtrace);
	json_close(json, '}');
}

static void print_all(struct json *json, const struct report *report)
{
	json_open(json, NULL, '{');
	report_head(json, report->kind);
	if (report->status)
		json_text(json, "status", report->status);
	report_print_trace(json, &report->trace);
	report_print_tenant(json, report->tenant);
	json_texts(json, "argv", report->info ? report->info->argv : NULL);
	json_text(json, "seed", report->info ? report->info->seed : NULL);
	report_print_recorded(json, report->info);
	json_uint(json, "events", report->events);
	json_uint(json, "units", report->units);
	report_print_exit(json, report->ended, report->exit);
	json_digest(json, "state_hash", report->state);
	report_print_outputs(json, report->outputs);
	report_print_summary(json, report->summary);
	json_text(json, "isolation", report->isolation);
	print_checked(json, report);
	print_divergence(json, report);
	json_close(json, '}');
	fputc('\n', json->out);
}

int report_format(const struct report *report, char **ret_text, size_t *ret_length)
{
	char *text = NULL;
	size_t length;
	struct json json = { .out = open_memstream(&text, &length) };
	if (!json.out)
		return -ENOMEM;
	print_all(&json, report);
	bool failed = ferror(json.out) != 0;
	if (fclose(json.out) != 0 || failed) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	*ret_length = length;
	return 0;
}
