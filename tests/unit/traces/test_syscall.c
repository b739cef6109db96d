/* The table as a whole: what every row must say so that walk, filters and people can rely on it. */
#include "../../../traces/syscall.h"
#include "../../../traces/event.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <asm/prctl.h>
#include <linux/futex.h>
#include <linux/if_packet.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <netinet/in.h>
#include <cmocka.h>

#define LAST_NUMBER 469

/* A number the headers know turns into digits, one they lack stays a name. */
#define TEXT2(a) #a
#define TEXT(a) TEXT2(a)
struct known {
	uint32_t number;
	const char *name;
	const char *header;
};
static const struct known known[] = {
#define SYSCALL(number, name, ...) { number, #name, TEXT(__NR_##name) },
#define SYSCALL_KEYED(number, name, ...) { number, #name, TEXT(__NR_##name) },
#define REFUSED(number, name, ...) { number, #name, TEXT(__NR_##name) },
#define REFUSED_QUIETLY(number, name, ...) { number, #name, TEXT(__NR_##name) },
#include "../../../traces/syscall_table.def"
};

static void each_row(void (*check)(const struct row *row))
{
	for (size_t i = 0; i < syscall_rows(); i++) {
		const struct row *row = syscall_row_at(i);

		check(row);
		for (size_t k = 0; k < row->sub_count; k++)
			check(&row->sub[k]);
		if (row->fallback)
			check(row->fallback);
	}
}

static void numbers_match_the_system_headers(void **state)
{
	size_t compared = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		assert_string_equal(syscall_row(known[i].number)->name, known[i].name);
		if (known[i].header[0] < '0' || known[i].header[0] > '9')
			continue;
		if (strtoul(known[i].header, NULL, 10) != known[i].number)
			fail_msg("%s is %s, not %u", known[i].name, known[i].header, known[i].number);
		compared++;
	}
	assert_true(compared >= 362);
}

static void every_number_up_to_the_last_has_a_row(void **state)
{
	size_t rows = 0;

	(void)state;
	for (uint32_t nr = 0; nr <= LAST_NUMBER; nr++) {
		const bool hole = nr > 336 && nr < 424;

		if ((syscall_row(nr) == NULL) != hole)
			fail_msg("number %u", nr);
		rows += !hole;
	}
	assert_null(syscall_row(LAST_NUMBER + 1));
	assert_null(syscall_row(UINT32_MAX));
	assert_int_equal(syscall_rows(), rows);
	assert_null(syscall_row_at(rows));
}

static void names_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < syscall_rows(); i++) {
		const struct row *row = syscall_row_at(i);

		assert_int_equal(row->nr, known[i].number);
		for (size_t k = i + 1; k < syscall_rows(); k++)
			assert_string_not_equal(row->name, syscall_row_at(k)->name);
		for (size_t k = 0; k < row->sub_count; k++) {
			for (size_t m = k + 1; m < row->sub_count; m++)
				assert_string_not_equal(row->sub[k].name, row->sub[m].name);
		}
	}
}

static void check_treatment(const struct row *row)
{
	if (row->treatment == TREAT_UNKNOWN || row->treatment > TREAT_REFUSE)
		fail_msg("%s has no treatment", row->name);
	if ((row->treatment == TREAT_SPECIAL) != (row->family != FAMILY_NONE))
		fail_msg("%s: a family belongs to a special row and only there", row->name);
	if ((row->treatment == TREAT_REFUSE) != (row->error > 0) ||
	    (row->treatment == TREAT_REFUSE) != (row->reason != NULL))
		fail_msg("%s: errno and reason belong to a refused row and only there", row->name);
	if (row->treatment == TREAT_REFUSE && (row->error > 4095 || row->reason[0] == '\0'))
		fail_msg("%s: no errno or no reason", row->name);
	if (row->treatment == TREAT_REFUSE && (row->flags & ~(unsigned int)ROW_QUIET) != 0)
		fail_msg("%s: a refused call does nothing", row->name);
	assert_string_not_equal(treatment_name(row->treatment), "?");
	assert_string_not_equal(family_name(row->family), "?");
}

