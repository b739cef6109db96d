#include "tests/unit/traces/sample.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "verify/history.h"

static struct history *history;
static uint64_t number;

static int begin(void **state)
{
	static const struct trace_info info = { .directory = "/start" };
	const struct registers none = { .rsp = 0 };
	struct event exec = { .kind = EVENT_EXEC, .thread = 1, .registers = &none };
	(void)state;
	number = 0;
	exec.exec.unit = 1;
	exec.exec.process = 2;
	exec.exec.path = "/bin/first";
	history = history_new(&info);
	return !history || history_event(history, &exec) != 0;
}

static int end(void **state)
{
	(void)state;
	history_release(history);
	return 0;
}

static void take(struct event event)
{
	event.number = ++number;
	assert_int_equal(history_event(history, &event), 0);
}

static struct payload text_in(uint8_t arg, const char *text)
{
	return (struct payload){ arg, DIRECTION_IN, 0x1000 + arg, strlen(text) + 1,
				 (const uint8_t *)text };
}

/* A call with up to two texts or buffers. */
static void call_with(uint32_t thread, uint32_t nr, const uint64_t args[6], int64_t result,
		      const struct payload *payloads, size_t count)
{
	struct event event = { .kind = EVENT_CALL,
			       .thread = thread,
			       .nr = nr,
			       .result = result,
			       .payloads = payloads,
			       .payloads_count = count };
	memcpy(event.args, args, sizeof(event.args));
	take(event);
}

#define ARGS(...) ((const uint64_t[6]){ __VA_ARGS__ })

static void call(uint32_t thread, uint32_t nr, const uint64_t args[6], int64_t result)
{
	call_with(thread, nr, args, result, NULL, 0);
}

static void open_file(uint32_t thread, const char *path, uint64_t flags, int64_t result)
{
	struct payload payload = text_in(1, path);
	call_with(thread, SYS_openat, ARGS((uint64_t)AT_FDCWD, 0x1001, flags), result, &payload, 1);
}

static void move_bytes(uint32_t thread, uint32_t nr, int fd, const char *text)
{
	struct payload payload = { 1, nr == SYS_read ? DIRECTION_OUT : DIRECTION_IN, 0x2000,
				   strlen(text), (const uint8_t *)text };
	call_with(thread, nr, ARGS((uint64_t)fd, 0x2000, strlen(text)), (int64_t)strlen(text),
		  &payload, 1);
}

static void start_process(uint32_t parent, uint32_t child, uint32_t pid, uint64_t flags)
{
	struct event event = { .kind = EVENT_CLONE, .thread = parent, .nr = SYS_clone };
	event.clone.child = child;
	event.clone.pid = event.clone.tid = pid;
	event.clone.clone_flags = flags;
	take(event);
}

static const struct history_file *file_behind(uint32_t thread, int fd)
{
	uint32_t handle = history_descriptor(history, thread, fd);
	return handle ? &history->files[history->handles[handle - 1].file - 1] : NULL;
}

static void a_relative_path_starts_at_the_working_directory(void **state)
{
	char path[HISTORY_PATH_BYTES];
	struct payload payload = text_in(0, "sub/../deep");
	(void)state;
	open_file(1, "a", O_RDONLY, 3);
	assert_string_equal(file_behind(1, 3)->path, "/start/a");
	call_with(1, SYS_chdir, ARGS(0x1000), 0, &payload, 1);
	open_file(1, "./b//c", O_RDONLY, 4);
	assert_string_equal(file_behind(1, 4)->path, "/start/deep/b/c");
	history_directory(history, 1, path);
	assert_string_equal(path, "/start/deep");
	payload = text_in(1, "x");
	open_file(1, "/dir", O_RDONLY | O_DIRECTORY, 5);
	call_with(1, SYS_openat, ARGS(5, 0x1001, O_RDONLY), 6, &payload, 1);
	assert_string_equal(file_behind(1, 6)->path, "/dir/x");
}

