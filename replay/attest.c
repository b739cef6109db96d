#include "attest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "../traces/blob.h"
#include "../traces/chain.h"
#include "../traces/digest.h"
#include "../traces/error.h"
#include "../traces/keystore.h"
#include "../traces/outfile.h"

#define FILE_MODE 0644
#define REASON_BYTES 512

/* From the replayer to the process that signs, and back. */
struct request {
	struct statement statement;
	uint8_t tenant[TENANT_ID_SIZE];
};
struct answer {
	int error;
	char reason[REASON_BYTES];
};

/* The text behind the first `model name` of /proc/cpuinfo. */
static void read_model(char *ret_text, size_t size)
{
	static const char name[] = "model name";
	char line[256];
	FILE *file = fopen("/proc/cpuinfo", "re");
	ret_text[0] = '\0';
	while (file && !ret_text[0] && fgets(line, sizeof(line), file)) {
		const char *text = strchr(line, ':');
		if (strncmp(line, name, sizeof(name) - 1) != 0 || !text)
			continue;
		snprintf(ret_text, size, "%s", text + 1 + strspn(text + 1, " \t"));
		ret_text[strcspn(ret_text, "\n")] = '\0';
	}
	if (file)
		fclose(file);
}

static void describe_machine(uint8_t ret_digest[DIGEST_BYTES])
{
	char model[256], kernel[sizeof(struct utsname)] = "";
	struct utsname host;
	read_model(model, sizeof(model));
	if (uname(&host) == 0)
		snprintf(kernel, sizeof(kernel), "%s %s", host.release, host.version);
	struct part parts[] = { { model, strlen(model), false }, { kernel, strlen(kernel), false } };
	chain_hash("sworn/1/machine", parts, 2, ret_digest);
}

static int describe_engine(uint8_t ret_digest[DIGEST_BYTES])
{
	uint64_t bytes;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : report_digest(fd, ret_digest, &bytes);
	if (fd >= 0)
		close(fd);
	return r;
}

/* Of the tenant; without its secret halves when `unlock` is false. The caller erases. */
static int find_key(const struct attest *attest, const char *tenant, bool unlock,
		    struct tenant_file *file, char *ret_reason)
{
	static struct keystore keystore;
	int r = keystore_open(&keystore, attest->keystore, false);
	if (r == 0 && tenant)
		r = keystore_find(&keystore, tenant, file);
	if (r == 0 && unlock)
		r = keystore_unlock(&keystore, file, attest->passphrase_file);
	snprintf(ret_reason, REASON_BYTES, "%.400s",
		 keystore.reason[0] ? keystore.reason : error_text(r));
	if (r == 0 && tenant && !tenant_key(&file->tenant, KEY_ATTESTER)) {
		snprintf(ret_reason, REASON_BYTES,
			 "%s has no attester key; name another tenant with --attester",
			 file->tenant.name);
		r = SWORN_EKEYSTORE;
	}
	keystore_close(&keystore);
	return r;
}

static int write_statement(const struct attest *attest, const struct request *request, char *ret_reason)
{
	static struct tenant_file file;
	uint8_t bytes[STATEMENT_BYTES_MAX];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	char id[2 * TENANT_ID_SIZE + 1];
	hex_encode(request->tenant, TENANT_ID_SIZE, id);
	int r = find_key(attest, attest->tenant ? attest->tenant : id, true, &file, ret_reason);
	if (r == 0)
		statement_encode(&request->statement, tenant_key(&file.tenant, KEY_ATTESTER), &out);
	tenant_erase(&file.tenant);
	if (r < 0)
		return r;
	r = strcmp(attest->path, "-") ? outfile_write(attest->path, bytes, out.length, FILE_MODE)
				      : write_all(STDOUT_FILENO, bytes, out.length);
	if (r < 0)
		snprintf(ret_reason, REASON_BYTES,
			 "%.300s cannot be written: %s; name another file with --attest",
			 attest->path, error_text(r));
	return r;
}