static void every_row_has_a_treatment_and_what_belongs_to_it(void **state)
{
	(void)state;
	each_row(check_treatment);
}

static bool counts(const struct row *row, unsigned int i)
{
	return row->args[i].kind == ARG_SIZE || row->args[i].kind == ARG_INT;
}

static void check_memory(const struct row *row, unsigned int i)
{
	const struct arg *arg = &row->args[i];
	const struct arg *other = &row->args[arg->arg < 6 ? arg->arg : 0];

	if (arg->direction < DIRECTION_IN || arg->direction > DIRECTION_INOUT)
		fail_msg("%s, argument %u: no direction", row->name, i);
	assert_true(arg->arg < 6 || arg->extent == EXTENT_LIST);
	switch ((enum extent)arg->extent) {
	case EXTENT_FIXED:
		if (arg->unit == 0 || arg->unit > 64000)
			fail_msg("%s, argument %u: %u bytes", row->name, i, arg->unit);
		return;
	case EXTENT_RESULT:
		if (arg->direction != DIRECTION_OUT)
			fail_msg("%s, argument %u: a result limits only output", row->name, i);
		/* fallthrough */
	case EXTENT_COUNT:
	case EXTENT_IOVEC:
	case EXTENT_MMSGHDR:
	case EXTENT_FDSET:
	case EXTENT_PAGES:
	case EXTENT_MSGBUF:
		if (!counts(row, arg->arg))
			fail_msg("%s, argument %u: %u is no count", row->name, i, arg->arg);
		if ((arg->extent == EXTENT_RESULT || arg->extent == EXTENT_COUNT) && arg->unit == 0)
			fail_msg("%s, argument %u: no unit", row->name, i);
		return;
	case EXTENT_DEREF:
		if (other->kind != ARG_MEMORY || other->direction != DIRECTION_INOUT ||
		    other->extent != EXTENT_FIXED || other->unit != 4)
			fail_msg("%s, argument %u: %u is no length", row->name, i, arg->arg);
		return;
	case EXTENT_STRING:
	case EXTENT_STRINGS:
	case EXTENT_PROGRAM:
		if (arg->direction != DIRECTION_IN)
			fail_msg("%s, argument %u: such memory is read", row->name, i);
		return;
	case EXTENT_SPAN:
		if (arg->direction == DIRECTION_INOUT || (arg->unit != 4 && arg->unit != 8))
			fail_msg("%s, argument %u: no such span", row->name, i);
		return;
	case EXTENT_LIST:
		if (arg->unit == 0 || (arg->head > 0 && arg->arg + 4 > arg->head))
			fail_msg("%s, argument %u: %u is no count in the head", row->name, i, arg->arg);
		return;
	case EXTENT_MSGHDR:
	case EXTENT_IFCONF: return;
	case EXTENT_SPECIAL:
		if (row->treatment != TREAT_SPECIAL)
			fail_msg("%s, argument %u: no family to ask", row->name, i);
		return;
	}
	fail_msg("%s, argument %u: no extent", row->name, i);
}

static void check_arguments(const struct row *row)
{
	for (unsigned int i = 0; i < 6; i++) {
		const struct arg *arg = &row->args[i];

		if (arg->kind > ARG_MEMORY || (arg->kind != ARG_NONE) != (arg->name != NULL))
			fail_msg("%s, argument %u: kind %u", row->name, i, arg->kind);
		if (arg->kind == ARG_MEMORY)
			check_memory(row, i);
		else if (arg->extent != 0 || arg->direction != 0)
			fail_msg("%s, argument %u: an extent without memory", row->name, i);
	}
}

static void every_argument_is_consistent(void **state)
{
	(void)state;
	each_row(check_arguments);
}