static void bytes_are_counted_for_file_process_and_handle(void **state)
{
	uint8_t digest[DIGEST_BYTES];
	(void)state;
	open_file(1, "out", O_WRONLY | O_CREAT | O_EXCL, 3);
	move_bytes(1, SYS_write, 3, "hello ");
	call(1, SYS_dup, ARGS(3), 4);
	start_process(1, 2, 7, SIGCHLD);
	move_bytes(2, SYS_write, 4, "world");
	call(1, SYS_close, ARGS(3), 0);
	call(1, SYS_close, ARGS(4), 0);
	const struct history_file *file = file_behind(2, 3);
	assert_ptr_equal(file, file_behind(2, 4));
	assert_true(file->created);
	assert_int_equal(file->moved.bytes[1], 11);
	assert_null(file_behind(1, 3));
	call(2, SYS_close, ARGS(3), 0);
	call(2, SYS_close, ARGS(4), 0);
	digest_of("hello world", 11, digest);
	assert_memory_equal(history->files[file - history->files].moved.digest[1], digest, DIGEST_BYTES);
	const struct history_use *use = &history->uses[file->uses - 1];
	assert_int_equal(use->process, 2);
	assert_int_equal(use->bytes[1], 5);
	assert_int_equal(history->uses[use->next - 1].bytes[1], 6);
}

static void parts_belong_to_the_call_behind_them(void **state)
{
	struct payload part = { 1, DIRECTION_IN, 0x2000, 4, (const uint8_t *)"abcd" };
	struct payload rest = { 1, DIRECTION_IN, 0x2004, 4, (const uint8_t *)"efgh" };
	uint8_t digest[DIGEST_BYTES];
	(void)state;
	open_file(1, "out", O_WRONLY, 3);
	take((struct event){
		.kind = EVENT_PART, .thread = 1, .nr = SYS_write, .payloads = &part, .payloads_count = 1 });
	call_with(1, SYS_write, ARGS(3, 0x2000, 8), 6, &rest, 1);
	history_finish(history);
	digest_of("abcdef", 6, digest);
	assert_memory_equal(file_behind(1, 3)->moved.digest[1], digest, DIGEST_BYTES);
	assert_int_equal(file_behind(1, 3)->moved.bytes[1], 6);
}

static void exec_closes_what_was_marked(void **state)
{
	const struct registers none = { .rsp = 0 };
	struct event exec = { .kind = EVENT_EXEC, .thread = 1, .nr = SYS_execve, .registers = &none };
	(void)state;
	open_file(1, "a", O_CLOEXEC, 3);
	open_file(1, "b", 0, 4);
	call(1, SYS_fcntl, ARGS(4, F_DUPFD_CLOEXEC, 10), 10);
	call(1, SYS_fcntl, ARGS(3, F_DUPFD, 0), 5);
	exec.exec.unit = 2;
	exec.exec.process = 2;
	exec.exec.path = "/bin/second";
	take(exec);
	assert_null(file_behind(1, 3));
	assert_null(file_behind(1, 10));
	assert_string_equal(file_behind(1, 4)->path, "/start/b");
	assert_string_equal(file_behind(1, 5)->path, "/start/a");
	assert_int_equal(history->programs_count, 2);
	assert_string_equal(history->programs[1].path, "/bin/second");
	assert_int_equal(history->programs[1].previous, 1);
	assert_int_equal(history->processes[0].program, 2);
}

