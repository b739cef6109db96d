/*
 * Where a stopped guest stands: its stack, unwound by libdwfl from the blobs of its mapped files and from
 * its memory. All of that is a stranger's, so it is done by a child whose end, whatever it is, costs at
 * most the rest of the backtrace. No file is opened.
 */
#include <errno.h>
#include <elfutils/libdwfl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#include "../sandbox/register.h"
#include "replayer.h"

#define BACKTRACE_BYTES 16384
#define BACKTRACE_FRAMES 64
#define BACKTRACE_SECONDS 5
#define BACKTRACE_MEMORY (512ULL << 20) /* private, of the child */
#define IMAGES_MAX 1024

/* A mapped ELF file. */
struct image {
	const char *name; /* borrowed from the mapping table */
	uint64_t start, end;
	struct arena_blob blob;
};

struct walk {
	struct thread *thread;
	struct registers registers;
	struct image *images; /* owned, ascending */
	size_t count;
	int out;
	unsigned int frames;
};

static bool is_elf(const struct arena_blob *blob)
{
	Elf64_Ehdr head;

	if (!blob->bytes || blob->length < sizeof(head))
		return false;
	memcpy(&head, blob->bytes, sizeof(head));
	return memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_ident[EI_CLASS] == ELFCLASS64 &&
	       head.e_ident[EI_DATA] == ELFDATA2LSB &&
	       (head.e_type == ET_EXEC || head.e_type == ET_DYN);
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path ? path : "?";
}

/* Mappings of one file that follow each other are one image. */
static void add_image(struct walk *walk, const struct arena *arena, const struct mapping *m)
{
	struct image *last = walk->count ? &walk->images[walk->count - 1] : NULL;
	struct arena_blob blob;

	if (m->backing != BACKING_BLOB || arena_find(arena, m->digest, &blob) != 1 || !is_elf(&blob))
		return;
	if (last && last->blob.bytes == blob.bytes && m->offset > 0) {
		last->end = m->end;
		return;
	}
	if (walk->count == IMAGES_MAX || m->offset > m->start)
		return;
	walk->images[walk->count++] = (struct image){
		.name = base_name(m->path),
		.start = m->start - m->offset,
		.end = m->end,
		.blob = blob,
	};
}

static int find_images(struct walk *walk, const struct arena *arena)
{
	const struct mapping_table *table = &walk->thread->process->space->table;

	walk->images = calloc(IMAGES_MAX, sizeof(*walk->images));
	for (size_t i = 0; walk->images && i < table->count; i++)
		add_image(walk, arena, &table->entries[i]);
	return walk->images ? 0 : -ENOMEM;
}

static int find_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
		    char **file_name, Elf **ret_elf)
{
	const struct image *image = *userdata;

	(void)module;
	(void)name;
	(void)base;
	(void)file_name;
	if (image)
		*ret_elf = elf_memory((char *)(uintptr_t)image->blob.bytes, image->blob.length);
	return -1;
}

/* Debug information of its own is all that a recorded file has here. */
static int find_no_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
			     const char *file_name, const char *link, GElf_Word crc, char **ret_name)
{
	(void)module;
	(void)userdata;
	(void)name;
	(void)base;
	(void)file_name;
	(void)link;
	(void)crc;
	(void)ret_name;
	return -1;
}

static pid_t next_thread(Dwfl *dwfl, void *context, void **thread)
{
	const struct walk *walk = context;

	(void)dwfl;
	if (*thread)
		return 0;
	*thread = context;
	return walk->thread->tid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *context, void **thread)
{
	(void)dwfl;
	(void)tid;
	*thread = context;
	return true;
}

/* Through the descriptor too: where the kernel lets only a parent read, the child can do no other. */
static bool read_word(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret, void *context)
{
	struct walk *walk = context;
	struct space *space = walk->thread->process->space;

	(void)dwfl;
	if (guest_read(walk->thread, address, ret, sizeof(*ret)) == sizeof(*ret))
		return true;
	return mapping_find(&space->table, address) && space->mem_fd >= 0 &&
	       pread(space->mem_fd, ret, sizeof(*ret), (off_t)address) == sizeof(*ret);
}

/* In the order of the x86-64 psABI's DWARF register numbers. */
static bool set_registers(Dwfl_Thread *thread, void *context)
{
	const struct registers *r = &((struct walk *)context)->registers;
	const Dwarf_Word words[] = { r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi,
				     r->rbp, r->rsp, r->r8,  r->r9,  r->r10, r->r11,
				     r->r12, r->r13, r->r14, r->r15, r->rip };

	return dwfl_thread_state_registers(thread, 0, sizeof(words) / sizeof(words[0]), words);
}

static const struct image *image_of(const struct walk *walk, uint64_t address)
{
	for (size_t i = 0; i < walk->count; i++) {
		if (address >= walk->images[i].start && address < walk->images[i].end)
			return &walk->images[i];
	}
	return NULL;
}

/* One line. Without symbols the place in the file has to do. */
static int format_frame(const struct walk *walk, uint64_t address, const char *symbol, char *text,
			size_t size)
{
	const struct image *image = image_of(walk, address);

	if (symbol[0])
		return snprintf(text, size, "#%u 0x%" PRIx64 " %s (%s)\n", walk->frames, address,
				symbol, image ? image->name : "?");
	if (image)
		return snprintf(text, size, "#%u 0x%" PRIx64 " %s+0x%" PRIx64 "\n", walk->frames,
				address, image->name, address - image->start);
	return snprintf(text, size, "#%u 0x%" PRIx64 " ?\n", walk->frames, address);
}

