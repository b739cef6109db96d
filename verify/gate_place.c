#include "gate_place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../traces/blob.h"
#include "../traces/digest.h"
#include "../traces/error.h"

#define VARIABLES_MAX 256 /* that `sworn record --env` takes */
#define OPTIONS_MAX (2 * GATE_WITH_MAX + 2 * VARIABLES_MAX + 32)

__attribute__((format(printf, 2, 3))) static int problem(struct gate_place *place, const char *text, ...)
{
	va_list list;
	va_start(list, text);
	if (vasprintf(&place->problem, text, list) < 0)
		place->problem = NULL;
	va_end(list);
	return SWORN_EHOST;
}

/* What the first program got. */
static int take_environment(struct gate_place *place)
{
	const struct history *h = place->seen->history;
	const struct history_strings *list = h->programs_count ? &h->programs[0].environment : NULL;
	size_t n = 0;
	if (!list || (!list->bytes && list->count))
		return problem(place, "the trace does not show the environment of the command");
	place->environment = calloc(list->count + 1U, sizeof(*place->environment));
	if (!place->environment)
		return -ENOMEM;
	for (size_t at = 0; list->bytes && at < list->length && n < list->count; n++) {
		place->environment[n] = list->bytes + at;
		at += strlen(list->bytes + at) + 1;
	}
	place->variables = n;
	return 0;
}

/* The directory that the guests saw is in the history; where it differs from the recorder's, it was shown under a name. */
static int take_directory(struct gate_place *place)
{
	const struct history *h = place->seen->history;
	const char *seen = h->programs[0].directory;
	struct stat status;
	place->directory = strdup(seen && *seen ? seen : "/");
	if (!place->directory)
		return -ENOMEM;
	if (strcmp(place->directory, place->info->directory) != 0) {
		place->workdir = strdup(place->directory);
		return place->workdir ? 0 : -ENOMEM;
	}
	if (stat(place->directory, &status) < 0 || !S_ISDIR(status.st_mode))
		return problem(place,
			       "it was recorded in %s, which is not here; record it with --workdir-as /work to run it "
			       "again in any checkout",
			       place->directory);
	return 0;
}

int gate_place_init(const struct gate *gate, size_t index, struct reader *reader,
		    const struct observation *seen, struct gate_place *place)
{
	const struct trace_summary *summary = reader_summary(reader);
	int r;
	*place = (struct gate_place){ .seen = seen, .info = reader_info(reader) };
	place->tenant = reader_tenant(reader);
	place->argv = place->info->argv;
	place->cpu = summary->requires_cpu;
	place->network = summary->isolation && strstr(summary->isolation, "network of the host");
	place->private_tmp = summary->isolation && strstr(summary->isolation, "/tmp of its own");
	r = take_environment(place);
	if (r == 0)
		r = take_directory(place);
	if (r == 0 && asprintf(&place->root, "%s/%zu", gate->scratch, index) < 0) {
		place->root = NULL;
		r = -ENOMEM;
	}
	if (r == 0 && mkdir(place->root, 0700) < 0)
		r = problem(place, "no directory %s: %s; free space in TMPDIR", place->root,
			    strerror(errno));
	return r;
}

static void clear(char **text)
{
	free(*text);
	*text = NULL;
}

void gate_place_release(struct gate_place *place)
{
	if (place->work)
		gate_place_clean(place);
	if (place->root)
		rmdir(place->root);
	clear(&place->problem);
	clear(&place->root);
	clear(&place->work);
	clear(&place->trace);
	clear(&place->workdir);
	clear(&place->directory);
	free(place->environment);
}

/* OLD, where the run's copy of the directory has it; NULL when it is elsewhere. */
static char *in_copy(const struct gate_place *place, const char *old)
{
	size_t length = place->workdir ? strlen(place->workdir) : 0;
	char *path = NULL;
	if (!place->workdir ||
	    (old[0] == '/' && (strncmp(old, place->workdir, length) != 0 || old[length] != '/')))
		return NULL;
	if (old[0] == '/')
		old += length + 1;
	return asprintf(&path, "%s/copy/%s", place->work, old) < 0 ? NULL : path;
}

