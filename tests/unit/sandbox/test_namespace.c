#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../../sandbox/namespace.h"
#include "expect.h"
#include "refuse.h"

/* Runs `body` in a child of its own; skips where namespaces are refused. */
static void in_child(void (*body)(void))
{
	int why = refused_to(geteuid()), status;
	pid_t pid;

	if (why) {
		print_message("skipped: namespaces: %s\n", strerror(why));
		skip();
	}
	pid = fork();
	if (!pid) {
		if (geteuid())
			EXPECT(!syscall(SYS_unshare, CLONE_NEWUSER));
		body();
		_exit(DONE);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), DONE);
}

static void printed(unsigned long had, unsigned long wanted, const char *expected)
{
	char text[96];

	namespace_print(had, wanted, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void namespace_prints_what_is_had_and_what_is_missing(void **state)
{
	unsigned long all = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
			    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	char text[12];

	(void)state;
	printed(all, all, "user mount pid net ipc uts cgroup");
	printed(CLONE_NEWUSER | CLONE_NEWNET, CLONE_NEWNET, "user net");
	printed(CLONE_NEWIPC, CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWPID, "ipc; no mount pid");
	printed(0, all, "no namespaces");
	namespace_print(CLONE_NEWNET, all, text, sizeof(text));
	assert_string_equal(text, "net; no use");
	namespace_print(all, all, text, 5);
	assert_string_equal(text, "user");
}

static void link_of(const char *kind, char ret_link[64])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	n = readlink(path, ret_link, 63);
	EXPECT(n > 0);
	ret_link[n] = 0;
}

static void check_kinds(void)
{
	static const char *const kinds[] = { "mnt", "net", "ipc", "uts" };
	char before[4][64], after[64];

	for (size_t i = 0; i < 4; i++)
		link_of(kinds[i], before[i]);
	EXPECT(!refuse_namespaces(CLONE_NEWIPC));
	EXPECT(namespace_unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) ==
	       (CLONE_NEWNS | CLONE_NEWUTS));
	for (size_t i = 0; i < 4; i++) {
		link_of(kinds[i], after);
		EXPECT(!strcmp(before[i], after) == (i == 1 || i == 2));
	}
}

static void namespace_unshare_enters_each_kind_that_is_not_refused(void **state)
{
	(void)state;
	in_child(check_kinds);
}

static char root[] = "/tmp/test_namespace.XXXXXX";

/* A root that is no mount point, with a /proc, as chroot(8) makes them. */
static void enter_chroot(void)
{
	char path[64];

	EXPECT(namespace_unshare(CLONE_NEWNS) && !namespace_private());
	snprintf(path, sizeof(path), "%s/proc", root);
	EXPECT(!mount("/proc", path, NULL, MS_BIND | MS_REC, NULL));
	EXPECT(!mount(NULL, path, NULL, MS_SHARED, NULL)); /* would pass on what is mounted here */
	EXPECT(!chdir(root) && !chroot(".") && mount(NULL, "/", NULL, MS_PRIVATE, NULL) &&
	       errno == EINVAL);
}

static void check_chroot(void)
{
	int outer = open("/", O_PATH | O_DIRECTORY);
	char name[64];
	struct stat top, up;

	enter_chroot();
	EXPECT(!chdir("/top/here") && !namespace_unshare(0));
	EXPECT(namespace_unshare(CLONE_NEWNS) == CLONE_NEWNS && !namespace_private());
	EXPECT(getcwd(name, sizeof(name)) && !strcmp(name, "/top/here"));
	EXPECT(!stat("/", &top) && !stat("../..", &up) && top.st_ino == up.st_ino);
	EXPECT(!mount("x", "/top", "tmpfs", 0, "size=4k") && access("/top/here", F_OK));
	EXPECT(!access("/proc/self/status", F_OK));
	EXPECT(!mount(NULL, "/", NULL, MS_PRIVATE, NULL)); /* a mount point now */
	/* Nobody outside sees the mount. */
	snprintf(name, sizeof(name), "%s/top/here", root + 1);
	EXPECT(!faccessat(outer, name, F_OK, 0));
}

static void check_deleted_directory(void)
{
	enter_chroot();
	EXPECT(!chdir("/top/here") && !rmdir("/top/here"));
	EXPECT(namespace_unshare(CLONE_NEWNS) == CLONE_NEWNS && namespace_private() == -ENOENT);
}

static void in_chroot(void (*body)(void))
{
	if (geteuid()) {
		print_message("skipped: only root can make a chroot\n");
		skip();
	}
	strcpy(root + sizeof(root) - 7, "XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(chdir(root), 0);
	assert_int_equal(mkdir("proc", 0755) | mkdir("top", 0755) | mkdir("top/here", 0755), 0);
	in_child(body);
	rmdir("top/here");
	assert_int_equal(rmdir("top") | rmdir("proc") | chdir("/") | rmdir(root), 0);
}

static void namespace_private_gives_a_plain_chroot_mounts_of_its_own(void **state)
{
	(void)state;
	in_chroot(check_chroot);
}

static void namespace_private_fails_in_a_chroot_without_a_name_for_the_directory(void **state)
{
	(void)state;
	in_chroot(check_deleted_directory);
}

static void check_ordinary(void)
{
	EXPECT(namespace_unshare(CLONE_NEWNS) == CLONE_NEWNS && !namespace_private());
	EXPECT(!mount("x", "/proc", "tmpfs", 0, "size=4k") && access("/proc/self", F_OK));
}

static void namespace_private_hides_mounts_from_others(void **state)
{
	(void)state;
	in_child(check_ordinary);
	assert_int_equal(access("/proc/self", F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(namespace_prints_what_is_had_and_what_is_missing),
		cmocka_unit_test(namespace_unshare_enters_each_kind_that_is_not_refused),
		cmocka_unit_test(namespace_private_hides_mounts_from_others),
		cmocka_unit_test(namespace_private_gives_a_plain_chroot_mounts_of_its_own),
		cmocka_unit_test(namespace_private_fails_in_a_chroot_without_a_name_for_the_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
