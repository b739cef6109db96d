#include "function.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#define GO_MAGIC_118 0xfffffff0U
#define GO_MAGIC_120 0xfffffff1U
#define GO_HEADER_BYTES 72
#define HDR_ENCODING_POINTER 0x1b /* relative to its own place, 4 bytes */
#define HDR_ENCODING_COUNT 0x03	  /* 4 bytes, unsigned */
#define HDR_ENCODING_TABLE 0x3b	  /* relative to the header, 4 bytes */

struct elf {
	const uint8_t *file;
	size_t length;
	const Elf64_Ehdr *head;
	function_found found;
	void *context;
};

/* `size` bytes at `offset`, or NULL where the file has no such bytes. */
static const void *at(const struct elf *elf, uint64_t offset, uint64_t size)
{
	if (offset > elf->length || size > elf->length - offset)
		return NULL;
	return elf->file + offset;
}

static uint32_t word_at(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static uint64_t long_at(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static bool segment(const struct elf *elf, unsigned int index, Elf64_Phdr *ret)
{
	const void *bytes = at(elf, elf->head->e_phoff + (uint64_t)index * sizeof(*ret), sizeof(*ret));

	if (bytes)
		memcpy(ret, bytes, sizeof(*ret));
	return bytes != NULL;
}

static bool section(const struct elf *elf, unsigned int index, Elf64_Shdr *ret)
{
	const void *bytes = at(elf, elf->head->e_shoff + (uint64_t)index * sizeof(*ret), sizeof(*ret));

	if (bytes)
		memcpy(ret, bytes, sizeof(*ret));
	return bytes != NULL;
}

/* The place in the file of a loaded address; the file's length when it is not in it. */
static uint64_t place(const struct elf *elf, uint64_t address)
{
	Elf64_Phdr load;

	for (unsigned int i = 0; i < elf->head->e_phnum && segment(elf, i, &load); i++) {
		if (load.p_type == PT_LOAD && address >= load.p_vaddr &&
		    address - load.p_vaddr < load.p_filesz)
			return address - load.p_vaddr + load.p_offset;
	}
	return elf->length;
}

static void tell(const struct elf *elf, uint64_t address, uint64_t size)
{
	uint64_t start = place(elf, address);

	if (start < elf->length && size <= elf->length - start)
		elf->found(elf->context, start, size ? start + size : 0);
}

static void tell_symbols(const struct elf *elf, const Elf64_Shdr *table)
{
	for (uint64_t i = 0; i < table->sh_size / sizeof(Elf64_Sym); i++) {
		const void *bytes = at(elf, table->sh_offset + i * sizeof(Elf64_Sym), sizeof(Elf64_Sym));
		Elf64_Sym symbol;

		if (!bytes)
			return;
		memcpy(&symbol, bytes, sizeof(symbol));
		if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx != SHN_UNDEF)
			tell(elf, symbol.st_value, symbol.st_size);
	}
}

/* Since Go 1.18: offsets from the start of the text, 4 bytes each, in pairs; one more at the end. */
static void tell_go(const struct elf *elf, const Elf64_Shdr *table)
{
	const uint8_t *head = at(elf, table->sh_offset, GO_HEADER_BYTES), *pairs;
	uint64_t count, text, functions;

	if (!head || (word_at(head) != GO_MAGIC_118 && word_at(head) != GO_MAGIC_120) || head[7] != 8)
		return;
	count = long_at(head + 8);
	text = long_at(head + 24);
	functions = long_at(head + 64);
	if (count > elf->length / 8 || functions > table->sh_size)
		return;
	pairs = at(elf, table->sh_offset + functions, count * 8 + 4);
	for (uint64_t i = 0; pairs && i < count; i++) {
		uint32_t start = word_at(pairs + i * 8), end = word_at(pairs + i * 8 + 8);

		if (end > start)
			tell(elf, text + start, end - start);
	}
}

static void tell_sections(const struct elf *elf)
{
	Elf64_Shdr table, names = { 0 };

	section(elf, elf->head->e_shstrndx, &names);
	for (unsigned int i = 0; i < elf->head->e_shnum && section(elf, i, &table); i++) {
		static const char go[] = ".gopclntab";
		const char *name = at(elf, names.sh_offset + table.sh_name, sizeof(go));

		if (table.sh_type == SHT_SYMTAB || table.sh_type == SHT_DYNSYM)
			tell_symbols(elf, &table);
		else if (name && memcmp(name, go, sizeof(go)) == 0)
			tell_go(elf, &table);
	}
}

/* How long the function is that the entry at `address` describes, if it is the one at `start` in the usual encoding. */
static uint64_t entry_size(const struct elf *elf, uint64_t address, uint64_t start)
{
	const uint8_t *entry = at(elf, place(elf, address), 16);

	if (!entry || address + 8 + (uint64_t)(int32_t)word_at(entry + 8) != start)
		return 0;
	return word_at(entry + 12);
}

static void tell_unwind(const struct elf *elf, const Elf64_Phdr *header)
{
	const uint8_t *head = at(elf, header->p_offset, 12), *pairs;
	uint64_t count;

	if (!head || head[0] != 1 || head[1] != HDR_ENCODING_POINTER ||
	    head[2] != HDR_ENCODING_COUNT || head[3] != HDR_ENCODING_TABLE)
		return;
	count = word_at(head + 8);
	pairs = at(elf, header->p_offset + 12, count * 8);
	for (uint64_t i = 0; pairs && i < count; i++) {
		uint64_t start = header->p_vaddr + (uint64_t)(int32_t)word_at(pairs + i * 8);
		uint64_t entry = header->p_vaddr + (uint64_t)(int32_t)word_at(pairs + i * 8 + 4);

		tell(elf, start, entry_size(elf, entry, start));
	}
}

void functions_each(const uint8_t *file, size_t length, function_found found, void *context)
{
	Elf64_Ehdr head;
	Elf64_Phdr load;
	struct elf elf = { file, length, &head, found, context };

	if (length < sizeof(head))
		return;
	memcpy(&head, file, sizeof(head));
	if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
	    head.e_machine != EM_X86_64)
		return;
	if (head.e_entry)
		tell(&elf, head.e_entry, 0);
	for (unsigned int i = 0; i < head.e_phnum && segment(&elf, i, &load); i++) {
		if (load.p_type == PT_GNU_EH_FRAME)
			tell_unwind(&elf, &load);
	}
	tell_sections(&elf);
}
