#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../sandbox/site.h"

#define BASE 0x400000ULL
#define TEXT_AT 0x400U
#define TEXT_BYTES 0x400U
#define FILE_BYTES 0x1000U
#define SYMBOLS_MAX 8

/* A file with one segment, text in the middle of it, and a table of symbols behind. */
struct file {
	uint8_t bytes[FILE_BYTES];
	unsigned int symbols;
	size_t used; /* of the text */
};

static void begin(struct file *file)
{
	Elf64_Ehdr head = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(head),
		.e_phnum = 1,
		.e_shoff = 0xa00,
		.e_shnum = 1,
	};
	Elf64_Phdr load = { .p_type = PT_LOAD,
			    .p_flags = PF_R | PF_X,
			    .p_vaddr = BASE,
			    .p_filesz = FILE_BYTES,
			    .p_memsz = FILE_BYTES };

	memset(file, 0, sizeof(*file));
	memcpy(file->bytes, &head, sizeof(head));
	memcpy(file->bytes + sizeof(head), &load, sizeof(load));
}

/* Appends text; with `named`, as a function of its own. Its offset in the file. */
static uint64_t put(struct file *file, const char *code, size_t length, bool named)
{
	Elf64_Sym symbol = { .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = 1 };
	uint64_t at = TEXT_AT + file->used;

	memcpy(file->bytes + at, code, length);
	file->used += length;
	symbol.st_value = BASE + at;
	symbol.st_size = length;
	if (named) {
		assert_true(file->symbols < SYMBOLS_MAX);
		memcpy(file->bytes + 0xb00 + file->symbols++ * sizeof(symbol), &symbol, sizeof(symbol));
	}
	return at;
}

static struct sites find(struct file *file)
{
	Elf64_Shdr table = { .sh_type = SHT_SYMTAB, .sh_offset = 0xb00 };
	struct site_text text = { file->bytes, FILE_BYTES, TEXT_AT, TEXT_AT + TEXT_BYTES };
	struct sites sites;

	table.sh_size = file->symbols * sizeof(Elf64_Sym);
	memcpy(file->bytes + 0xa00, &table, sizeof(table));
	assert_int_equal(sites_find(&text, &sites), 0);
	return sites;
}

static void finds_them_in_functions(void **state)
{
	struct file file;
	struct sites sites;
	uint64_t first, second, third;

	(void)state;
	begin(&file);
	first = put(&file, "\x31\xc0\x0f\xa2\xc3", 5, true);	     /* xor; cpuid; ret */
	second = put(&file, "\xf3\x0f\xc7\xf9\xc3", 5, true);	     /* rdpid %rcx; ret */
	third = put(&file, "\xf3\x41\x0f\xc7\xf9\x0f\xa2", 7, true); /* rdpid %r9; cpuid */
	sites = find(&file);
	assert_int_equal(sites.count, 4);
	assert_int_equal(sites.unproven, 0);
	assert_int_equal(sites.offsets[0], first + 2);
	assert_int_equal(sites.offsets[1], second + 1);
	assert_int_equal(sites.offsets[2], third + 2);
	assert_int_equal(sites.offsets[3], third + 5);
	sites_release(&sites);
}

static void bytes_inside_another_instruction_are_none(void **state)
{
	struct file file;
	struct sites sites;

	(void)state;
	begin(&file);
	put(&file, "\xb8\x0f\xa2\x00\x00\xc3", 6, true); /* mov $0xa20f, %eax; ret */
	put(&file, "\x0f\xc7\xf8\xc3", 4, true);	 /* rdseed */
	put(&file, "\x48\xb8\xf3\x0f\xc7\xf8\x0f\xa2\x00\x00\xc3", 11, true); /* movabs */
	sites = find(&file);
	assert_int_equal(sites.count, 0);
	assert_int_equal(sites.unproven, 0);
	sites_release(&sites);
}

static void data_between_functions_is_not_proven(void **state)
{
	struct file file;
	struct sites sites;

	(void)state;
	begin(&file);
	put(&file, "\x31\xc0\xc3", 3, true);
	put(&file, "\x01\x02\x03\x04\x0f\xa2\x05\x06\x07\x08", 10, false);
	put(&file, "\x31\xc0\xc3", 3, true);
	sites = find(&file);
	assert_int_equal(sites.count, 0);
	assert_int_equal(sites.unproven, 1);
	sites_release(&sites);
}