static void a_renamed_file_keeps_its_number(void **state)
{
	struct payload paths[2] = { text_in(0, "/d/old"), text_in(1, "/d/new") };
	char path[HISTORY_PATH_BYTES];
	(void)state;
	open_file(1, "/d/old", O_WRONLY | O_CREAT | O_EXCL, 3);
	open_file(1, "/d/new", O_RDONLY, 4);
	call_with(1, SYS_rename, ARGS(0x1000, 0x1001), 0, paths, 2);
	open_file(1, "/d/new", O_RDONLY, 5);
	assert_ptr_equal(file_behind(1, 5), file_behind(1, 3));
	assert_true(file_behind(1, 4)->deleted);
	paths[0] = text_in(0, "/d");
	paths[1] = text_in(1, "/e");
	call_with(1, SYS_rename, ARGS(0x1000, 0x1001), 0, paths, 2);
	history_path(history, (uint32_t)(file_behind(1, 5) - history->files) + 1, path);
	assert_string_equal(path, "/e/new");
	paths[0] = text_in(0, "/e/new");
	call_with(1, SYS_unlink, ARGS(0x1000), 0, paths, 1);
	assert_true(file_behind(1, 5)->deleted);
	open_file(1, "/e/new", O_WRONLY | O_CREAT, 6);
	assert_ptr_not_equal(file_behind(1, 6), file_behind(1, 5));
	assert_int_equal(history_find_path(history, "/e/new"), file_behind(1, 6) - history->files + 1);
}

static void a_hard_link_survives_the_first_name(void **state)
{
	struct payload paths[2] = { text_in(0, "/one"), text_in(1, "/two") };
	(void)state;
	open_file(1, "/one", O_RDONLY, 3);
	call_with(1, SYS_link, ARGS(0x1000, 0x1001), 0, paths, 2);
	call_with(1, SYS_unlink, ARGS(0x1000), 0, paths, 1);
	assert_false(file_behind(1, 3)->deleted);
	open_file(1, "/two", O_RDONLY, 4);
	assert_ptr_equal(file_behind(1, 4), file_behind(1, 3));
}

