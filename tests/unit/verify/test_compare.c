#include "tests/unit/traces/sample.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "verify/compare.h"

static struct comparison found;

static void write_trace(const char *path, const struct event *events, size_t count,
			const struct trace_info *info)
{
	struct event end = { .kind = EVENT_END, .end = { .threads = 1, .state = { 1 } } };
	struct writer *writer;
	char *name;
	assert_int_equal(writer_open(path, -1, info, &writer), 0);
	for (size_t i = 0; i < count; i++) {
		end.end.units += events[i].kind == EVENT_EXEC;
		assert_int_equal(writer_event(writer, &events[i]), 0);
	}
	assert_int_equal(writer_event(writer, &end), 0);
	assert_int_equal(writer_close(writer, &sample_summary, &name), 0);
	free(name);
}

static int compare_files(const char *a, const char *b, bool other_directory)
{
	const struct compare_options options = { .other_directory = other_directory };
	const char *const paths[] = { a, b };
	struct reader *readers[2];
	int fds[2], r;
	for (int i = 0; i < 2; i++) {
		fds[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
		assert_int_equal(reader_open(fds[i], -1, &readers[i]), 0);
	}
	r = compare_traces(readers[0], readers[1], &options, &found);
	for (int i = 0; i < 2; i++) {
		reader_close(readers[i]);
		close(fds[i]);
	}
	return r;
}

/* Compares two lists of events; the answer is in `found`. */
static void compare_events(const struct event *a, size_t a_count, const struct event *b, size_t b_count)
{
	write_trace("a.sworn", a, a_count, &sample_info);
	write_trace("b.sworn", b, b_count, &sample_info);
	assert_int_equal(compare_files("a.sworn", "b.sworn", false), 0);
}

/* One event before, then two that differ: what the source is called. */
static void assert_origin(const struct event *before, const struct event *a, const struct event *b,
			  enum origin origin)
{
	const struct event lists[2][2] = { { *before, *a }, { *before, *b } };
	compare_events(lists[0], 2, lists[1], 2);
	assert_false(found.equal);
	assert_int_equal(found.events, 1);
	assert_string_equal(origin_name(found.origin), origin_name(origin));
	assert_int_equal(found.previous_count, 1);
}

static const struct event nothing = { .kind = EVENT_CALL, .thread = 1, .nr = SYS_sched_yield };

static void the_same_events_are_equal_in_whatever_frames(void **state)
{
	struct sample samples[2] = { { .seed = 42 }, { .seed = 42 } };
	struct writer *writer;
	char *name;
	(void)state;
	sample_trace("a.sworn", 20);
	assert_int_equal(writer_open("b.sworn", -1, &sample_info, &writer), 0);
	sample_write(writer, &samples[0], 1, false);
	assert_int_equal(writer_flush(writer), 0);
	writer_abandon(writer);
	assert_int_equal(writer_open("b.sworn", -1, &sample_info, &writer), 0);
	sample_write(writer, &samples[1], 20, true);
	assert_int_equal(writer_close(writer, &sample_summary, &name), 0);
	free(name);
	assert_int_equal(compare_files("a.sworn", "b.sworn", false), 0);
	assert_true(found.equal);
	assert_int_equal(found.events, 20 * EVENT_END + 1);
	assert_int_equal(found.of[0], found.events);
	assert_int_equal(found.units, 20);
	assert_false(digest_is_zero(found.state));
}

/* Changes one thing of an event; false when the event has no such thing. */
static bool mutate(struct sample *sample, unsigned int what)
{
	struct event *event = &sample->event;
	switch (what) {
	case 0: event->thread++; return true;
	case 1: event->ip ^= 1; return true;
	case 2: event->registers_hash ^= 1; return true;
	case 3: event->nr ^= 1; return true;
	case 4: event->args[5] ^= 1ULL << 63; return true;
	case 5: event->result ^= 1; return true;
	case 6: event->flags ^= 1; return true;
	case 7: event->sink ^= 1; return true;
	case 8:
		if (event->payloads_count == 0 || sample->payloads[0].length == 0)
			return false;
		sample->bytes[0][sample->payloads[0].length - 1] ^= 1;
		return event->kind != EVENT_CHECKPOINT;
	case 9:
		if (event->payloads_count == 0 || event->kind == EVENT_CHECKPOINT)
			return false;
		event->payloads_count--;
		return true;
	case 10: sample->mappings[3].digest[31] ^= 1; return event->mappings_count > 0;
	case 11: sample->mappings[3].start -= 4096; return event->mappings_count > 0;
	case 12: sample->mappings[1].path = "another"; return event->mappings_count > 0;
	case 13: sample->registers.gs ^= 1; return event->registers != NULL;
	case 14: sample->vector[0] ^= 1; return event->vector_length > 0;
	case 15: sample->sinks[2].digest[0] ^= 1; return event->kind == EVENT_END;
	case 16: event->turn.count ^= 1; return event->kind == EVENT_TURN;
	case 17: event->checkpoint.hash[15] ^= 1; return event->kind == EVENT_CHECKPOINT;
	case 18: event->signal.siginfo[20] ^= 1; return event->kind == EVENT_SIGNAL;
	case 19: event->end.state[0] ^= 1; return event->kind == EVENT_END;
	case 20: event->exit.status ^= 1; return event->kind == EVENT_EXIT;
	case 21: event->clone.tls ^= 1; return event->kind == EVENT_CLONE;
	case 22: event->trap.value ^= 1; return event->kind == EVENT_TRAP;
	case 23: event->memory.target ^= 1; return event->kind == EVENT_MEMORY;
	case 24: event->exec.path = "/bin/false"; return event->kind == EVENT_EXEC;
	case 25: event->kind = (enum event_kind)((event->kind + 1) % 13); return true;
	case 26:
		event->trap.more ^= 1;
		return event->kind == EVENT_TRAP && event->trap.kind == TRAP_CPUID;
	}
	return false;
}
#define MUTATIONS 27

static void a_change_of_any_field_is_seen(void **state)
{
	unsigned int seen[MUTATIONS] = { 0 };
	(void)state;
	for (unsigned int round = 1; round <= 20; round++) {
		for (unsigned int n = 0; n < 13 * MUTATIONS; n++) {
			struct sample a = { .seed = round }, b = { .seed = round };
			struct difference difference;
			sample_next(&a, (enum event_kind)(n % 13));
			sample_next(&b, (enum event_kind)(n % 13));
			assert_false(events_differ(&a.event, &b.event, &difference));
			if (!mutate(&b, n / 13))
				continue;
			seen[n / 13]++;
			if (!events_differ(&a.event, &b.event, &difference))
				fail_msg("kind %u: change %u is not seen", n % 13, n / 13);
			assert_string_not_equal(difference.where, "");
			assert_true(difference.field != 0);
		}
	}
	for (unsigned int i = 0; i < MUTATIONS; i++)
		assert_true(seen[i] > 0);
}

static void another_seed_or_command_is_no_answer_about_events(void **state)
{
	static const char *const argv[] = { "/bin/echo", "h\xc3\xa9llo\n", NULL };
	struct trace_info seed = sample_info, command = sample_info, clock = sample_info,
			  directory = sample_info, harmless = sample_info;
	(void)state;
	seed.seed = "1";
	command.argv = argv;
	clock.clock_virtual = false;
	clock.epoch_ns = 0;
	directory.directory = "/elsewhere";
	harmless.host = "another";
	harmless.operator_name = "somebody";
	harmless.started_utc_ns++;
	harmless.cpu = "another cpu";
	write_trace("a.sworn", &nothing, 1, &sample_info);
	const struct {
		const struct trace_info *info;
		const char *where;
	} cases[] = { { &seed, "the seed" },
		      { &command, "the command" },
		      { &clock, "the clock" },
		      { &directory, "the working directory" } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_trace("b.sworn", &nothing, 1, cases[i].info);
		assert_int_equal(compare_files("a.sworn", "b.sworn", false), 0);
		assert_false(found.equal);
		assert_true(found.in_head);
		assert_int_equal(found.origin, ORIGIN_COMMAND);
		assert_string_equal(found.difference.where, cases[i].where);
	}
	assert_int_equal(compare_files("a.sworn", "b.sworn", true), 0);
	assert_true(found.equal);
	write_trace("b.sworn", &nothing, 1, &harmless);
	assert_int_equal(compare_files("a.sworn", "b.sworn", false), 0);
	assert_true(found.equal);
}

static void an_unfinished_trace_is_no_answer(void **state)
{
	struct writer *writer;
	(void)state;
	write_trace("a.sworn", &nothing, 1, &sample_info);
	assert_int_equal(writer_open("cut.sworn", -1, &sample_info, &writer), 0);
	assert_int_equal(writer_event(writer, &nothing), 0);
	writer_abandon(writer);
	assert_int_equal(compare_files("a.sworn", "cut.sworn.partial", false), SWORN_ETRUNCATED);
	assert_int_equal(found.bad, 1);
	assert_false(found.equal);
	assert_string_not_equal(found.reason, "");
}

static void the_order_of_threads_is_named(void **state)
{
	struct event turns[2] = { { .kind = EVENT_TURN, .thread = 1, .turn = { .next = 2 } },
				  { .kind = EVENT_TURN, .thread = 1, .turn = { .next = 3 } } };
	struct event other = nothing;
	(void)state;
	other.thread = 2;
	assert_origin(&nothing, &turns[0], &turns[1], ORIGIN_ORDER);
	assert_string_equal(found.difference.where, "the thread that goes on");
	assert_origin(&nothing, &turns[0], &nothing, ORIGIN_ORDER);
	assert_origin(&nothing, &nothing, &other, ORIGIN_ORDER);
}

static void clocks_random_bytes_and_signals_are_named(void **state)
{
	struct event call = { .kind = EVENT_CALL, .thread = 1, .nr = SYS_time, .result = 1 };
	struct event later = call, number = { .kind = EVENT_CALL, .thread = 1, .nr = SYS_getpid };
	struct event traps[3] = {
		{ .kind = EVENT_TRAP, .thread = 1, .trap = { .kind = TRAP_RDTSC, .value = 5 } },
		{ .kind = EVENT_TRAP, .thread = 1, .trap = { .kind = TRAP_RDTSC, .value = 6 } },
		{ .kind = EVENT_TRAP, .thread = 1, .trap = { .kind = TRAP_RANDOM, .value = 6 } },
	};
	struct event drawn = { .kind = EVENT_TRAP,
			       .thread = 1,
			       .trap = { .kind = TRAP_RANDOM, .value = 7 } };
	struct event signal = { .kind = EVENT_SIGNAL, .thread = 1, .signal = { .siginfo = { 14 } } };
	struct event another = number;
	(void)state;
	later.result = 2;
	another.result = 7;
	assert_origin(&nothing, &call, &later, ORIGIN_CLOCK);
	assert_string_equal(found.call, "time");
	assert_string_equal(found.difference.where, "the result");
	assert_string_equal(found.difference.values[1], "2");
	assert_string_equal(found.lines[1], "1 thread 1 time(NULL) = 2");
	assert_string_equal(found.previous[0], "0 thread 1 sched_yield() = 0");
	assert_origin(&nothing, &traps[0], &traps[1], ORIGIN_CLOCK);
	assert_origin(&nothing, &traps[2], &drawn, ORIGIN_RANDOM);
	assert_origin(&nothing, &call, &signal, ORIGIN_SIGNAL);
	assert_origin(&nothing, &number, &another, ORIGIN_PROCESS);
}

static void a_step_without_a_cause_is_unrecorded(void **state)
{
	struct event a = nothing, b = nothing;
	(void)state;
	b.ip = 0x1000;
	assert_origin(&nothing, &a, &b, ORIGIN_UNRECORDED);
	b = nothing;
	b.nr = SYS_getpid;
	assert_origin(&nothing, &a, &b, ORIGIN_UNRECORDED);
}

/* The opening of a file as descriptor 3, and a call on it with `length` bytes at 0x1000. */
static struct payload path_payload, buffers[2];

static struct event opened(const char *path)
{
	path_payload = (struct payload){ 1, DIRECTION_IN, 0x500, strlen(path) + 1,
					 (const uint8_t *)path };
	return (struct event){ .kind = EVENT_CALL,
			       .thread = 1,
			       .nr = SYS_openat,
			       .args = { (uint64_t)-100, 0x500 },
			       .result = 3,
			       .payloads = &path_payload,
			       .payloads_count = 1 };
}

static void assert_descriptor(const char *path, uint32_t nr, const void *const bytes[2],
			      size_t length, enum origin origin)
{
	struct event open = opened(path), calls[2];
	for (int i = 0; i < 2; i++) {
		buffers[i] = (struct payload){ 1, DIRECTION_OUT, 0x1000, length, bytes[i] };
		calls[i] = (struct event){ .kind = EVENT_CALL,
					   .thread = 1,
					   .nr = nr,
					   .args = { 3, 0x1000, length },
					   .result = nr == SYS_fstat ? 0 : (int64_t)length,
					   .payloads = &buffers[i],
					   .payloads_count = 1 };
	}
	assert_origin(&open, &calls[0], &calls[1], origin);
}

static void calls_on_descriptors_name_what_was_opened(void **state)
{
	static const char *const texts[2] = { "hello", "hellp" };
	const void *const bytes[2] = { texts[0], texts[1] };
	(void)state;
	assert_descriptor("notes.txt", SYS_read, bytes, 5, ORIGIN_FILE);
	assert_string_equal(found.subject, "notes.txt");
	assert_string_equal(found.difference.where, "argument 1 (buf), byte 4, at 0x1004");
	assert_string_equal(found.difference.values[0], "\"o\"");
	assert_descriptor("/proc/self/stat", SYS_read, bytes, 5, ORIGIN_PROC);
	assert_descriptor("/dev/urandom", SYS_read, bytes, 5, ORIGIN_RANDOM);
	assert_descriptor("/dev/ttyS0", SYS_read, bytes, 5, ORIGIN_DEVICE);
	assert_descriptor("dir", SYS_getdents64, bytes, 5, ORIGIN_DIRECTORY);
	assert_string_equal(found.subject, "dir");
}

static void a_stat_names_the_member(void **state)
{
	struct stat stats[2] = { { .st_ino = 5 }, { .st_ino = 6 } };
	const void *const bytes[2] = { &stats[0], &stats[1] };
	(void)state;
	assert_descriptor("notes.txt", SYS_fstat, bytes, sizeof(stats[0]), ORIGIN_METADATA);
	assert_string_equal(found.subject, "st_ino of notes.txt");
	assert_string_equal(found.difference.values[1], "6");
	stats[1] = stats[0];
	stats[1].st_mtim.tv_nsec = 7;
	assert_descriptor("notes.txt", SYS_fstat, bytes, sizeof(stats[0]), ORIGIN_METADATA);
	assert_string_equal(found.subject, "st_mtim of notes.txt");
	assert_string_equal(found.difference.values[1], "0.000000007");
}

static void descriptors_are_followed_through_dup_fork_and_socket(void **state)
{
	struct event events[2][4];
	struct payload bytes[2] = { { 1, DIRECTION_OUT, 0x1000, 1, (const uint8_t *)"a" },
				    { 1, DIRECTION_OUT, 0x1000, 1, (const uint8_t *)"b" } };
	(void)state;
	for (int i = 0; i < 2; i++) {
		events[i][0] = (struct event){
			.kind = EVENT_CALL, .thread = 1, .nr = SYS_socket, .result = 4
		};
		events[i][1] = (struct event){
			.kind = EVENT_CALL, .thread = 1, .nr = SYS_dup, .args = { 4 }, .result = 9
		};
		events[i][2] = (struct event){
			.kind = EVENT_CLONE, .thread = 1, .nr = SYS_fork, .clone = { .child = 2 }
		};
		events[i][3] = (struct event){ .kind = EVENT_CALL,
					       .thread = 2,
					       .nr = SYS_read,
					       .args = { 9, 0x1000, 1 },
					       .result = 1,
					       .payloads = &bytes[i],
					       .payloads_count = 1 };
	}
	compare_events(events[0], 4, events[1], 4);
	assert_int_equal(found.origin, ORIGIN_SOCKET);
	assert_string_equal(found.subject, "[socket]");
	assert_int_equal(found.events, 3);
}

/* The rest of a longer read is in parts before it: no other kind of event. */
static void parts_are_judged_with_their_call(void **state)
{
	static uint8_t large[EVENT_PART_BYTES];
	struct event open = opened("notes.txt"), events[2][3];
	struct payload part = { 1, DIRECTION_OUT, 0x1000, sizeof(large), large };
	struct payload rest = { 1, DIRECTION_OUT, 0x1000 + sizeof(large), 1, large };
	struct payload small = { 1, DIRECTION_OUT, 0x1000, 1, large };
	struct event call = { .kind = EVENT_CALL,
			      .thread = 1,
			      .nr = SYS_read,
			      .args = { 3, 0x1000, 1 << 20 },
			      .payloads_count = 1 };
	(void)state;
	events[0][0] = events[1][0] = open;
	events[0][1] = (struct event){
		.kind = EVENT_PART, .thread = 1, .nr = SYS_read, .payloads = &part, .payloads_count = 1
	};
	events[0][2] = events[1][1] = call;
	events[0][2].payloads = &rest;
	events[0][2].result = sizeof(large) + 1;
	events[1][1].payloads = &small;
	events[1][1].result = 1;
	compare_events(events[0], 3, events[1], 2);
	assert_int_equal(found.origin, ORIGIN_FILE);
	assert_string_equal(found.subject, "notes.txt");
	assert_string_equal(found.difference.where, "the result");
}

/* A stack as the kernel leaves it: argc, argv, environment, auxiliary vector, texts. */
struct stack {
	uint64_t words[16];
	char texts[3][32];
	uint8_t random[16];
};
#define STACK_AT 0x7ffffffde000ULL

static struct event exec_event(struct stack *stack, struct payload *payload, struct registers *registers)
{
	uint64_t texts = STACK_AT + offsetof(struct stack, texts);
	const uint64_t words[] = {
		1,	  texts,     0,	      texts + 32, texts + 64,
		0,	  AT_PAGESZ, 4096,    AT_RANDOM,  STACK_AT + offsetof(struct stack, random),
		AT_HWCAP, 0xff,	     AT_NULL, 0
	};
	memcpy(stack->words, words, sizeof(words));
	*payload = (struct payload){ PAYLOAD_IMAGE, DIRECTION_OUT, STACK_AT, sizeof(*stack),
				     (const uint8_t *)stack };
	*registers = (struct registers){ .rsp = STACK_AT };
	return (struct event){ .kind = EVENT_EXEC,
			       .thread = 1,
			       .nr = SYS_execve,
			       .payloads = payload,
			       .payloads_count = 1,
			       .registers = registers,
			       .exec = { .unit = 1, .process = 2, .path = "/bin/x" } };
}

static void what_a_program_was_started_with_is_named(void **state)
{
	static const struct stack first = { .texts = { "prog", "HOME=/root", "LANG=C" } };
	struct stack stacks[2] = { first, first };
	struct payload payloads[2];
	struct registers registers[2];
	struct event events[2] = { exec_event(&stacks[0], &payloads[0], &registers[0]),
				   exec_event(&stacks[1], &payloads[1], &registers[1]) };
	(void)state;
	strcpy(stacks[1].texts[1], "HOME=/tmp");
	assert_origin(&nothing, &events[0], &events[1], ORIGIN_ENVIRONMENT);
	assert_string_equal(found.subject, "variable HOME");
	assert_string_equal(found.difference.values[0], "\"HOME=/root\"");
	assert_string_equal(found.difference.values[1], "\"HOME=/tmp\"");
	stacks[1] = stacks[0];
	strcpy(stacks[1].texts[0], "gorp");
	assert_origin(&nothing, &events[0], &events[1], ORIGIN_ARGUMENTS);
	stacks[1] = stacks[0];
	stacks[1].random[3] = 1;
	assert_origin(&nothing, &events[0], &events[1], ORIGIN_RANDOM);
	assert_string_equal(found.subject, "AT_RANDOM");
	stacks[1] = stacks[0];
	stacks[1].words[11] = 0xfe;
	assert_origin(&nothing, &events[0], &events[1], ORIGIN_AUXV);
	assert_string_equal(found.subject, "auxiliary value 16");
	stacks[1] = stacks[0];
	events[1].exec.process = 3;
	assert_origin(&nothing, &events[0], &events[1], ORIGIN_PROCESS);
	events[1].exec.process = 2;
	events[1].exec.stack_limit = 1 << 20;
	assert_origin(&nothing, &events[0], &events[1], ORIGIN_HOST);
	payloads[1].address += 4096;
	registers[1].rsp += 4096;
	for (size_t i = 0; i < 16; i++)
		stacks[1].words[i] += stacks[1].words[i] >= STACK_AT ? 4096 : 0;
	assert_origin(&nothing, &events[0], &events[1], ORIGIN_LAYOUT);
	assert_string_equal(found.difference.where, "a page of the new image");
	assert_string_equal(found.difference.values[0], "240 bytes at 0x7ffffffde000");
	assert_string_equal(found.difference.values[1], "240 bytes at 0x7ffffffdf000");
}

static void mapped_files_and_addresses_are_named(void **state)
{
	struct mapping maps[2] = { { .start = 0x10000,
				     .end = 0x12000,
				     .prot = 5,
				     .flags = MAP_PRIVATE,
				     .backing = BACKING_SHARED,
				     .object = 1,
				     .path = "/lib/libx.so" } };
	struct event calls[2];
	(void)state;
	maps[1] = maps[0];
	maps[1].length = 9;
	for (int i = 0; i < 2; i++)
		calls[i] = (struct event){ .kind = EVENT_CALL,
					   .thread = 1,
					   .nr = SYS_mmap,
					   .result = 0x10000,
					   .mappings = &maps[i],
					   .mappings_count = 1 };
	assert_origin(&nothing, &calls[0], &calls[1], ORIGIN_FILE);
	assert_string_equal(found.subject, "/lib/libx.so");
	calls[1].result = 0x20000;
	assert_origin(&nothing, &calls[0], &calls[1], ORIGIN_LAYOUT);
}

static void a_checkpoint_names_the_page_and_what_it_holds(void **state)
{
	uint64_t tags[2][3] = { { 1, 2, 3 }, { 1, 2, 4 } };
	struct mapping map = {
		.start = 0x10000, .end = 0x20000, .prot = 3, .flags = MAP_PRIVATE, .path = "/bin/x"
	};
	struct event exec = { .kind = EVENT_EXEC,
			      .thread = 1,
			      .mappings = &map,
			      .mappings_count = 1,
			      .exec = { .unit = 1, .process = 2, .path = "/bin/x" } };
	struct event checks[2];
	struct payload payloads[2];
	(void)state;
	for (int i = 0; i < 2; i++) {
		payloads[i] = (struct payload){ PAYLOAD_TAGS, DIRECTION_OUT, 0x10000,
						sizeof(tags[i]), (const uint8_t *)tags[i] };
		checks[i] = (struct event){ .kind = EVENT_CHECKPOINT,
					    .thread = 1,
					    .payloads = &payloads[i],
					    .payloads_count = 1,
					    .checkpoint = { .unit = 1, .hash = { (uint8_t)i } } };
	}
	assert_origin(&exec, &checks[0], &checks[1], ORIGIN_UNRECORDED);
	assert_string_equal(found.difference.where, "memory at 0x12000");
	assert_string_equal(found.subject, "/bin/x");
	assert_int_equal(found.unit, 1);
	payloads[1].length -= 8;
	assert_origin(&exec, &checks[0], &checks[1], ORIGIN_UNRECORDED);
	assert_string_equal(found.difference.values[1], "untouched");
}

static void time_that_was_not_waited_is_of_the_clock(void **state)
{
	struct event calls[2];
	struct payload left[2] = { { 4, DIRECTION_OUT, 0x900, 1, (const uint8_t *)"a" },
				   { 4, DIRECTION_OUT, 0x900, 1, (const uint8_t *)"b" } };
	(void)state;
	for (int i = 0; i < 2; i++)
		calls[i] = (struct event){ .kind = EVENT_CALL,
					   .thread = 1,
					   .nr = SYS_recvmmsg,
					   .args = { 3, 0x1000, 1, 0, 0x900 },
					   .result = 1,
					   .payloads = &left[i],
					   .payloads_count = 1 };
	assert_origin(&nothing, &calls[0], &calls[1], ORIGIN_CLOCK);
	left[0].arg = left[1].arg = 1;
	assert_origin(&nothing, &calls[0], &calls[1], ORIGIN_CALL);
}

static void a_call_that_only_one_was_allowed_is_a_matter_of_rights(void **state)
{
	struct event calls[2] = { opened("first, the file"), opened("first, the file") };
	(void)state;
	calls[1].result = -EACCES;
	assert_origin(&nothing, &calls[0], &calls[1], ORIGIN_USER);
	assert_string_equal(found.subject, "first, the file");
	assert_string_equal(found.assumption, "");
	calls[1].result = -ENOENT;
	assert_origin(&nothing, &calls[0], &calls[1], ORIGIN_FILE);
}

static void an_assumption_about_the_path_is_quoted(void **state)
{
	struct event calls[2] = { opened("/proc/x"), opened("/proc/x") };
	struct trace_summary summary = sample_summary;
	const char *const assumptions[] = { "another", "/proc/x is read as the host has it", NULL };
	const char *const paths[] = { "a.sworn", "b.sworn" };
	(void)state;
	summary.assumptions = assumptions;
	calls[1].result = -ENOENT;
	for (int i = 0; i < 2; i++) {
		struct event end = { .kind = EVENT_END };
		struct writer *writer;
		char *name;
		assert_int_equal(writer_open(paths[i], -1, &sample_info, &writer), 0);
		assert_int_equal(writer_event(writer, &calls[i]), 0);
		assert_int_equal(writer_event(writer, &end), 0);
		assert_int_equal(writer_close(writer, &summary, &name), 0);
		free(name);
	}
	assert_int_equal(compare_files("a.sworn", "b.sworn", false), 0);
	assert_int_equal(found.origin, ORIGIN_PROC);
	assert_string_equal(found.assumption, assumptions[1]);
	assert_true(found.virtual_clock);
	assert_false(found.seeded);
}

/* Traces of others hold what they like: for sanitizers. */
static void whatever_two_events_hold_is_judged(void **state)
{
	struct track *track = track_new();
	char subject[ORIGIN_SUBJECT_BYTES];
	(void)state;
	assert_non_null(track);
	for (unsigned int i = 1; i <= 20000; i++) {
		struct sample a = { .seed = i }, b = { .seed = i * 7919 };
		struct suspects suspects = { .events = { &a.event, &b.event }, .track = track };
		struct difference difference;
		enum event_kind kind = (enum event_kind)(i % 13);
		sample_next(&a, kind);
		sample_next(&b, i % 5 ? kind : (enum event_kind)(i / 5 % 13));
		a.event.thread = i / 13 % 4 + 1;
		b.event.thread = i % 3 ? a.event.thread : i % 4;
		if (i % 2) {
			b.event.nr = a.event.nr;
			memcpy(b.event.args, a.event.args, sizeof(b.event.args));
			b.event.ip = a.event.ip;
			b.event.registers_hash = a.event.registers_hash;
		}
		if (!events_differ(&a.event, &b.event, &difference))
			continue;
		assert_string_not_equal(origin_name(origin_of(&suspects, &difference, subject)), "?");
		assert_in_range(strlen(subject), 0, sizeof(subject) - 1);
		assert_in_range(strlen(difference.values[1]), 0, FIELD_VALUE_BYTES - 1);
		assert_true(track_event(track, &a.event) == 0);
	}
	track_release(track);
}

static void every_origin_has_a_word_and_a_sentence(void **state)
{
	(void)state;
	for (unsigned int i = 0; i <= ORIGIN_UNRECORDED; i++) {
		assert_non_null(origin_name((enum origin)i));
		assert_non_null(origin_text((enum origin)i));
		for (unsigned int n = 0; n < i; n++)
			assert_string_not_equal(origin_name((enum origin)i),
						origin_name((enum origin)n));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_events_are_equal_in_whatever_frames),
		cmocka_unit_test(a_change_of_any_field_is_seen),
		cmocka_unit_test(another_seed_or_command_is_no_answer_about_events),
		cmocka_unit_test(an_unfinished_trace_is_no_answer),
		cmocka_unit_test(the_order_of_threads_is_named),
		cmocka_unit_test(clocks_random_bytes_and_signals_are_named),
		cmocka_unit_test(a_step_without_a_cause_is_unrecorded),
		cmocka_unit_test(calls_on_descriptors_name_what_was_opened),
		cmocka_unit_test(a_stat_names_the_member),
		cmocka_unit_test(descriptors_are_followed_through_dup_fork_and_socket),
		cmocka_unit_test(parts_are_judged_with_their_call),
		cmocka_unit_test(what_a_program_was_started_with_is_named),
		cmocka_unit_test(mapped_files_and_addresses_are_named),
		cmocka_unit_test(a_checkpoint_names_the_page_and_what_it_holds),
		cmocka_unit_test(time_that_was_not_waited_is_of_the_clock),
		cmocka_unit_test(a_call_that_only_one_was_allowed_is_a_matter_of_rights),
		cmocka_unit_test(an_assumption_about_the_path_is_quoted),
		cmocka_unit_test(whatever_two_events_hold_is_judged),
		cmocka_unit_test(every_origin_has_a_word_and_a_sentence),
	};
	return cmocka_run_group_tests(tests, sample_directory, sample_directory_remove);
}
