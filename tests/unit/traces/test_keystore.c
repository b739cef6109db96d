#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traces/error.h"
#include "traces/keystore.h"

#define DEFAULT_FILE "00000000000000000000000000000000.tenant"

static struct keystore keystore;
static struct tenant_file file;

static void write_text(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static void the_first_use_makes_keys_that_stay(void **state)
{
	uint8_t public_key[KEY_BYTES];
	struct stat status;
	(void)state;
	assert_int_equal(keystore_open(&keystore, "a/b/keys", false), -ENOENT);
	keystore_close(&keystore);
	assert_int_equal(keystore_open(&keystore, "a/b/keys", true), 0);
	assert_int_equal(keystore_find(&keystore, NULL, &file), -ENOENT);
	assert_int_equal(keystore_default(&keystore, NULL, &file), 0);
	assert_non_null(tenant_key(&file.tenant, KEY_RECORDER)->secret);
	assert_non_null(tenant_key(&file.tenant, KEY_ATTESTER)->secret);
	assert_null(tenant_key(&file.tenant, KEY_ARCHIVE));
	memcpy(public_key, tenant_key(&file.tenant, KEY_RECORDER)->public_key, KEY_BYTES);
	tenant_erase(&file.tenant);
	assert_null(tenant_key(&file.tenant, KEY_RECORDER)->secret);
	assert_int_equal(keystore_default(&keystore, NULL, &file), 0);
	assert_memory_equal(public_key, tenant_key(&file.tenant, KEY_RECORDER)->public_key, KEY_BYTES);
	tenant_erase(&file.tenant);
	keystore_close(&keystore);
	assert_int_equal(stat("a/b/keys", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(stat("a/b/keys/" DEFAULT_FILE, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(stat("a/b/keys.root", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
}

static void what_others_may_use_is_refused_with_the_command_that_mends_it(void **state)
{
	(void)state;
	assert_int_equal(keystore_open(&keystore, "keys", true), 0);
	assert_int_equal(keystore_default(&keystore, NULL, &file), 0);
	tenant_erase(&file.tenant);
	chmod("keys/" DEFAULT_FILE, 0640);
	assert_int_equal(keystore_find(&keystore, NULL, &file), SWORN_EKEYSTORE);
	assert_non_null(strstr(keystore.reason, "chmod 600 'keys/" DEFAULT_FILE "'"));
	chmod("keys/" DEFAULT_FILE, 0600);
	chmod("keys.root", 0604);
	assert_int_equal(keystore_find(&keystore, NULL, &file), 0);
	assert_int_equal(keystore_unlock(&keystore, &file, NULL), SWORN_EKEYSTORE);
	assert_non_null(strstr(keystore.reason, "chmod 600 'keys.root'"));
	chmod("keys.root", 0600);
	assert_int_equal(keystore_unlock(&keystore, &file, NULL), 0);
	tenant_erase(&file.tenant);
	keystore_close(&keystore);
	chmod("keys", 0750);
	assert_int_equal(keystore_open(&keystore, "keys", false), SWORN_EKEYSTORE);
	assert_non_null(strstr(keystore.reason, "chmod 700 'keys'"));
	keystore_close(&keystore);
	chmod("keys", 0700);
	if (geteuid() != 0)
		return;
	assert_int_equal(chown("keys", 1234, 0), 0);
	assert_int_equal(keystore_open(&keystore, "keys", false), SWORN_EKEYSTORE);
	assert_non_null(strstr(keystore.reason, "belongs to user 1234"));
	keystore_close(&keystore);
}

static void a_damaged_file_or_another_keyfile_opens_nothing(void **state)
{
	struct buffer content = { 0 };
	struct tenant_file damaged;
	uint8_t wrapping[KEY_BYTES] = { 1 };
	struct wrap wrap = { .kind = WRAP_KEYFILE };
	struct tenant tenant;
	(void)state;
	assert_int_equal(tenant_generate(NULL, "acme", &tenant), 0);
	assert_int_equal(tenant_encode(&tenant, &wrap, wrapping, &content), 0);
	tenant_erase(&tenant);
	assert_int_equal(tenant_decode(content.bytes, content.length, &damaged), 0);
	assert_int_equal(tenant_open(&damaged, wrapping), 0);
	tenant_erase(&damaged.tenant);
	for (size_t i = 0; i < content.length; i++) {
		content.bytes[i] ^= 0x10;
		int r = tenant_decode(content.bytes, content.length, &damaged);
		if (r == 0)
			r = tenant_open(&damaged, wrapping);
		assert_true(r < 0);
		content.bytes[i] ^= 0x10;
	}
	wrapping[31] ^= 1;
	assert_int_equal(tenant_decode(content.bytes, content.length, &damaged), 0);
	assert_int_equal(tenant_open(&damaged, wrapping), SWORN_EKEYSTORE);
	for (size_t i = 0; i < content.length; i++)
		assert_true(tenant_decode(content.bytes, i, &damaged) < 0);
	buffer_release(&content);
}

static void a_passphrase_opens_what_it_wrapped(void **state)
{
	struct keystore_wrap wrap = { .passphrase = true, .passphrase_file = "right" };
	struct tenant tenant;
	(void)state;
	write_text("right", "correct horse\n");
	write_text("wrong", "battery staple\n");
	write_text("empty", "\n");
	assert_int_equal(keystore_open(&keystore, "keys", true), 0);
	assert_int_equal(tenant_generate(NULL, "acme", &tenant), 0);
	assert_int_equal(keystore_add(&keystore, &tenant, &wrap), 0);
	assert_int_equal(keystore_add(&keystore, &tenant, &wrap), -EEXIST);
	tenant_erase(&tenant);
	assert_int_equal(keystore_find(&keystore, "acme", &file), 0);
	assert_int_equal(keystore_unlock(&keystore, &file, "wrong"), SWORN_EKEYSTORE);
	assert_non_null(strstr(keystore.reason, "wrong passphrase"));
	assert_int_equal(keystore_unlock(&keystore, &file, "empty"), SWORN_EKEYSTORE);
	assert_int_equal(keystore_unlock(&keystore, &file, "nowhere"), SWORN_EKEYSTORE);
	assert_int_equal(keystore_unlock(&keystore, &file, NULL), SWORN_EKEYSTORE);
	assert_non_null(strstr(keystore.reason, "--passphrase-file"));
	assert_int_equal(keystore_unlock(&keystore, &file, "right"), 0);
	tenant_erase(&file.tenant);
	assert_int_equal(access("keys.root", F_OK), -1);
	keystore_close(&keystore);
}

static void keys_move_to_another_keystore(void **state)
{
	struct keystore_wrap wrap = { .passphrase = false };
	struct buffer content = { 0 };
	uint8_t id[DIGEST_BYTES];
	(void)state;
	write_text("right", "correct horse\n");
	assert_int_equal(keystore_open(&keystore, "one", true), 0);
	assert_int_equal(keystore_default(&keystore, NULL, &file), 0);
	memcpy(id, tenant_key(&file.tenant, KEY_RECORDER)->id, DIGEST_BYTES);
	assert_int_equal(keystore_export(&keystore, &file.tenant, "right", &content), 0);
	tenant_erase(&file.tenant);
	keystore_close(&keystore);
	assert_int_equal(keystore_open(&keystore, "two", true), 0);
	assert_int_equal(keystore_import(&keystore, content.bytes, content.length, "right", &file), 0);
	assert_int_equal(keystore_add(&keystore, &file.tenant, &wrap), 0);
	tenant_erase(&file.tenant);
	assert_int_equal(keystore_default(&keystore, NULL, &file), 0);
	assert_memory_equal(id, tenant_key(&file.tenant, KEY_RECORDER)->id, DIGEST_BYTES);
	tenant_erase(&file.tenant);
	keystore_close(&keystore);
	buffer_release(&content);
}

static void many_may_make_the_same_keystore_at_once(void **state)
{
	uint8_t ids[8][DIGEST_BYTES];
	int pipes[2], status;
	(void)state;
	assert_int_equal(pipe(pipes), 0);
	for (int i = 0; i < 8; i++) {
		if (fork() == 0) {
			int r = keystore_open(&keystore, "keys", true);
			if (r == 0)
				r = keystore_default(&keystore, NULL, &file);
			const struct key *key = tenant_key(&file.tenant, KEY_RECORDER);
			if (r == 0 && write(pipes[1], key->id, DIGEST_BYTES) != DIGEST_BYTES)
				r = -EIO;
			_exit(r == 0 && key->secret ? 0 : 1);
		}
	}
	for (int i = 0; i < 8; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(read(pipes[0], ids, sizeof(ids)), sizeof(ids));
	for (int i = 1; i < 8; i++)
		assert_memory_equal(ids[i], ids[0], DIGEST_BYTES);
	close(pipes[0]);
	close(pipes[1]);
}

static void a_name_is_no_id_and_no_path(void **state)
{
	static const char *const bad[] = { "",	  ".",	 "..",	"-x",
					   "a/b", "a b", "a\n", "0123456789abcdef0123456789ABCDEF" };
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(tenant_name_is_valid(bad[i]));
	assert_true(tenant_name_is_valid("acme-2.test_x"));
}

/* Each test in a directory of its own. */
static int enter(void **state)
{
	static int number;
	char name[16];
	(void)state;
	snprintf(name, sizeof(name), "t%d", number++);
	unsetenv("SWORN_KEYSTORE");
	unsetenv("SWORN_PASSPHRASE_FILE");
	return mkdir(name, 0700) == 0 ? chdir(name) : -1;
}

static int leave(void **state)
{
	(void)state;
	return chdir("..");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_first_use_makes_keys_that_stay, enter, leave),
		cmocka_unit_test_setup_teardown(
			what_others_may_use_is_refused_with_the_command_that_mends_it, enter, leave),
		cmocka_unit_test_setup_teardown(a_damaged_file_or_another_keyfile_opens_nothing,
						enter, leave),
		cmocka_unit_test_setup_teardown(a_passphrase_opens_what_it_wrapped, enter, leave),
		cmocka_unit_test_setup_teardown(keys_move_to_another_keystore, enter, leave),
		cmocka_unit_test_setup_teardown(many_may_make_the_same_keystore_at_once, enter, leave),
		cmocka_unit_test_setup_teardown(a_name_is_no_id_and_no_path, enter, leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