static void check_flags(const struct row *row)
{
	unsigned int fds = 0, in = 0;

	for (unsigned int i = 0; i < 6; i++) {
		fds += row->args[i].kind == ARG_FD;
		in += row->args[i].kind == ARG_MEMORY && row->args[i].direction == DIRECTION_IN;
	}
	if (row->flags & ROW_OUTPUT && (row->args[0].kind != ARG_FD || in == 0))
		fail_msg("%s: bytes leave through argument 0", row->name);
	if (row->flags & ROW_WRITES_FILE && fds == 0 && row->nr != SYS_truncate)
		fail_msg("%s: which file?", row->name);
}

static void output_rows_have_a_descriptor_and_bytes(void **state)
{
	(void)state;
	each_row(check_flags);
}

static void check_keys(const struct row *row)
{
	const bool sub = strchr(row->name, ':') != NULL;

	if (row->sub == NULL) {
		assert_int_equal(row->key, 0xff);
		assert_int_equal(row->sub_count, 0);
		assert_null(row->fallback);
		return;
	}
	assert_false(sub);
	assert_int_equal(row->args[row->key].kind, ARG_INT);
	assert_true(row->key2 == 0xff || row->args[row->key2].kind == ARG_INT);
	if (row->fallback)
		assert_int_equal(row->fallback->treatment, TREAT_REFUSE);
	for (size_t i = 0; i < row->sub_count; i++) {
		const struct row *one = &row->sub[i];

		assert_int_equal(one->nr, row->nr);
		assert_int_equal(strncmp(one->name, row->name, strlen(row->name)), 0);
		assert_int_equal(one->name[strlen(row->name)], ':');
		assert_true(one->sub_mask == 0 || (one->sub_value & ~one->sub_mask) == 0);
		for (size_t k = 0; k < i; k++) {
			if (row->sub[k].sub_value == one->sub_value)
				fail_msg("%s repeats %s", one->name, row->sub[k].name);
		}
	}
}

static void sub_tables_are_keyed_by_a_number_and_list_each_request_once(void **state)
{
	(void)state;
	each_row(check_keys);
}

static const struct row *resolve(uint32_t nr, uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t args[6] = { a, b, c };

	return syscall_resolve(nr, args);
}

static void a_request_resolves_to_its_sub_row(void **state)
{
	(void)state;
	assert_string_equal(resolve(SYS_read, 0, 0, 0)->name, "read");
	assert_string_equal(resolve(SYS_ioctl, 0, TCGETS, 0)->name, "ioctl:TCGETS");
	assert_string_equal(resolve(SYS_ioctl, 0, 0xabcd00000000 | TCGETS, 0)->name, "ioctl:TCGETS");
	assert_int_equal(resolve(SYS_ioctl, 0, TCGETS, 0)->args[2].unit, 36);
	assert_string_equal(resolve(SYS_fcntl, 0, F_SETLKW, 0)->name, "fcntl:F_SETLKW");
	assert_true(resolve(SYS_fcntl, 0, F_SETLKW, 0)->flags & ROW_BLOCKS);
	assert_string_equal(resolve(SYS_prctl, PR_SET_NAME, 0, 0)->name, "prctl:PR_SET_NAME");
	assert_int_equal(resolve(SYS_arch_prctl, ARCH_SET_FS, 0, 0)->family, FAMILY_TLS);
	assert_int_equal(resolve(SYS_madvise, 0, 0, MADV_DONTNEED)->treatment, TREAT_EXECUTE);
	assert_int_equal(resolve(SYS_madvise, 0, 0, MADV_FREE)->family, FAMILY_ADVICE);
}