static void a_call_proves_a_function_without_a_name(void **state)
{
	struct file file;
	struct sites sites;
	uint64_t at;

	(void)state;
	begin(&file);
	put(&file, "\xe8\x01\x00\x00\x00\xc3", 6, true); /* call 1f; ret; 1: */
	at = put(&file, "\x31\xc0\x0f\xa2\xc3", 5, false);
	sites = find(&file);
	assert_int_equal(sites.count, 1);
	assert_int_equal(sites.offsets[0], at + 2);
	sites_release(&sites);
	/* Bytes that look like a call, inside another instruction: nothing is called. */
	begin(&file);
	put(&file, "\xb8\xe8\x01\x00\x00\x00\xc3", 7, true); /* mov $0x1e8, %eax; add %al, %bl */
	put(&file, "\x31\xc0\x0f\xa2\xc3", 5, false);
	sites = find(&file);
	assert_int_equal(sites.count, 0);
	assert_int_equal(sites.unproven, 1);
	sites_release(&sites);
}

static void files_that_are_no_programs_prove_nothing(void **state)
{
	struct file file;
	struct sites sites;

	(void)state;
	begin(&file);
	put(&file, "\x31\xc0\x0f\xa2\xc3", 5, true);
	file.bytes[0] = 0;
	sites = find(&file);
	assert_int_equal(sites.count, 0);
	assert_int_equal(sites.unproven, 1);
	sites_release(&sites);
}

/* Headers that lie: nothing is read outside of the file (the sanitizers see it). */
static void damaged_files_are_survived(void **state)
{
	struct file file, damaged;
	struct sites sites;
	uint32_t random = 1;

	(void)state;
	begin(&file);
	put(&file, "\x31\xc0\x0f\xa2\xc3", 5, true);
	sites = find(&file);
	sites_release(&sites);
	for (int round = 0; round < 2000; round++) {
		damaged = file;
		for (int i = 0; i < 4; i++) {
			random = random * 1103515245U + 12345U;
			damaged.bytes[(random >> 8) % 2 ? 0xa00 + (random >> 9) % 0x140
							: 4 + (random >> 9) % 0x80] = (uint8_t)(random >>
												24);
		}
		assert_int_equal(sites_find(&(struct site_text){ damaged.bytes, FILE_BYTES, TEXT_AT,
								 TEXT_AT + TEXT_BYTES },
					    &sites),
				 0);
		sites_release(&sites);
	}
}

/* All executable segments of an installed file: how many are proven and how many not. */
static bool survey(const char *path, size_t *ret_proven, size_t *ret_unproven)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	Elf64_Ehdr head;
	uint8_t *file;

	*ret_proven = *ret_unproven = 0;
	if (fd < 0)
		return false;
	assert_int_equal(fstat(fd, &status), 0);
	file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	assert_true(file != MAP_FAILED);
	memcpy(&head, file, sizeof(head));
	for (unsigned int i = 0; i < head.e_phnum; i++) {
		struct sites sites;
		Elf64_Phdr load;

		memcpy(&load, file + head.e_phoff + i * sizeof(load), sizeof(load));
		if (load.p_type != PT_LOAD || !(load.p_flags & PF_X))
			continue;
		assert_int_equal(sites_find(&(struct site_text){ file, (size_t)status.st_size, load.p_offset,
								 load.p_offset + load.p_filesz },
					    &sites),
				 0);
		*ret_proven += sites.count;
		*ret_unproven += sites.unproven;
		sites_release(&sites);
	}
	munmap(file, (size_t)status.st_size);
	return true;
}

/* In libraries as they are installed every instruction is proven; what is not is known to be constants. */
static void installed_files_are_proven(void **state)
{
	static const struct {
		const char *path;
		size_t least; /* instructions, in any version of the last years */
		bool has_constants;
	} files[] = {
		{ "/lib64/ld-linux-x86-64.so.2", 10, false },
		{ "/lib/x86_64-linux-gnu/libc.so.6", 0, false },
		{ "/lib/x86_64-linux-gnu/libstdc++.so.6", 2, false },
		{ "/lib/x86_64-linux-gnu/libcrypto.so.3", 5, true },
		{ "/lib/x86_64-linux-gnu/libgcrypt.so.20", 3, false },
		{ "/lib/x86_64-linux-gnu/libgnutls.so.30", 5, false },
		{ "/usr/bin/python3", 0, false },
		{ "/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so", 5, false },
	};
	size_t proven, unproven, seen = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!survey(files[i].path, &proven, &unproven)) {
			print_message("%s is not installed\n", files[i].path);
			continue;
		}
		seen++;
		print_message("%s: %zu proven, %zu not\n", files[i].path, proven, unproven);
		assert_true(proven >= files[i].least);
		assert_true(files[i].has_constants || unproven == 0);
	}
	assert_true(seen > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_them_in_functions),
		cmocka_unit_test(bytes_inside_another_instruction_are_none),
		cmocka_unit_test(data_between_functions_is_not_proven),
		cmocka_unit_test(a_call_proves_a_function_without_a_name),
		cmocka_unit_test(files_that_are_no_programs_prove_nothing),
		cmocka_unit_test(damaged_files_are_survived),
		cmocka_unit_test(installed_files_are_proven),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
