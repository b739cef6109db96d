/* A new program image: what exec left in the guest, made reproducible and captured whole. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../sandbox/random.h"
#include "../sandbox/register.h"
#include "../traces/error.h"
#include "recorder.h"
#include "timers.h"

#define IMAGE_PATH_BYTES (PATH_BYTES_MAX + 64)
#define AUXV_PAIRS_MAX 64

/* One line of /proc/TID/maps. */
struct maps_line {
	struct mapping mapping;
	uint64_t inode;
	unsigned int major, minor;
	char path[IMAGE_PATH_BYTES];
};

static int parse_line(char *text, struct maps_line *line)
{
	char perms[8];
	int skip = 0;

	*line = (struct maps_line){ 0 };
	if (sscanf(text, "%lx-%lx %7s %lx %x:%x %lu %n", &line->mapping.start, &line->mapping.end,
		   perms, &line->mapping.offset, &line->major, &line->minor, &line->inode, &skip) < 7)
		return -EINVAL;
	text[strcspn(text, "\n")] = '\0';
	snprintf(line->path, sizeof(line->path), "%s", text + skip);
	line->mapping.prot = (perms[0] == 'r' ? PROT_READ : 0U) |
			     (perms[1] == 'w' ? PROT_WRITE : 0U) | (perms[2] == 'x' ? PROT_EXEC : 0U);
	line->mapping.flags = perms[3] == 's' ? MAP_SHARED : MAP_PRIVATE;
	return 0;
}

static bool is_kernel_page(const char *path)
{
	return strcmp(path, "[vdso]") == 0 || strncmp(path, "[vvar", 5) == 0;
}