static void a_futex_resolves_whatever_its_option_bits_are(void **state)
{
	const uint32_t wait = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME;

	(void)state;
	assert_string_equal(resolve(SYS_futex, 0, wait, 0)->name, "futex:FUTEX_WAIT_BITSET");
	assert_string_equal(resolve(SYS_futex, 0, FUTEX_WAIT, 0)->name, "futex:FUTEX_WAIT");
	assert_int_equal(resolve(SYS_futex, 0, FUTEX_WAIT | 0x8000, 0)->error, ENOSYS);
	assert_true(resolve(SYS_futex, 0, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0)->flags & ROW_EARLY);
}

static void an_unlisted_request_is_refused_as_its_call_refuses(void **state)
{
	(void)state;
	assert_int_equal(resolve(SYS_ioctl, 0, 0xdeadbeef, 0)->error, ENOTTY);
	assert_int_equal(resolve(SYS_fcntl, 0, 9999, 0)->error, EINVAL);
	assert_int_equal(resolve(SYS_prctl, 9999, 0, 0)->error, EINVAL);
	assert_int_equal(resolve(SYS_arch_prctl, 0x5001, 0, 0)->error, EINVAL);
	assert_null(resolve(5000, 0, 0, 0));
}

static void socket_options_are_told_apart_by_level(void **state)
{
	(void)state;
	assert_int_equal(resolve(SYS_setsockopt, 3, SOL_PACKET, PACKET_RX_RING)->error, ENOPROTOOPT);
	assert_int_equal(resolve(SYS_setsockopt, 3, SOL_SOCKET, SO_ATTACH_FILTER)->args[3].extent,
			 EXTENT_PROGRAM);
	assert_int_equal(SO_ATTACH_FILTER, IPV6_V6ONLY);
	assert_string_equal(resolve(SYS_setsockopt, 3, IPPROTO_IPV6, IPV6_V6ONLY)->name, "setsockopt");
	assert_int_equal(resolve(SYS_setsockopt, 3, SOL_SOCKET, SO_REUSEADDR)->treatment, TREAT_EMULATE);
	assert_int_equal(resolve(SYS_getsockopt, 3, SOL_SOCKET, SO_ATTACH_FILTER)->args[3].unit, 8);
	assert_int_equal(resolve(SYS_ioctl, 3, 0x8b01, 0)->error, EOPNOTSUPP);
	assert_int_equal(resolve(SYS_ioctl, 3, 0x8c01, 0)->error, ENOTTY);
}

static void arguments_compare_as_wide_as_the_kernel_reads_them(void **state)
{
	const uint64_t args[6] = { 0xffffffff00000003, 0xffffffff00000004, 0xffffffff00000005 };

	(void)state;
	assert_int_equal(row_argument(syscall_row(SYS_read), 0, args), 3);
	assert_int_equal(row_argument(syscall_row(SYS_read), 1, args), args[1]);
	assert_int_equal(row_argument(syscall_row(SYS_read), 2, args), args[2]);
	assert_int_equal(row_argument(syscall_row(SYS_getpid), 0, args), 0);
	assert_int_equal(row_args(syscall_row(SYS_read)), 3);
	assert_int_equal(row_args(syscall_row(SYS_getpid)), 0);
	assert_int_equal(row_args(resolve(SYS_futex, 0, FUTEX_WAIT_BITSET, 0)), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_match_the_system_headers),
		cmocka_unit_test(every_number_up_to_the_last_has_a_row),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(every_row_has_a_treatment_and_what_belongs_to_it),
		cmocka_unit_test(every_argument_is_consistent),
		cmocka_unit_test(output_rows_have_a_descriptor_and_bytes),
		cmocka_unit_test(sub_tables_are_keyed_by_a_number_and_list_each_request_once),
		cmocka_unit_test(a_request_resolves_to_its_sub_row),
		cmocka_unit_test(a_futex_resolves_whatever_its_option_bits_are),
		cmocka_unit_test(an_unlisted_request_is_refused_as_its_call_refuses),
		cmocka_unit_test(socket_options_are_told_apart_by_level),
		cmocka_unit_test(arguments_compare_as_wide_as_the_kernel_reads_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