/* What sendmsg and recvmsg leave in a trace: header, vector, data, ancillary data. */
static void message(uint32_t thread, uint32_t nr, int fd, int passed)
{
	uint8_t direction = nr == SYS_sendmsg ? DIRECTION_IN : DIRECTION_OUT;
	struct iovec vector = { (void *)0x3100, 1 };
	struct msghdr head = { .msg_iov = (void *)0x3080,
			       .msg_iovlen = 1,
			       .msg_control = (void *)0x3200,
			       .msg_controllen = CMSG_SPACE(sizeof(int)) };
	union {
		struct cmsghdr head;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	const struct payload payloads[] = {
		{ 1, DIRECTION_IN, 0x3000, sizeof(head), (const uint8_t *)&head },
		{ 1, DIRECTION_IN, 0x3080, sizeof(vector), (const uint8_t *)&vector },
		{ 1, DIRECTION_OUT, 0x3000, sizeof(head), (const uint8_t *)&head },
		{ 1, direction, 0x3200, sizeof(control.bytes), control.bytes },
		{ 1, direction, 0x3100, 1, (const uint8_t *)"x" },
	};
	memcpy(control.bytes + CMSG_LEN(0), &passed, sizeof(passed));
	call_with(thread, nr, ARGS((uint64_t)fd, 0x3000), 1, payloads, 5);
}

static void a_descriptor_is_followed_through_a_socket(void **state)
{
	const int32_t fds[2] = { 3, 4 };
	struct payload pair = { 3, DIRECTION_OUT, 0x1000, sizeof(fds), (const uint8_t *)fds };
	(void)state;
	call_with(1, SYS_socketpair, ARGS(AF_UNIX, SOCK_STREAM, 0, 0x1000), 0, &pair, 1);
	start_process(1, 2, 7, SIGCHLD);
	open_file(1, "/secret", O_RDONLY, 5);
	message(1, SYS_sendmsg, 3, 5);
	call(1, SYS_close, ARGS(5), 0);
	message(2, SYS_recvmsg, 4, 9);
	assert_string_equal(file_behind(2, 9)->path, "/secret");
	assert_int_equal(history->passes_count, 1);
	assert_int_equal(history->passes[0].from, 1);
	assert_int_equal(history->passes[0].to, 2);
	assert_int_equal(history->passes[0].sent_fd, 5);
	assert_int_equal(history->passes[0].received_fd, 9);
	assert_int_equal(history->peers[0].bytes[1], 1);
}

static void connect_and_accept_find_each_other(void **state)
{
	struct sockaddr_in address = { AF_INET, htons(80), { htonl(INADDR_LOOPBACK) }, { 0 } };
	struct payload payload = { 1, DIRECTION_IN, 0x1000, sizeof(address), (const uint8_t *)&address };
	(void)state;
	call(1, SYS_socket, ARGS(AF_INET, SOCK_STREAM), 3);
	call_with(1, SYS_bind, ARGS(3, 0x1000, sizeof(address)), 0, &payload, 1);
	call(1, SYS_listen, ARGS(3, 1), 0);
	call(1, SYS_socket, ARGS(AF_INET, SOCK_STREAM), 4);
	call_with(1, SYS_connect, ARGS(4, 0x1000, sizeof(address)), -EINPROGRESS, &payload, 1);
	call(1, SYS_accept, ARGS(3), 5);
	move_bytes(1, SYS_write, 4, "GET");
	assert_int_equal(history->sockets[1].other, 3);
	assert_int_equal(history->sockets[2].other, 2);
	assert_int_equal(history->sockets[2].role, ROLE_ACCEPT);
	assert_string_equal(history->peers[history->sockets[1].peer - 1].address, "127.0.0.1:80");
	assert_int_equal(history->peers[history->sockets[1].peer - 1].bytes[1], 3);
}

static void a_process_ends_with_its_last_thread(void **state)
{
	struct event exit = { .kind = EVENT_EXIT, .thread = 3 };
	(void)state;
	start_process(1, 2, 7, SIGCHLD);
	start_process(2, 3, 8, CLONE_THREAD | CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND);
	open_file(2, "/a", O_RDONLY, 3);
	assert_string_equal(file_behind(3, 3)->path, "/a");
	take(exit);
	assert_false(history->processes[1].gone);
	exit.thread = 2;
	exit.exit.process_gone = true;
	exit.exit.status = 3 << 8;
	take(exit);
	assert_true(history->processes[1].gone);
	assert_int_equal(WEXITSTATUS(history->processes[1].status), 3);
	assert_int_equal(history->processes[1].threads, 2);
	assert_int_equal(history->processes[1].parent, 1);
	assert_int_equal(history->handles[0].closed, number);
}

static void events_without_sense_do_no_harm(void **state)
{
	struct sample sample = { .seed = 7 };
	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		sample_next(&sample, (enum event_kind)(i % (EVENT_END + 1)));
		sample.event.number = ++number;
		sample.event.thread %= 50;
		sample.event.nr = (uint32_t)(sample_random(&sample) % 470);
		sample.event.result = (int64_t)(sample_random(&sample) % 40) - 5;
		if (sample.event.kind == EVENT_CLONE)
			sample.event.clone.child %= 50;
		assert_int_equal(history_event(history, &sample.event), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_relative_path_starts_at_the_working_directory,
						begin, end),
		cmocka_unit_test_setup_teardown(bytes_are_counted_for_file_process_and_handle, begin, end),
		cmocka_unit_test_setup_teardown(parts_belong_to_the_call_behind_them, begin, end),
		cmocka_unit_test_setup_teardown(exec_closes_what_was_marked, begin, end),
		cmocka_unit_test_setup_teardown(a_renamed_file_keeps_its_number, begin, end),
		cmocka_unit_test_setup_teardown(a_hard_link_survives_the_first_name, begin, end),
		cmocka_unit_test_setup_teardown(a_descriptor_is_followed_through_a_socket, begin, end),
		cmocka_unit_test_setup_teardown(connect_and_accept_find_each_other, begin, end),
		cmocka_unit_test_setup_teardown(a_process_ends_with_its_last_thread, begin, end),
		cmocka_unit_test_setup_teardown(events_without_sense_do_no_harm, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
