#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../sandbox/descriptor.h"

#define SLOTS 64 /* descriptors this far apart share a slot of the cache */

static int new_file(void)
{
	int fd = memfd_create("descriptor", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static uint64_t inode_of(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return status.st_ino;
}

static void a_lookup_says_what_fstat_says(void **state)
{
	struct fd_cache *cache = fd_cache_new();
	int fd = new_file();
	struct fd_info info;
	struct stat status;

	(void)state;
	assert_int_equal(ftruncate(fd, 12345), 0);
	assert_int_equal(fstat(fd, &status), 0);
	info = fd_lookup(cache, getpid(), fd);
	assert_int_equal(info.mode, status.st_mode);
	assert_int_equal(info.device, status.st_dev);
	assert_int_equal(info.inode, status.st_ino);
	assert_int_equal(info.special, status.st_rdev);
	assert_int_equal(info.size, 12345);
	close(fd);
	fd_cache_release(cache);
}

static void a_descriptor_that_is_not_open_gives_zeros(void **state)
{
	struct fd_cache *cache = fd_cache_new();
	int fd = new_file();
	struct fd_info info;

	(void)state;
	close(fd);
	info = fd_lookup(cache, getpid(), fd);
	assert_int_equal(info.mode, 0);
	assert_int_equal(info.inode, 0);
	assert_int_equal(fd_lookup(cache, getpid(), -1).mode, 0);
	assert_int_equal(fd_lookup(cache, getpid(), -100).mode, 0);
	/* It was not remembered as missing. */
	int again = new_file();
	assert_int_equal(again, fd);
	assert_int_equal(fd_lookup(cache, getpid(), fd).inode, inode_of(again));
	close(again);
	fd_cache_release(cache);
}

static void another_process_is_asked_about_its_own_descriptors(void **state)
{
	struct fd_cache *cache = fd_cache_new();
	int ours = new_file(), theirs = new_file();
	int ready[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(theirs, ours);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(fd_lookup(cache, child, ours).inode, inode_of(theirs));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	close(ours);
	close(theirs);
	fd_cache_release(cache);
}

static void what_was_looked_up_stays_until_it_is_forgotten(void **state)
{
	struct fd_cache *cache = fd_cache_new();
	int fd = new_file(), other = new_file();
	uint64_t first = inode_of(fd);

	(void)state;
	assert_int_equal(fd_lookup(cache, getpid(), fd).inode, first);
	assert_int_equal(dup2(other, fd), fd);
	assert_int_equal(fd_lookup(cache, getpid(), fd).inode, first);
	fd_forget(cache, other);
	fd_forget(cache, -1);
	assert_int_equal(fd_lookup(cache, getpid(), fd).inode, first);
	fd_forget(cache, fd);
	assert_int_equal(fd_lookup(cache, getpid(), fd).inode, inode_of(other));
	int third = new_file();
	assert_int_equal(dup2(third, fd), fd);
	fd_cache_forget(cache);
	assert_int_equal(fd_lookup(cache, getpid(), fd).inode, inode_of(third));
	close(third);
	close(fd);
	close(other);
	fd_cache_release(cache);
}

static void descriptors_that_share_a_slot_do_not_answer_for_each_other(void **state)
{
	struct fd_cache *cache = fd_cache_new();
	int fd = new_file(), file = new_file(), far = fd + SLOTS;

	(void)state;
	assert_int_equal(dup2(file, far), far);
	assert_int_equal(fd_lookup(cache, getpid(), fd).inode, inode_of(fd));
	assert_int_equal(fd_lookup(cache, getpid(), far).inode, inode_of(file));
	assert_int_equal(fd_lookup(cache, getpid(), fd).inode, inode_of(fd));
	/* Forgetting the one that was pushed out leaves the other. */
	uint64_t first = inode_of(fd);
	assert_int_equal(dup2(file, fd), fd);
	fd_forget(cache, far);
	assert_int_equal(fd_lookup(cache, getpid(), fd).inode, first);
	close(far);
	close(fd);
	close(file);
	fd_cache_release(cache);
}

static void a_copy_knows_the_same_and_forgets_alone(void **state)
{
	struct fd_cache *cache = fd_cache_new(), *copy;
	int fd = new_file(), other = new_file();
	uint64_t first = inode_of(fd);

	(void)state;
	fd_lookup(cache, getpid(), fd);
	copy = fd_cache_copy(cache);
	assert_int_equal(dup2(other, fd), fd);
	assert_int_equal(fd_lookup(copy, getpid(), fd).inode, first);
	fd_forget(copy, fd);
	assert_int_equal(fd_lookup(copy, getpid(), fd).inode, inode_of(other));
	assert_int_equal(fd_lookup(cache, getpid(), fd).inode, first);
	fd_cache_release(copy);
	fd_cache_release(cache);
	close(fd);
	close(other);
}

static void a_shared_cache_lives_as_long_as_its_last_user(void **state)
{
	struct fd_cache *cache = fd_cache_new();
	int fd = new_file();

	(void)state;
	assert_ptr_equal(fd_cache_share(cache), cache);
	fd_cache_release(cache);
	assert_int_equal(fd_lookup(cache, getpid(), fd).inode, inode_of(fd));
	fd_cache_release(cache);
	fd_cache_release(NULL);
	close(fd);
}

static bool is_random(const char *path)
{
	struct fd_cache *cache = fd_cache_new();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct fd_info info;
	bool random;

	assert_true(fd >= 0);
	info = fd_lookup(cache, getpid(), fd);
	random = fd_is_random(&info);
	close(fd);
	fd_cache_release(cache);
	return random;
}

static void both_random_devices_are_told_from_the_others(void **state)
{
	struct fd_info block = { .mode = S_IFBLK, .special = makedev(1, 8) };
	struct fd_info other = { .mode = S_IFCHR, .special = makedev(4, 9) };

	(void)state;
	assert_true(is_random("/dev/random"));
	assert_true(is_random("/dev/urandom"));
	assert_false(is_random("/dev/null"));
	assert_false(is_random("/dev/zero"));
	assert_false(is_random("/proc/self/status"));
	assert_false(fd_is_random(&block));
	assert_false(fd_is_random(&other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lookup_says_what_fstat_says),
		cmocka_unit_test(a_descriptor_that_is_not_open_gives_zeros),
		cmocka_unit_test(another_process_is_asked_about_its_own_descriptors),
		cmocka_unit_test(what_was_looked_up_stays_until_it_is_forgotten),
		cmocka_unit_test(descriptors_that_share_a_slot_do_not_answer_for_each_other),
		cmocka_unit_test(a_copy_knows_the_same_and_forgets_alone),
		cmocka_unit_test(a_shared_cache_lives_as_long_as_its_last_user),
		cmocka_unit_test(both_random_devices_are_told_from_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