static void find_symbol(Dwfl_Module *module, Dwarf_Addr address, bool exact, char *text, size_t size)
{
	/* A return address may lie behind the function that called. */
	Dwarf_Addr at = exact ? address : address - 1;
	GElf_Off offset = 0;
	GElf_Sym symbol;
	const char *name = dwfl_module_addrinfo(module, at, &offset, &symbol, NULL, NULL, NULL);
	Dwfl_Line *line = name ? dwfl_module_getsrc(module, at) : NULL;
	int number = 0;
	const char *source = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;

	if (name && source)
		snprintf(text, size, "%.256s at %.256s:%d", name, source, number);
	else if (name)
		snprintf(text, size, "%.256s+0x%02" PRIx64, name, (uint64_t)offset + (exact ? 0 : 1));
}

static int show_frame(Dwfl_Frame *frame, void *context)
{
	struct walk *walk = context;
	Dwarf_Addr address;
	bool exact = false;
	char symbol[640] = "", text[1024];
	Dwfl_Module *module;
	int n;

	if (!dwfl_frame_pc(frame, &address, &exact))
		return DWARF_CB_ABORT;
	exact = exact || walk->frames == 0;
	module = dwfl_addrmodule(dwfl_thread_dwfl(dwfl_frame_thread(frame)),
				 exact ? address : address - 1);
	if (module)
		find_symbol(module, address, exact, symbol, sizeof(symbol));
	n = format_frame(walk, address, symbol, text, sizeof(text));
	if (n > (int)sizeof(text) - 1)
		n = (int)sizeof(text) - 1;
	if (write(walk->out, text, (size_t)n) != n)
		return DWARF_CB_ABORT;
	return ++walk->frames < BACKTRACE_FRAMES ? DWARF_CB_OK : DWARF_CB_ABORT;
}

static void report_images(struct walk *walk, Dwfl *dwfl)
{
	dwfl_report_begin(dwfl);
	for (size_t i = 0; i < walk->count; i++) {
		struct image *image = &walk->images[i];
		Dwfl_Module *module = dwfl_report_module(dwfl, image->name, image->start, image->end);
		void **userdata;

		if (module && dwfl_module_info(module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL))
			*userdata = image;
	}
	dwfl_report_end(dwfl, NULL, NULL);
}

static void limit_memory(void)
{
/* A sanitizer's shadow is larger than any limit. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	struct rlimit memory = { BACKTRACE_MEMORY, BACKTRACE_MEMORY };

	setrlimit(RLIMIT_DATA, &memory);
#endif
}

static _Noreturn void walk_stack(struct walk *walk)
{
	static const Dwfl_Callbacks files = { .find_elf = find_elf, .find_debuginfo = find_no_debuginfo };
	static const Dwfl_Thread_Callbacks threads = {
		.next_thread = next_thread,
		.get_thread = get_thread,
		.memory_read = read_word,
		.set_initial_registers = set_registers,
	};
	struct sigaction end = { .sa_handler = SIG_DFL };
	Dwfl *dwfl;

	sigaction(SIGALRM, &end, NULL);
	alarm(BACKTRACE_SECONDS);
	limit_memory();
	elf_version(EV_CURRENT);
	dwfl = dwfl_begin(&files);
	if (dwfl) {
		report_images(walk, dwfl);
		if (dwfl_attach_state(dwfl, NULL, walk->thread->tid, &threads, walk))
			dwfl_getthread_frames(dwfl, walk->thread->tid, show_frame, walk);
	}
	_exit(0);
}

static int milliseconds_left(const struct timespec *start)
{
	struct timespec now;
	int64_t spent;

	clock_gettime(CLOCK_MONOTONIC, &now);
	spent = (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
	return spent < BACKTRACE_SECONDS * 1000 ? (int)(BACKTRACE_SECONDS * 1000 - spent) : 0;
}

/* What the child says until it ends, falls silent or says too much. */
static size_t receive(int fd, char *text, size_t size)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	struct timespec start;
	size_t length = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (length < size) {
		int r = poll(&poll_fd, 1, milliseconds_left(&start));
		ssize_t n = r > 0 ? read(fd, text + length, size - length) : r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		length += (size_t)n;
	}
	return length;
}

static size_t run_child(struct walk *walk, char *text, size_t size)
{
	int pipes[2];
	size_t length = 0;
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return 0;
	child = fork();
	if (child == 0) {
		walk->out = pipes[1];
		walk_stack(walk);
	}
	close(pipes[1]);
	if (child > 0) {
		length = receive(pipes[0], text, size);
		kill(child, SIGKILL);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(pipes[0]);
	return length;
}

/* Names come from the recorded files: a terminal must not act on them. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		if ((*text < ' ' || *text > '~') && *text != '\n')
			*text = '?';
	}
}

char *replay_backtrace(struct replayer *rep, struct thread *thread)
{
	struct walk walk = { .thread = thread, .registers = thread->registers };
	char *text = thread->stand == STAND_GONE ? NULL : calloc(1, BACKTRACE_BYTES);
	char *end;

	if (!text || find_images(&walk, rep->guests.arena) < 0) {
		free(text);
		return NULL;
	}
	register_get(thread->tid, &walk.registers);
	guest_memory(thread);
	if (run_child(&walk, text, BACKTRACE_BYTES - 1) == 0)
		format_frame(&walk, walk.registers.rip, "", text, BACKTRACE_BYTES);
	end = strrchr(text, '\n');
	if (end)
		*end = '\0';
	make_printable(text);
	free(walk.images);
	return text;
}
