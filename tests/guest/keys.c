/* Keyrings, names of mappings, and the calls that tell of file systems in the old way. */
#include "guest.h"
#include <linux/keyctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void keys(void)
{
	static const char secret[] = "not very secret";
	char got[128] = "";
	long key = syscall(SYS_add_key, "user", "guest", secret, sizeof(secret),
			   KEY_SPEC_PROCESS_KEYRING),
	     r;

	if (key < 0) {
		say("no keys here\n");
		return;
	}
	expect(syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f0000) == 0);
	r = syscall(SYS_keyctl, KEYCTL_DESCRIBE, key, got, sizeof(got));
	expect(r > 5 && memcmp(got, "user;", 5) == 0);
	expect(syscall(SYS_keyctl, KEYCTL_READ, key, got, sizeof(got)) == sizeof(secret));
	expect(memcmp(got, secret, sizeof(secret)) == 0);
	memset(got, 0, sizeof(got));
	expect(syscall(SYS_keyctl, KEYCTL_READ, key, got, 3) == sizeof(secret) && got[3] == 0);
	expect(syscall(SYS_keyctl, KEYCTL_UPDATE, key, "new", 3) == 0);
	expect(syscall(SYS_keyctl, KEYCTL_READ, key, got, sizeof(got)) == 3 &&
	       memcmp(got, "new", 3) == 0);
	expect(syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_PROCESS_KEYRING, "user", "guest", 0) == key);
	expect(syscall(SYS_request_key, "user", "guest", NULL, 0) == key);
	expect(syscall(SYS_request_key, "user", "another", NULL, 0) == -1 && errno == ENOKEY);
	expect(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0) > 0);
	expect(syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_PROCESS_KEYRING) == 0);
	expect(syscall(SYS_keyctl, 999) == -1 && errno == EOPNOTSUPP);
	say("keys: %s\n", got[0] == 'n' ? "new" : "?");
}

static void names(void)
{
	const int how[] = { MAP_PRIVATE, MAP_SHARED };

	for (int i = 0; i < 2; i++) {
		char *at = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, how[i] | MAP_ANONYMOUS, -1, 0);
		char line[256];
		FILE *maps;
		int found = 0;

		expect(at != MAP_FAILED && munmap(at + 3 * 4096, 4096) == 0);
		if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at + 4096, 4096, "named") < 0) {
			expect(errno == EINVAL);
			return;
		}
		maps = fopen("/proc/self/maps", "r");
		while (maps && fgets(line, sizeof(line), maps))
			found += strstr(line, "named]") != NULL;
		expect(maps && fclose(maps) == 0 && found == 1);
		expect(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, 4 * 4096, "name") == -1 &&
		       errno == ENOMEM);
		expect(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, 4096, "$") == -1 && errno == EINVAL);
		expect(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, 3 * 4096, NULL) == 0);
		memset(at, 1, 3 * 4096);
		expect(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at + 4096, 4096, "other") == 0);
		expect(mprotect(at, 2 * 4096, PROT_READ) == 0 && at[8192] == 1);
		at = mremap(at, 4096, 5 * 4096, MREMAP_MAYMOVE);
		expect(at != MAP_FAILED && at[0] == 1);
	}
}

static void old_calls(void)
{
	unsigned char buffer[64] = { 0 };
	char name[64] = "";
	struct stat proc;
	long count = syscall(SYS_sysfs, 3);

	if (count < 0) {
		expect(errno == ENOSYS);
	} else {
		expect(count > 0 && syscall(SYS_sysfs, 2, 0, name) == 0 && name[0] != '\0');
		expect(syscall(SYS_sysfs, 1, name) == 0 && syscall(SYS_sysfs, 1, "nothing") == -1 &&
		       errno == EINVAL);
		expect(syscall(SYS_sysfs, 4) == -1 && errno == EINVAL);
	}
	expect(stat("/proc", &proc) == 0);
	expect(syscall(SYS_ustat, (unsigned)proc.st_dev, buffer) == 0 || errno == ENOSYS ||
	       errno == EINVAL);
	expect(syscall(SYS_ustat, 0xfffff, buffer) == -1 && (errno == EINVAL || errno == ENOSYS));
	say("old calls\n");
}

int main(void)
{
	keys();
	names();
	old_calls();
	return 0;
}