/* What the replayer does not know, or could not be asked inside of its domain. */
static void serve(const struct attest *attest, int socket)
{
	struct request request;
	struct answer answer = { .error = 0 };
	ssize_t n;
	uint8_t engine[DIGEST_BYTES] = { 0 };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	answer.error = describe_engine(engine);
	do
		n = recv(socket, &request, sizeof(request), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(request))
		_exit(0);
	snprintf(answer.reason, sizeof(answer.reason),
		 "the program file cannot be read: %s; check /proc", error_text(answer.error));
	memcpy(request.statement.engine, engine, DIGEST_BYTES);
	describe_machine(request.statement.machine);
	memcpy(request.statement.challenge, attest->challenge, STATEMENT_CHALLENGE_BYTES);
	request.statement.kind = STATEMENT_ATTESTATION;
	request.statement.at = (uint64_t)time(NULL);
	if (answer.error == 0)
		answer.error = write_statement(attest, &request, answer.reason);
	send(socket, &answer, sizeof(answer), MSG_NOSIGNAL);
	_exit(0);
}

/* Whether the file can be made: better now than when the replay is over. */
static int check_place(const char *path)
{
	struct outfile output;
	int r = report_is_trace(path) ? -EEXIST : outfile_open(&output, path, FILE_MODE);
	if (r == 0)
		outfile_abandon(&output);
	return r;
}

static int start(struct attest *attest)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		serve(attest, pair[1]);
	}
	int r = pid < 0 ? -errno : 0;
	close(pair[1]);
	if (r < 0)
		close(pair[0]);
	else
		attest->fd = pair[0];
	return r;
}

enum verdict_code attest_start(struct attest *attest)
{
	static struct tenant_file file;
	char reason[REASON_BYTES];
	attest->fd = -1;
	if (!attest->path)
		return CODE_IDENTICAL;
	int r = strcmp(attest->path, "-") ? check_place(attest->path) : 0;
	if (r < 0) {
		fprintf(stderr,
			"sworn replay: the attestation %s cannot be written: %s; name another file with --attest\n",
			attest->path, error_text(r));
		return CODE_USAGE;
	}
	r = find_key(attest, attest->tenant, false, &file, reason);
	if (r == 0 && (r = start(attest)) < 0)
		snprintf(reason, sizeof(reason),
			 "the process that signs cannot be started: %s; free memory", error_text(r));
	if (r < 0)
		fprintf(stderr, "sworn replay: nothing was replayed: %s\n", reason);
	return r < 0 ? CODE_UNKNOWN : CODE_IDENTICAL;
}

static void fill(const struct outcome *outcome, struct request *request)
{
	const struct trace_report *trace = &outcome->trace;
	const struct replayer *rep = outcome->replayer;
	struct statement *s = &request->statement;
	s->outcome = outcome->error ? ATTESTED_DIVERGED : ATTESTED_IDENTICAL;
	if (s->outcome == ATTESTED_IDENTICAL && outcome->prefix)
		s->outcome = ATTESTED_PREFIX;
	if (s->outcome == ATTESTED_IDENTICAL)
		chain_commit("state", rep->state, DIGEST_BYTES, s->state);
	memcpy(s->seal_id, trace->seal_id, DIGEST_BYTES);
	s->events_checked = rep->played;
	s->events = trace->events;
	s->units_checked = rep->guests.units_count;
	s->units = trace->units;
	memcpy(request->tenant, trace->tenant, TENANT_ID_SIZE);
}

static int ask(int socket, const struct request *request, struct answer *ret_answer)
{
	ssize_t n;
	*ret_answer = (struct answer){ .error = -EIO, .reason = "the process that signs is gone" };
	if (send(socket, request, sizeof(*request), MSG_NOSIGNAL) != sizeof(*request))
		return -EIO;
	do
		n = recv(socket, ret_answer, sizeof(*ret_answer), 0);
	while (n < 0 && errno == EINTR);
	return n == sizeof(*ret_answer) ? ret_answer->error : -EIO;
}

int attest_outcome(const struct attest *attest, const struct outcome *outcome)
{
	struct request request = { .statement.at = 0 };
	struct answer answer;
	bool is_verdict = outcome->replayer &&
			  (outcome->error == 0 || outcome->error == SWORN_EDIVERGED);
	if (attest->fd < 0)
		return 0;
	if (!is_verdict || !outcome->trace.sealed) {
		fprintf(stderr, "sworn replay: no attestation was written: %s\n",
			is_verdict ? "the trace has no seal that could be named; `sworn repair` makes one that has"
				   : "there is no verdict");
		return 1;
	}
	fill(outcome, &request);
	int r = ask(attest->fd, &request, &answer);
	if (r < 0)
		fprintf(stderr, "sworn replay: no attestation was written: %s\n", answer.reason);
	return r;
}