/* Something of the right kind has to be where NEW is to be shown; where the checkout has no OLD any more it is NEW itself. */
static void prepare_with(const struct gate_place *place, const char *with)
{
	const char *sign = strchr(with, '=');
	char *old = strndup(with, (size_t)(sign - with));
	char *path = old ? in_copy(place, old) : NULL;
	const char *argv[] = { "cp", "-a", "--", sign + 1, path, NULL };
	struct gate_process process = {
		.argv = argv, .input = -1, .output = -1, .errors = -1, .report = -1
	};
	struct stat status;
	free(old);
	if (path && lstat(path, &status) < 0) {
		for (char *c = path + strlen(place->work) + 1; (c = strchr(c + 1, '/')) != NULL;) {
			*c = '\0';
			mkdir(path, 0777);
			*c = '/';
		}
		gate_process_run(-1, &process);
	}
	free(path);
}

static int copy_directory(const struct gate_place *place)
{
	char here[PATH_MAX], *copy = NULL;
	const char *argv[] = { "cp", "-a", "--", ".", NULL, NULL };
	struct gate_process process = {
		.argv = argv, .input = -1, .output = -1, .errors = -1, .report = -1
	};
	size_t length = getcwd(here, sizeof(here)) ? strlen(here) : 0;
	int r;
	if (length > 1 && !strncmp(place->root, here, length) && place->root[length] == '/')
		return -EXDEV;
	if (asprintf(&copy, "%s/copy", place->work) < 0)
		return -ENOMEM;
	argv[4] = copy;
	r = mkdir(copy, 0755) < 0 ? -errno : gate_process_run(-1, &process);
	free(copy);
	return r <= 0 ? r : -EIO;
}

static int prepare(const struct gate *gate, struct gate_place *place)
{
	int r = 0;
	clear(&place->work);
	clear(&place->trace);
	if (asprintf(&place->work, "%s/%zu", place->root, ++place->runs) < 0)
		place->work = NULL;
	if (place->work && asprintf(&place->trace, "%s/run.sworn", place->work) < 0)
		place->trace = NULL;
	if (!place->work || !place->trace)
		return -ENOMEM;
	if (mkdir(place->work, 0700) < 0)
		return -errno;
	if (place->workdir)
		r = copy_directory(place);
	for (size_t i = 0; r == 0 && gate->options.with[i]; i++)
		prepare_with(place, gate->options.with[i]);
	return r;
}

/* OLD=NEW with a NEW that holds from any directory. */
static char *absolute_with(const char *with)
{
	const char *sign = strchr(with, '=');
	char *real = realpath(sign + 1, NULL), *text = NULL;
	if (!real || asprintf(&text, "%.*s=%s", (int)(sign - with), with, real) < 0)
		text = NULL;
	free(real);
	return text;
}

struct words {
	const char *list[OPTIONS_MAX];
	size_t count;
	char *owned[GATE_WITH_MAX + 2];
	size_t owned_count;
	char epoch[24], order[32], report[32], tenant[2 * TENANT_ID_SIZE + 1];
};

static void add(struct words *words, const char *option, const char *value)
{
	if (words->count + 3 > OPTIONS_MAX)
		return;
	words->list[words->count++] = option;
	if (value)
		words->list[words->count++] = value;
}

/* A file that holds from any directory. */
static void add_path(struct words *words, const char *option, const char *path)
{
	char *real = path ? realpath(path, NULL) : NULL;
	words->owned[words->owned_count++] = real;
	if (path)
		add(words, option, real ? real : path);
}

/* The new trace is signed by the tenant of the old one, where its keys are here; then a kept one is trusted like that. */
static void add_signer(const struct gate *gate, const struct gate_place *place, struct words *words)
{
	static const uint8_t nobody[TENANT_ID_SIZE];
	add_path(words, "--keystore", gate->options.keystore);
	add_path(words, "--passphrase-file", gate->options.passphrase_file);
	hex_encode(place->tenant, TENANT_ID_SIZE, words->tenant);
	for (size_t i = 0; i < gate->trust.count; i++) {
		const struct trust_entry *entry = &gate->trust.entries[i];
		if (!entry->own || entry->key.purpose != KEY_RECORDER ||
		    memcmp(entry->tenants[0], place->tenant, TENANT_ID_SIZE) != 0 ||
		    !memcmp(place->tenant, nobody, TENANT_ID_SIZE))
			continue;
		add(words, "--tenant", words->tenant);
		return;
	}
}