/* Opens the file that a mapping of the image shows: by the path the guest sees, checked by inode. */
static int open_image_file(const struct thread *thread, const struct maps_line *line)
{
	static char path[IMAGE_PATH_BYTES + 64];

	for (int way = 0; way < 3; way++) {
		struct stat status;
		int fd;

		if (way == 0)
			snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", thread->tid,
				 line->mapping.start, line->mapping.end);
		else if (way == 1)
			snprintf(path, sizeof(path), "/proc/%d/root%s", thread->tid, line->path);
		else
			snprintf(path, sizeof(path), "/proc/%d/exe", thread->tid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (fstat(fd, &status) == 0 && status.st_ino == line->inode)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

static int add_line(struct recorder *rec, struct thread *thread, struct maps_line *line)
{
	struct mapping *mapping = &line->mapping;
	int r = 0;

	if (mapping->start == CALL_PAGE || strcmp(line->path, "[vsyscall]") == 0)
		return 0;
	mapping->path = line->path[0] ? line->path : NULL;
	if (strcmp(line->path, "[stack]") == 0)
		mapping->flags |= MAP_GROWSDOWN;
	if (line->inode != 0) {
		int fd = open_image_file(thread, line);

		if (fd < 0)
			return fd;
		mapping->backing = BACKING_BLOB;
		r = record_content(rec, fd, mapping, mapping->offset);
		close(fd);
	} else {
		mapping->offset = 0;
	}
	return r < 0 ? r : mapping_insert(&thread->process->space->table, mapping);
}

/* Fills the new space's table from the kernel's: the one moment at which that is the source. */
static int read_image(struct recorder *rec, struct thread *thread, struct maps_line *kernel_pages,
		      size_t *ret_count)
{
	static char text[IMAGE_PATH_BYTES + 128];
	static struct maps_line line;
	char path[64];
	FILE *file;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", thread->tid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	*ret_count = 0;
	while (r == 0 && fgets(text, sizeof(text), file)) {
		r = parse_line(text, &line);
		if (r < 0)
			break;
		if (is_kernel_page(line.path)) {
			if (*ret_count < 4)
				kernel_pages[(*ret_count)++] = line;
			continue;
		}
		r = add_line(rec, thread, &line);
	}
	fclose(file);
	return r;
}

/* The first injected call has no call page yet: it runs from the program's own entry point. */
static int map_call_page(struct thread *thread)
{
	static const uint8_t syscall_bytes[8] = { 0x0f, 0x05, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc };
	struct registers saved = thread->registers;
	uint8_t original[8];
	int64_t result;
	int r;

	if (guest_read(thread, saved.rip, original, sizeof(original)) != sizeof(original))
		return -EFAULT;
	r = guest_write(thread, saved.rip, syscall_bytes, sizeof(syscall_bytes));
	if (r < 0)
		return r;
	r = stop_inject_at(thread, saved.rip,
			   &(struct injection){ SYS_mmap,
						{ CALL_PAGE, CALL_PAGE_BYTES, PROT_READ | PROT_EXEC,
						  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
						  (uint64_t)-1, 0 } },
			   &result);
	if (r < 0)
		return r;
	r = guest_write(thread, saved.rip, original, sizeof(original));
	if (r < 0)
		return r;
	if (result != (int64_t)CALL_PAGE)
		return SWORN_EHOST;
	return guest_write(thread, CALL_PAGE, call_page_bytes(), CALL_PAGE_BYTES);
}

/* Finds the auxiliary vector above argv and the environment; 0 when the stack is not as the ABI says. */
static uint64_t find_auxv(struct thread *thread)
{
	uint64_t at = thread->registers.rsp, word;
	int nulls = 0;

	at += 8; /* argc */
	while (nulls < 2) {
		if (guest_read(thread, at, &word, 8) != 8)
			return 0;
		at += 8;
		nulls += word == 0;
	}
	return at;
}

/* AT_SYSINFO_EHDR disappears with the vDSO; AT_RANDOM comes from the seed, what tells of the processor from its model. */
static int rewrite_auxv(struct recorder *rec, struct thread *thread)
{
	uint64_t at = find_auxv(thread), pair[2];
	uint8_t bytes[16];
	int r = at ? 0 : SWORN_EHOST;

	for (int i = 0; r == 0 && i < AUXV_PAIRS_MAX; i++, at += 16) {
		if (guest_read(thread, at, pair, 16) != 16 || pair[0] == AT_NULL)
			break;
		if (pair[0] == AT_SYSINFO_EHDR) {
			pair[0] = AT_IGNORE;
			pair[1] = 0;
			r = guest_write(thread, at, pair, 16);
		} else if (pair[0] == AT_RANDOM) {
			random_bytes(rec->random, bytes, sizeof(bytes));
			r = guest_write(thread, pair[1], bytes, sizeof(bytes));
		} else if (rec->cpu) {
			pair[1] = cpu_model_auxv(rec->cpu, pair[0], pair[1]);
			r = guest_write(thread, at, pair, 16);
		}
	}
	return r;
}

struct image_capture {
	struct recorder *rec;
	struct thread *thread;
};

static int capture_page(void *context, uint64_t address, const uint8_t *page)
{
	struct image_capture *image = context;
	struct payload payload = { PAYLOAD_IMAGE, DIRECTION_OUT, address, 4096, page };

	return capture_bytes(image->rec, image->thread, &payload);
}

/* Every page of the new image that its mappings alone do not give. */
static int capture_image(struct recorder *rec, struct thread *thread)
{
	struct image_capture context = { rec, thread };
	struct page_source source = {
		.pid = thread->tid,
		.table = &thread->process->space->table,
		.arena = rec->guests.arena,
		.hidden_start = CALL_PAGE,
		.hidden_end = CALL_PAGE + CALL_PAGE_BYTES,
	};

	return page_walk(&source, capture_page, &context);
}

static int prepare_image(struct recorder *rec, struct thread *thread)
{
	static struct maps_line kernel_pages[4];
	struct space *space = thread->process->space;
	size_t count = 0;
	int64_t result;
	int r = read_image(rec, thread, kernel_pages, &count);

	if (r < 0 || (r = map_call_page(thread)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct mapping *m = &kernel_pages[i].mapping;

		r = stop_inject(thread, false, SYS_munmap,
				(uint64_t[6]){ m->start, m->end - m->start }, &result);
	}
	for (size_t i = 0; r == 0 && i < space->table.count; i++)
		r = record_text(rec, thread, &space->table.entries[i], false);
	if (r == 0)
		r = rewrite_auxv(rec, thread);
	if (r == 0)
		r = stop_inject(thread, false, SYS_brk, (uint64_t[6]){ 0 }, &result);
	if (r < 0)
		return r;
	space->brk_start = space->brk = (uint64_t)result;
	return 0;
}

/* The kernel still has to leave execve, and sets rax on the way: only then is the thread's state its own. */
static int leave_execve(struct thread *thread)
{
	int status, r = stop_resume(thread, PTRACE_SYSCALL, 0);

	while (r == 0 && (r = stop_wait(thread, &status)) == -EINTR)
		r = 0;
	if (r < 0)
		return r;
	if (stop_kind(status) != STOP_RETURN) {
		thread->stop_status = status;
		return SWORN_EGONE;
	}
	return stop_get_registers(thread);
}

/* Threads that exec ended without a word of their own. */
static int end_siblings(struct recorder *rec, struct thread *thread)
{
	for (struct thread *t = thread->process->threads, *next; t; t = next) {
		int r;

		next = t->sibling;
		if (t == thread)
			continue;
		t->record->exiting = true;
		r = record_gone(rec, t, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Where the recorder's own code had its arguments is no input: the first payload of argv and of envp are their pointers. */
static void forget_addresses(struct capture *capture)
{
	unsigned int last = 0;

	for (size_t i = 0; i < capture->count; i++) {
		struct captured *item = &capture->items[i];

		item->address = 0;
		if (item->arg != last && (item->arg == 1 || item->arg == 2))
			memset(capture->bytes + item->offset, 0, item->length);
		last = item->arg;
	}
}

int record_exec(struct recorder *rec, struct thread *thread, unsigned long former_tid)
{
	static char program[PATH_BYTES_MAX];
	static uint8_t vector[VECTOR_BYTES_MAX];
	struct process *process = thread->process;
	bool first = process->space->table.count == 0;
	struct event event = record_call_event(thread, EVENT_EXEC);
	struct unit *former = process->unit;
	struct registers before = thread->registers;
	struct memory_left left;
	struct rlimit limit;
	char link[64];
	ssize_t n;
	int r;

	(void)former_tid;
	if (first) {
		/* The first exec was called by the recorder's own code, which replay does not have. */
		event.ip = event.registers_hash = 0;
		memset(event.args, 0, sizeof(event.args));
		forget_addresses(&thread->record->capture);
	}
	r = end_siblings(rec, thread);
	left = record_memory_left(rec, thread);
	if (r == 0 && !first)
		timers_forget(rec, thread->process, true);
	if (r == 0 && !first)
		r = guest_exec(&rec->guests, thread);
	if (r < 0)
		return r;
	r = leave_execve(thread);
	thread->record->in_call = false;
	if (r == 0)
		r = prepare_image(rec, thread);
	if (r == 0)
		r = capture_image(rec, thread);
	if (r == 0)
		r = vector_mark(thread->tid);
	if (r == 0)
		r = vector_get(thread->tid, vector, &event.vector_length);
	if (r == SWORN_EGONE && !first) {
		thread->registers = before;
		guest_exec_lost(&rec->guests, process, former);
		process->checkpointed = true; /* before the exec; what there is now nobody knows */
		thread->record->in_call = true;
	}
	if (r < 0)
		return r;
	snprintf(link, sizeof(link), "/proc/%d/exe", thread->tid);
	n = readlink(link, program, sizeof(program) - 1);
	program[n > 0 ? n : 0] = '\0';
	process->stack_limit = prlimit(thread->tid, RLIMIT_STACK, NULL, &limit) == 0 &&
					       limit.rlim_cur != RLIM_INFINITY
				       ? limit.rlim_cur
				       : UINT64_MAX;
	process->checkpointed = false;
	thread->stand = STAND_BOUNDARY;
	event.exec.unit = process->unit->number;
	event.exec.process = process->pid;
	event.exec.brk = process->space->brk;
	event.exec.stack_limit = process->stack_limit;
	event.exec.path = program;
	event.mappings = process->space->table.entries;
	event.mappings_count = process->space->table.count;
	event.registers = &thread->registers;
	event.vector = vector;
	schedule_resume(thread, PTRACE_CONT, 0);
	r = capture_emit(rec, thread, &event);
	if (r == 0)
		r = record_left_words(rec, thread, &left);
	return r < 0 ? r : record_checkpoint(rec, thread, CHECKPOINT_IMAGE);
}
