/* Keyrings: sessions, links, moves, limits on what a ring takes, and the ends that a key can have. */
#include "guest.h"
#include <linux/keyctl.h>
#include <sys/syscall.h>

#define ALL_RIGHTS 0x3f3f3f3f

static long control(int what, long a, long b, long c, long d)
{
	return syscall(SYS_keyctl, what, a, b, c, d);
}

static long ring(const char *name, long where)
{
	return syscall(SYS_add_key, "keyring", name, NULL, 0, where);
}

static long secret(const char *name, long where)
{
	return syscall(SYS_add_key, "user", name, "words", 5, where);
}

static void links(long session)
{
	long left = ring("left", session), right = ring("right", session), key = secret("moved", left);
	int32_t held[4] = { 0 };

	expect(left > 0 && right > 0 && key > 0);
	expect(control(KEYCTL_LINK, key, right, 0, 0) == 0);
	expect(control(KEYCTL_READ, right, (long)held, sizeof(held), 0) == 4 && held[0] == key);
	expect(control(KEYCTL_UNLINK, key, right, 0, 0) == 0);
	expect(control(KEYCTL_MOVE, key, left, right, 0) == 0);
	expect(control(KEYCTL_READ, left, (long)held, sizeof(held), 0) == 0);
	say("moved: %d\n", control(KEYCTL_READ, right, (long)held, sizeof(held), 0) == 4);
	expect(control(KEYCTL_RESTRICT_KEYRING, left, 0, 0, 0) == 0);
	expect(control(KEYCTL_LINK, key, left, 0, 0) == -1 && errno == EPERM);
	expect(control(KEYCTL_CLEAR, right, 0, 0, 0) == 0);
	say("cleared: %ld\n", control(KEYCTL_READ, right, (long)held, sizeof(held), 0));
}

static void ends(long session)
{
	char text[16];
	long key = secret("short", session);

	expect(control(KEYCTL_CHOWN, key, getuid(), -1, 0) == 0);
	expect(control(KEYCTL_SET_TIMEOUT, key, 1000, 0, 0) == 0);
	expect(control(KEYCTL_READ, key, (long)text, sizeof(text), 0) == 5);
	expect(control(KEYCTL_REVOKE, key, 0, 0, 0) == 0);
	expect(control(KEYCTL_READ, key, (long)text, sizeof(text), 0) == -1);
	say("revoked: %s\n", strerror(errno));
	key = secret("gone", session);
	expect(control(KEYCTL_SETPERM, key, ALL_RIGHTS, 0, 0) == 0);
	expect(control(KEYCTL_INVALIDATE, key, 0, 0, 0) == 0);
	expect(control(KEYCTL_READ, key, (long)text, sizeof(text), 0) == -1);
	say("invalidated: %s\n", strerror(errno));
}

static void asked(long session)
{
	unsigned char able[64];
	char label[256] = "";
	long old = control(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_SESSION_KEYRING, 0, 0, 0), n;

	expect(old >= 0 &&
	       control(KEYCTL_SET_REQKEY_KEYRING, old, 0, 0, 0) == KEY_REQKEY_DEFL_SESSION_KEYRING);
	memset(able, 0xff, sizeof(able));
	n = control(KEYCTL_CAPABILITIES, (long)able, sizeof(able), 0, 0);
	expect(n > 0 && (able[0] & KEYCTL_CAPS0_CAPABILITIES));
	say("cleared behind: %d\n", able[sizeof(able) - 1] == 0); /* all that was offered */
	n = control(KEYCTL_GET_SECURITY, session, (long)label, sizeof(label), 0);
	say("label: %d\n", n > 0 || errno == EOPNOTSUPP);
	n = control(KEYCTL_GET_PERSISTENT, -1, session, 0, 0);
	say("persistent: %d\n", n > 0 || errno == EOPNOTSUPP);
}

/* Five to the sixth is 8 modulo 23. */
static void agree(long session)
{
	static const char prime[] = { 23 }, base[] = { 5 }, exponent[] = { 6 };
	struct keyctl_dh_params of = { 0 };
	unsigned char shared[4] = { 0 };
	long n;

	of.prime = (int32_t)syscall(SYS_add_key, "user", "p", prime, 1, session);
	of.base = (int32_t)syscall(SYS_add_key, "user", "g", base, 1, session);
	of.private = (int32_t)syscall(SYS_add_key, "user", "x", exponent, 1, session);
	n = control(KEYCTL_DH_COMPUTE, (long)&of, (long)shared, sizeof(shared), 0);
	if (n < 0)
		say("no agreement: %d\n", errno == EOPNOTSUPP || errno == EINVAL);
	else
		say("agreed on %d\n", shared[n - 1]);
}

/* A parent gets its child's session when it next returns to its own code. */
static void hand_up(void)
{
	long before = control(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0), after;
	pid_t pid = fork();

	if (pid == 0) {
		expect(control(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0) > 0);
		expect(control(KEYCTL_SESSION_TO_PARENT, 0, 0, 0, 0) == 0);
		_exit(0);
	}
	expect(reap(pid) == 0);
	after = control(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0);
	expect(after > 0);
	say("the session is a new one: %d\n", after != before);
}

int main(void)
{
	long session = control(KEYCTL_JOIN_SESSION_KEYRING, (long)"guest-rings", 0, 0, 0);

	if (session < 0) {
		say("no keys here\n");
		return 0;
	}
	links(session);
	ends(session);
	asked(session);
	agree(session);
	hand_up();
	return 0;
}