/* The circumstances of the recording as options. */
static void options(const struct gate *gate, const struct gate_place *place, unsigned int number,
		    struct words *words)
{
	const struct trace_info *info = place->info;
	add(words, "sworn", "record");
	add(words, "--seed", info->seed);
	add(words, "--schedule", info->schedule_seeded ? "seeded" : "observed");
	add(words, "--clock", info->clock_virtual ? "virtual" : "real");
	if (info->clock_virtual) {
		snprintf(words->epoch, sizeof(words->epoch), "%" PRIu64, info->epoch_ns / 1000000000U);
		add(words, "--epoch", words->epoch);
	}
	add(words, "--cpu", place->cpu ? place->cpu : "host");
	if (place->workdir)
		add(words, "--workdir-as", place->workdir);
	if (place->network)
		add(words, "--allow", "net");
	if (place->private_tmp)
		add(words, "--private-tmp", NULL);
	if (number > 1 && info->schedule_seeded) {
		snprintf(words->order, sizeof(words->order), "repeat %u", number);
		add(words, "--order", words->order);
		/* Every second one gives some threads much more than their share. */
		if (number % 2)
			add(words, "--chaos", NULL);
	}
	/* Exactly these, in this order: nothing is added or left out for the sake of the directory. */
	for (size_t i = 0; place->variables <= VARIABLES_MAX && i < place->variables; i++)
		add(words, "--env", place->environment[i]);
	for (size_t i = 0; gate->options.with[i]; i++) {
		char *with = absolute_with(gate->options.with[i]);
		words->owned[words->owned_count++] = with;
		add(words, "--with", with ? with : gate->options.with[i]);
	}
	add_signer(gate, place, words);
	add(words, "--report", words->report);
	add(words, "-o", place->trace);
	add(words, "--", NULL);
}

static const char **command_line(const struct words *words, const char *const *command)
{
	size_t count = 0;
	const char **argv;
	while (command[count])
		count++;
	argv = calloc(words->count + count + 1, sizeof(*argv));
	if (!argv)
		return NULL;
	memcpy(argv, words->list, words->count * sizeof(*argv));
	memcpy(argv + words->count, command, count * sizeof(*argv));
	return argv;
}

/* What the command read from its standard input, as a file; -1: nothing. */
static int make_input(const struct gate_place *place)
{
	const struct content *input = &place->seen->input;
	int fd = place->seen->has_input && input->size < OBSERVE_BYTES_MAX ? gate_file("input") : -1;
	for (uint64_t at = 0; fd >= 0 && at < input->size;) {
		uint8_t bytes[4096];
		size_t n = 0;
		for (; n < sizeof(bytes) && at < input->size; n++, at++) {
			int byte = content_byte(input, at);
			bytes[n] = (uint8_t)(byte < 0 ? 0 : byte);
		}
		if (write_all(fd, bytes, n) < 0)
			break;
	}
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	return fd;
}

/* What a standard output of the recording was, as far as a guest asked: st_mode, 0 when nobody did. */
static mode_t standard_mode(const struct gate_place *place, const char *name)
{
	const struct history *h = place->seen->history;
	for (size_t i = 0; i < h->files_count; i++)
		if (h->files[i].kind == HISTORY_OTHER && !strcmp(h->files[i].path, name))
			return h->files[i].mode;
	return 0;
}

/* An output of the same kind, since programs write to pipes and files in different ways; -1: nowhere. */
static int make_output(const struct gate_place *place, const char *name, const char *file,
		       pid_t *ret_reader)
{
	mode_t mode = standard_mode(place, name);
	char *path = NULL;
	int fd;
	*ret_reader = 0;
	if (S_ISCHR(mode))
		return -1;
	if (S_ISFIFO(mode) || S_ISSOCK(mode))
		return gate_drain(ret_reader);
	if (asprintf(&path, "%s/%s", place->work, file) < 0)
		return -ENOMEM;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	free(path);
	return fd < 0 ? -errno : fd;
}

static void close_output(int fd, pid_t reader)
{
	if (fd >= 0)
		close(fd);
	if (reader > 0)
		gate_drained(reader);
}

static int run(const struct gate *gate, const struct gate_place *place,
	       struct gate_process *process, char **ret_words)
{
	char *copy = NULL;
	const char *reason;
	struct value *report = NULL;
	size_t length;
	int r = 0;
	process->directory = place->directory;
	process->input = make_input(place);
	if (place->workdir && asprintf(&copy, "%s/copy", place->work) < 0)
		r = -ENOMEM;
	if (copy)
		process->directory = copy;
	if (r == 0)
		r = gate_process_run(gate->program, process);
	/* The command has any exit status; a trace is what tells that it was recorded. */
	if (r >= 0)
		r = access(place->trace, R_OK) == 0 ? 0 : SWORN_EHOST;
	if (r == SWORN_EHOST) {
		char *text = gate_file_text(process->report, &length);
		if (text && document_parse(text, length, &report) == 0 &&
		    (reason = value_text(value_member(report, "checked"), "reason")))
			*ret_words = strdup(reason);
		document_release(report);
		free(text);
	}
	if (process->input >= 0)
		close(process->input);
	free(copy);
	return r;
}

