#include "tests/unit/traces/sample.h"

#include <limits.h>
#include <sys/wait.h>
#include "traces/store.h"
#include "verify/verify.h"

static char out[1 << 22], err[1 << 16];

static void slurp(const char *path, char *ret_text, size_t size)
{
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	size_t length = fread(ret_text, 1, size - 1, file);
	assert_true(length < size - 1);
	ret_text[length] = '\0';
	fclose(file);
}

/* Runs the verb in a process of its own; its output is in `out` and `err`. Gives the exit code. */
static int verify(const char *const arguments[])
{
	char *argv[16] = { (char *)(uintptr_t) "verify" };
	int argc = 1, status;
	for (; arguments[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		if (!freopen("out.txt", "we", stdout) || !freopen("err.txt", "we", stderr))
			_exit(99);
		exit(cmd_verify(argc, argv));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	slurp("out.txt", out, sizeof(out));
	slurp("err.txt", err, sizeof(err));
	return WEXITSTATUS(status);
}

#define SIGNED(...) verify((const char *const[]){ __VA_ARGS__, NULL })
/* The samples are not signed. */
#define VERIFY(...) SIGNED("--allow-unsigned", __VA_ARGS__)

static void cut(const char *from, const char *to, double part)
{
	char *bytes = malloc(1 << 22);
	FILE *file = fopen(from, "re");
	assert_non_null(file);
	size_t length = fread(bytes, 1, 1 << 22, file);
	fclose(file);
	file = fopen(to, "we");
	length = (size_t)((double)length * part);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	fclose(file);
	free(bytes);
}

static void flip(const char *path, long at)
{
	FILE *file = fopen(path, "r+e");
	assert_non_null(file);
	fseek(file, at, SEEK_SET);
	int byte = fgetc(file);
	fseek(file, at, SEEK_SET);
	fputc(byte ^ 4, file);
	fclose(file);
}

static void an_intact_trace_is_ok_and_unsigned(void **state)
{
	(void)state;
	sample_trace("t.sworn", 3);
	assert_int_equal(VERIFY("t.sworn"), 0);
	assert_non_null(strstr(out, "t.sworn: ok\n"));
	assert_non_null(strstr(out, "unsigned\n"));
	assert_non_null(strstr(out, "events       37\n"));
	assert_non_null(strstr(out, "units        3\n"));
	assert_non_null(strstr(out, "blobs        1 (28 bytes)\n"));
	assert_non_null(strstr(out, "state        sha256:"));
	assert_non_null(strstr(out, "isolation    ambient: user mount pid\n"));
	assert_non_null(strstr(out, "the recorded program was trusted"));
	assert_non_null(strstr(out, "requires     pmu\n"));
	assert_non_null(strstr(out, "requires     x86-64-v3\n"));
	assert_non_null(strstr(out, "assumptions  second\n"));
	assert_non_null(strstr(out, "exclusions   none\n"));
	assert_string_equal(err, "");
	assert_int_equal(SIGNED("t.sworn"), 5);
	assert_non_null(strstr(out, "t.sworn: unsigned: nobody signed it; "));
}

static void each_verdict_has_its_exit_code(void **state)
{
	(void)state;
	sample_trace("t.sworn", 3);
	cut("t.sworn", "cut.sworn", 0.9);
	cut("t.sworn", "bad.sworn", 1);
	flip("bad.sworn", 3000);
	assert_int_equal(VERIFY("cut.sworn"), 5);
	assert_non_null(strstr(out, "cut.sworn: truncated: "));
	assert_null(strstr(out, "ok\n"));
	assert_int_equal(VERIFY("bad.sworn"), 5);
	assert_non_null(strstr(out, "bad.sworn: corrupt: "));
	assert_int_equal(VERIFY("no/such/file"), 4);
	assert_int_equal(VERIFY("@latest"), 4);
	assert_int_equal(VERIFY("@nothing"), 4);
	assert_int_equal(VERIFY("--nonsense", "t.sworn"), 2);
	assert_int_equal(VERIFY("--store"), 2);
	assert_int_equal(VERIFY("--list"), 2);
	assert_int_equal(VERIFY("--list", "--report", "-", "t.sworn"), 2);
	assert_int_equal(VERIFY("--store", "no/store", "t.sworn"), 3);
	assert_int_equal(VERIFY("--report", "no/such/report", "t.sworn"), 3);
	assert_int_equal(VERIFY("--help"), 0);
	assert_non_null(strstr(out, "Examples:"));
}

static void the_worst_of_several_verdicts_counts(void **state)
{
	(void)state;
	sample_trace("t.sworn", 3);
	cut("t.sworn", "cut.sworn", 0.9);
	assert_int_equal(VERIFY("t.sworn", "t.sworn"), 0);
	assert_int_equal(VERIFY("t.sworn", "cut.sworn", "no/such/file"), 5);
	assert_int_equal(VERIFY("@latest", "t.sworn/no-directory", "t.sworn"), 3);
	assert_int_equal(VERIFY("@latest", "no/such/file", "t.sworn"), 4);
	assert_int_equal(VERIFY("t.sworn", "@latest"), 4);
}

static void a_thin_trace_finds_the_store_it_lies_in(void **state)
{
	struct sample sample = { .seed = 4 };
	struct writer *writer;
	char *path;
	(void)state;
	int store = store_open("store");
	assert_int_equal(writer_open(NULL, store, &sample_info, &writer), 0);
	sample_write(writer, &sample, 1, true);
	assert_int_equal(writer_close(writer, &sample_summary, &path), 0);
	close(store);
	assert_int_equal(VERIFY(path), 0);
	assert_int_equal(VERIFY("--store", "store", "@latest"), 0);
	cut(path, "alone.sworn", 1);
	assert_int_equal(VERIFY("alone.sworn"), 5);
	assert_non_null(strstr(out, "--store"));
	assert_int_equal(VERIFY("--store", "store", "alone.sworn"), 0);
	free(path);
}

static void the_report_holds_what_tools_rely_on(void **state)
{
	static const char *const keys[] = { "{\"schema\":1,\"kind\":\"verify\",\"tool\":{\"version\":",
					    "\"trace\":{\"path\":\"t.sworn\",\"digest\":\"sha256:",
					    "\"seal\":{\"id\":\"sha256:",
					    "\"signed\":false",
					    "\"tenant\":\"00000000000000000000000000000000\"",
					    "\"argv\":[\"/bin/echo\",\"h\\u00c3\\u00a9llo\\u000a\",\"\"]",
					    "\"seed\":\"0123456789abcdef\"",
					    "\"start\":\"2023-11-14T22:13:21Z\"",
					    "\"clock\":\"virtual\"",
					    "\"epoch\":1700000000000000000",
					    "\"events\":37",
					    "\"units\":3",
					    "\"exit\":{",
					    "\"state_hash\":\"sha256:",
					    "\"outputs\":{\"stdout\":\"sha256:",
					    "\"requires\":[\"pmu\",\"x86-64-v3\"]",
					    "\"assumptions\":[\"first\",\"second\"]",
					    "\"exclusions\":[]",
					    "\"isolation\":\"ambient: user mount pid\"",
					    "\"checked\":{\"events\":37,\"of\":37",
					    "\"verdict\":\"ok\",\"code\":0}\n" };
	(void)state;
	sample_trace("t.sworn", 3);
	assert_int_equal(VERIFY("--report", "-", "t.sworn"), 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strstr(out, keys[i]))
			fail_msg("no %s in %s", keys[i], out);
	assert_non_null(strstr(err, "t.sworn: ok"));
	assert_int_equal(VERIFY("--report", "r.json", "t.sworn", "no/such/file"), 4);
	slurp("r.json", out, sizeof(out));
	assert_non_null(strstr(out, "\"traces\":[{\"trace\":{\"path\":\"t.sworn\""));
	assert_non_null(strstr(out, "},{\"trace\":{\"path\":\"no/such/file\""));
	assert_non_null(strstr(out, "\"code\":4}]"));
	assert_int_equal(system("python3 -m json.tool r.json > /dev/null 2>&1 ||"
				" ! command -v python3 > /dev/null"),
			 0);
}

static void the_list_is_what_the_specification_says(void **state)
{
	struct payload payload = { 1, DIRECTION_OUT, 0x7ffe00001000, 2, (const uint8_t *)"hi" };
	struct mapping mapping = {
		.start = 0x1000, .end = 0x3000, .prot = 5, .flags = 2, .path = "/a b,%\xff"
	};
	struct event events[] = {
		{ .kind = EVENT_EXEC,
		  .thread = 1,
		  .nr = 59,
		  .mappings = &mapping,
		  .mappings_count = 1,
		  .exec = { .unit = 1, .process = 2, .brk = 0x5000, .path = "/bin/x" } },
		{ .kind = EVENT_CALL,
		  .thread = 1,
		  .ip = 0x401000,
		  .registers_hash = 0xabc,
		  .args = { 3, 0x7ffe00001000, 4096 },
		  .result = -11,
		  .payloads = &payload,
		  .payloads_count = 1 },
		{ .kind = EVENT_TURN, .thread = 1, .turn = { .end = TURN_ENTRY, .next = 2 } },
		{ .kind = EVENT_END, .end = { .units = 1, .threads = 2, .state = { 1 } } },
	};
	struct writer *writer;
	char *path;
	(void)state;
	assert_int_equal(writer_open("l.sworn", -1, &sample_info, &writer), 0);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		assert_int_equal(writer_event(writer, &events[i]), 0);
	assert_int_equal(writer_close(writer, &sample_summary, &path), 0);
	free(path);
	assert_int_equal(VERIFY("--list", "l.sworn"), 0);
	assert_string_equal(
		out, "0 exec 1 nr=59 mapping=0x1000-0x3000,5,0x2,anon,0000000000000000,0x0,0,0,/a%20b%2c%25%ff"
		     " unit=1 process=2 brk=0x5000 path=/bin/x\n"
		     "1 call 1 ip=0x401000 regs=0xabc nr=0 args=0x3,0x7ffe00001000,0x1000 result=-11"
		     " payload=1,out,0x7ffe00001000,2,8f434346648f6b96\n"
		     "2 turn 1 end=1 next=2\n"
		     "3 end 0 units=1 threads=2"
		     " state=0100000000000000000000000000000000000000000000000000000000000000\n");
	assert_non_null(strstr(err, "l.sworn: ok"));
}

/* The second implementation lives in tests/reader.py; SOURCE is the root of the source tree. */
static void the_second_reader_lists_the_same(void **state)
{
	char command[PATH_MAX + 64];
	const char *source = getenv("SOURCE");
	(void)state;
	if (!source || system("/usr/bin/python3 -c 'import cbor2' 2> /dev/null") != 0 ||
	    system("command -v zstd > /dev/null") != 0) {
		print_message("no SOURCE, python3-cbor2 or zstd here\n");
		skip();
	}
	sample_trace("t.sworn", 200);
	assert_int_equal(VERIFY("--list", "t.sworn"), 0);
	snprintf(command, sizeof(command), "%s/tests/reader.py t.sworn > other.txt", source);
	assert_int_equal(system(command), 0);
	assert_int_equal(system("cmp out.txt other.txt"), 0);
	flip("t.sworn", 5000);
	assert_int_not_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_intact_trace_is_ok_and_unsigned),
		cmocka_unit_test(each_verdict_has_its_exit_code),
		cmocka_unit_test(the_worst_of_several_verdicts_counts),
		cmocka_unit_test(a_thin_trace_finds_the_store_it_lies_in),
		cmocka_unit_test(the_report_holds_what_tools_rely_on),
		cmocka_unit_test(the_list_is_what_the_specification_says),
		cmocka_unit_test(the_second_reader_lists_the_same),
	};
	unsetenv("XDG_DATA_HOME");
	setenv("HOME", "/nonexistent", 1);
	return cmocka_run_group_tests(tests, sample_directory, sample_directory_remove);
}