/* Everything that the recorder gets besides its command line. */
static int run_recorder(const struct gate *gate, const struct gate_place *place,
			const char *const *argv, int report, char **ret_words)
{
	struct gate_process process = { .argv = argv, .report = report };
	pid_t readers[2] = { 0, 0 };
	int r;
	/* The recorder finds its keys by its own variables, unless there are more for the command than --env takes. */
	if (place->variables == 0 || place->variables > VARIABLES_MAX)
		process.environment = place->environment;
	process.timeout_s = gate->options.timeout_s;
	process.output = make_output(place, "[standard output]", "output", &readers[0]);
	process.errors = place->seen->merged
				 ? process.output
				 : make_output(place, "[standard error]", "errors", &readers[1]);
	r = process.output < -1 ? process.output : process.errors < -1 ? process.errors : 0;
	if (r == 0)
		r = run(gate, place, &process, ret_words);
	close_output(process.output, readers[0]);
	if (!place->seen->merged)
		close_output(process.errors, readers[1]);
	return r;
}

int gate_place_record(const struct gate *gate, struct gate_place *place, unsigned int number,
		      char **ret_words)
{
	struct words words = { .count = 0 };
	const char **argv;
	int r = prepare(gate, place), report;
	if (r == -EXDEV)
		*ret_words = strdup(
			"the copy of the directory would go into itself; set TMPDIR to another place");
	report = r == 0 ? gate_file("report") : r;
	if (report < 0)
		return report;
	snprintf(words.report, sizeof(words.report), "/proc/self/fd/%d", report);
	options(gate, place, number, &words);
	argv = command_line(&words, place->argv);
	r = argv ? run_recorder(gate, place, argv, report, ret_words) : -ENOMEM;
	free(argv);
	close(report);
	for (size_t i = 0; i < words.owned_count; i++)
		free(words.owned[i]);
	return r;
}

void gate_place_clean(struct gate_place *place)
{
	if (place->work)
		gate_remove_tree(place->work);
}

/* Writes a copy beside `path` and gives it that name when it is whole. */
static int copy_trace(int fd, const char *path)
{
	char bytes[65536], *beside;
	off_t at = 0;
	ssize_t n = 0;
	int r = asprintf(&beside, "%s.XXXXXX", path) < 0 ? -ENOMEM : 0, to;
	if (r < 0)
		return r;
	to = mkostemp(beside, O_CLOEXEC);
	if (to < 0)
		r = -errno;
	while (r == 0 && (n = pread(fd, bytes, sizeof(bytes), at)) > 0) {
		r = write_all(to, bytes, (size_t)n);
		at += n;
	}
	if (r == 0 && (n < 0 || rename(beside, path) < 0))
		r = -errno;
	if (to >= 0 && r < 0)
		unlink(beside);
	if (to >= 0)
		close(to);
	free(beside);
	return r;
}

void gate_place_keep(const struct gate *gate, int fd, struct gate_result *result)
{
	const char *keep = gate->options.keep;
	char *name, *path = NULL;
	if (!keep || result->kept)
		return;
	name = strdup(result->path + strspn(result->path, "@./"));
	for (char *c = name; c && *c; c++)
		if (*c == '/')
			*c = '-';
	if (name && asprintf(&path, "%s/%s.run-%u.sworn", keep, name, result->runs) < 0)
		path = NULL;
	if (path && (mkdir(keep, 0777) == 0 || errno == EEXIST) && copy_trace(fd, path) == 0) {
		result->kept = path;
		path = NULL;
	}
	free(path);
	free(name);
}

char *gate_place_at(const struct gate_place *place, const char *with)
{
	const char *sign = strchr(with, '=');
	int length = (int)(sign - with);
	char *text = NULL;
	while (length > 1 && with[length - 1] == '/')
		length--;
	while (length > 2 && with[0] == '.' && with[1] == '/') {
		with += 2;
		length -= 2;
	}
	if (asprintf(&text, "%s%s%.*s", with[0] == '/' ? "" : place->directory,
		     with[0] == '/' ? "" : "/", length, with) < 0)
		return NULL;
	return text;
}
