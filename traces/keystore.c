#include "keystore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blob.h"
#include "digest.h"
#include "error.h"
#include "passphrase.h"

#define SUFFIX ".tenant"
#define NAME_BYTES (2 * TENANT_ID_SIZE + sizeof(SUFFIX))
#define TENANTS_MAX 4096

__attribute__((format(printf, 3, 4))) static int fail(struct keystore *keystore, int error,
						      const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(keystore->reason, sizeof(keystore->reason), format, arguments);
	va_end(arguments);
	return error;
}

static int choose_path(struct keystore *keystore, const char *path)
{
	const char *named = path ? path : getenv("SWORN_KEYSTORE");
	int n = 0, r = 0;
	keystore->named = named && *named;
	if (keystore->named)
		n = snprintf(keystore->path, sizeof(keystore->path), "%s", named);
	else
		r = home_path("keys", keystore->path, sizeof(keystore->path));
	if (r == -ENOENT)
		return fail(keystore, r,
			    "there is no place for a keystore: neither HOME nor XDG_DATA_HOME is "
			    "an absolute path; set one, or name a place with SWORN_KEYSTORE");
	while (r == 0 && n > 1 && keystore->path[n - 1] == '/')
		keystore->path[--n] = '\0';
	if (r == 0)
		n = snprintf(keystore->root, sizeof(keystore->root), "%s.root", keystore->path);
	if (r < 0 || (size_t)n >= sizeof(keystore->root))
		return fail(keystore, -ENAMETOOLONG,
			    "the keystore's path is too long; name a shorter one with "
			    "SWORN_KEYSTORE");
	return 0;
}

/* Only the owner may have any right, and it has to be us. */
static int check_rights(struct keystore *keystore, int fd, const char *path)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return fail(keystore, -errno, "%s: %s", path, error_text(-errno));
	bool is_directory = S_ISDIR(status.st_mode);
	if (!is_directory && !S_ISREG(status.st_mode))
		return fail(keystore, SWORN_EKEYSTORE,
			    "%s is neither a file nor a directory; move it away", path);
	if (status.st_uid != geteuid())
		return fail(keystore, SWORN_EKEYSTORE,
			    "%s belongs to user %u, not to %u; name a keystore of your own with SWORN_KEYSTORE, or "
			    "type: chown %u '%s'",
			    path, status.st_uid, geteuid(), geteuid(), path);
	if (status.st_mode & 077)
		return fail(keystore, SWORN_EKEYSTORE,
			    "%s has mode %04o, so others may use its keys; type: chmod %s '%s'",
			    path, status.st_mode & 07777, is_directory ? "700" : "600", path);
	return 0;
}

int keystore_open(struct keystore *keystore, const char *path, bool create)
{
	memset(keystore, 0, sizeof(*keystore));
	keystore->fd = -1;
	if (sodium_init() < 0)
		return fail(keystore, -ENOMEM, "libsodium cannot be used: no random numbers");
	int r = choose_path(keystore, path);
	if (r == 0 && create)
		r = home_make(keystore->path);
	if (r < 0 && keystore->reason[0])
		return r;
	if (r == 0)
		keystore->fd = open(keystore->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && keystore->fd < 0)
		r = -errno;
	if (r < 0)
		return fail(keystore, r,
			    "the keystore %s cannot be %s: %s; name another place with SWORN_KEYSTORE",
			    keystore->path, create ? "made" : "opened", error_text(r));
	return check_rights(keystore, keystore->fd, keystore->path);
}

void keystore_close(struct keystore *keystore)
{
	if (keystore->fd >= 0)
		close(keystore->fd);
	keystore->fd = -1;
}

int keystore_stores(const struct keystore *keystore, char *ret_path, size_t size)
{
	if (!keystore->named)
		return home_path("tenants", ret_path, size);
	int n = snprintf(ret_path, size, "%s.tenants", keystore->path);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int keystore_store(const struct keystore *keystore, const uint8_t id[TENANT_ID_SIZE],
		   char *ret_path, size_t size)
{
	static const uint8_t zeros[TENANT_ID_SIZE];
	char hex[2 * TENANT_ID_SIZE + 1];
	if (!memcmp(id, zeros, TENANT_ID_SIZE))
		return home_path("store", ret_path, size);
	int r = keystore_stores(keystore, ret_path, size);
	size_t length = r < 0 ? 0 : strlen(ret_path);
	hex_encode(id, TENANT_ID_SIZE, hex);
	if (r == 0 && length + sizeof(hex) + 1 > size)
		r = -ENAMETOOLONG;
	if (r == 0)
		sprintf(ret_path + length, "/%s", hex);
	return r;
}

static int read_whole(struct keystore *keystore, int fd, const char *path, size_t max,
		      struct buffer *ret_content)
{
	struct stat status;
	int r = check_rights(keystore, fd, path);
	if (r < 0)
		return r;
	if (fstat(fd, &status) < 0 || (uint64_t)status.st_size > max)
		return fail(keystore, SWORN_EKEYSTORE,
			    "%s is larger than any file of a keystore; move it away", path);
	if ((r = buffer_reserve(ret_content, (size_t)status.st_size + 1)) < 0)
		return r;
	ssize_t n = pread(fd, ret_content->bytes, (size_t)status.st_size, 0);
	if (n != status.st_size)
		return fail(keystore, n < 0 ? -errno : -EIO, "%s cannot be read: %s", path,
			    error_text(n < 0 ? -errno : -EIO));
	ret_content->length = (size_t)n;
	return 0;
}

int keystore_read(struct keystore *keystore, const char *name, size_t max, struct buffer *ret_content)
{
	char path[HOME_PATH_MAX + NAME_MAX + 2];
	snprintf(path, sizeof(path), "%s/%s", keystore->path, name);
	int fd = openat(keystore->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0)
		return fail(keystore, -errno, "%s cannot be opened: %s", path, error_text(-errno));
	int r = read_whole(keystore, fd, path, max, ret_content);
	close(fd);
	return r;
}

/* Gives the temporary file its name, without taking one from another file. */
static int publish(int at, const char *temporary, const char *name, bool replace)
{
	if (replace)
		return renameat(at, temporary, at, name) < 0 ? -errno : 0;
	if (linkat(at, temporary, at, name, 0) < 0) {
		if (errno == EEXIST)
			return -EEXIST;
		/* File systems without hard links. */
		return renameat2(at, temporary, at, name, RENAME_NOREPLACE) < 0 ? -errno : 0;
	}
	return 0;
}

static int write_new(int at, const char *name, const struct buffer *content, bool replace)
{
	char temporary[NAME_MAX + 1];
	uint64_t number;
	randombytes_buf(&number, sizeof(number));
	snprintf(temporary, sizeof(temporary), ".new.%016llx", (unsigned long long)number);
	int fd = openat(at, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int r = write_all(fd, content->bytes, content->length);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	close(fd);
	if (r == 0)
		r = publish(at, temporary, name, replace);
	unlinkat(at, temporary, 0);
	if (r == 0 && fsync(at) < 0)
		r = -errno;
	return r;
}

int keystore_write(struct keystore *keystore, const char *name, const struct buffer *content, bool replace)
{
	int r = write_new(keystore->fd, name, content, replace);
	if (r == -EEXIST)
		return r;
	return r < 0 ? fail(keystore, r,
			    "%s/%s cannot be written: %s; check the space and permissions there",
			    keystore->path, name, error_text(r))
		     : 0;
}

static int read_root(struct keystore *keystore, uint8_t *wrapping)
{
	struct stat status;
	int fd = open(keystore->root, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	int r = check_rights(keystore, fd, keystore->root);
	if (r == 0 && (fstat(fd, &status) < 0 || status.st_size != KEY_BYTES ||
		       pread(fd, wrapping, KEY_BYTES, 0) != KEY_BYTES))
		r = fail(keystore, SWORN_EKEYSTORE,
			 "%s is not a keyfile of %d bytes; restore it from a backup",
			 keystore->root, KEY_BYTES);
	close(fd);
	return r;
}

/* Two may do this at once: the one that comes second reads what the first made. */
static int make_root(struct keystore *keystore)
{
	char parent[HOME_PATH_MAX];
	struct buffer content = { .bytes = secret_new(KEY_BYTES), .length = KEY_BYTES };
	const char *slash = strrchr(keystore->root, '/');
	const char *name = slash ? slash + 1 : keystore->root;
	snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - keystore->root) + 1 : 1,
		 slash ? keystore->root : ".");
	int at = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = !content.bytes ? -ENOMEM : at < 0 ? -errno : 0;
	if (r == 0) {
		randombytes_buf(content.bytes, KEY_BYTES);
		r = write_new(at, name, &content, false);
	}
	if (at >= 0)
		close(at);
	secret_free(content.bytes);
	return r == -EEXIST ? 0 : r;
}

static int load_root(struct keystore *keystore, bool create, uint8_t *wrapping)
{
	int r = read_root(keystore, wrapping);
	if (r == -ENOENT && create) {
		r = make_root(keystore);
		if (r == 0)
			r = read_root(keystore, wrapping);
	}
	if (r < 0 && !keystore->reason[0])
		fail(keystore, r, "the keyfile %s cannot be %s: %s; %s", keystore->root,
		     create ? "made" : "read", error_text(r),
		     create ? "name another keystore with SWORN_KEYSTORE" : "restore it from a backup");
	return r < 0 && !create ? SWORN_EKEYSTORE : r;
}

static int derive(struct keystore *keystore, const struct wrap *wrap, const char *file, uint8_t *wrapping)
{
	char prompt[HOME_PATH_MAX + 32], *text = (char *)secret_new(PASSPHRASE_BYTES);
	snprintf(prompt, sizeof(prompt), "Passphrase of %s: ", keystore->path);
	int r = text ? passphrase_read(file, prompt, text) : -ENOMEM;
	if (r == -ENOTTY)
		fail(keystore, r,
		     "%s needs a passphrase and there is no terminal to ask on; name a file that holds "
		     "it with --passphrase-file or SWORN_PASSPHRASE_FILE",
		     keystore->path);
	else if (r < 0)
		fail(keystore, r, "the passphrase cannot be read: %s; check %s", error_text(r),
		     file ? file : "SWORN_PASSPHRASE_FILE");
	if (r == 0)
		r = wrap_derive(wrap, text, wrapping);
	if (r < 0 && !keystore->reason[0])
		fail(keystore, r, "the key of the passphrase cannot be computed: %s; free memory",
		     error_text(r));
	secret_free((uint8_t *)text);
	return r < 0 ? SWORN_EKEYSTORE : 0;
}

/* The 32 bytes that wrap a file's secrets, in guarded memory; NULL and *ret_error without them. */
static uint8_t *wrapping_key(struct keystore *keystore, const struct wrap *wrap, const char *file,
			     bool create, int *ret_error)
{
	uint8_t *wrapping = secret_new(KEY_BYTES);
	int r = -ENOMEM;
	keystore->reason[0] = '\0';
	if (wrapping)
		r = wrap->kind == WRAP_PASSPHRASE ? derive(keystore, wrap, file, wrapping)
						  : load_root(keystore, create, wrapping);
	*ret_error = r;
	if (r == 0)
		return wrapping;
	secret_free(wrapping);
	return NULL;
}

static int unlock(struct keystore *keystore, struct tenant_file *file, const char *passphrase_file,
		  const char *path)
{
	int r;
	uint8_t *wrapping = wrapping_key(keystore, &file->wrap, passphrase_file, false, &r);
	if (!wrapping)
		return r;
	r = tenant_open(file, wrapping);
	secret_free(wrapping);
	if (r == SWORN_EKEYSTORE)
		fail(keystore, r,
		     file->wrap.kind == WRAP_PASSPHRASE
			     ? "%s: wrong passphrase, or the file was changed; try again, or restore it"
			     : "%s was changed, or made with another keyfile; restore it and its keyfile",
		     path);
	return r;
}

int keystore_unlock(struct keystore *keystore, struct tenant_file *file, const char *passphrase_file)
{
	return unlock(keystore, file, passphrase_file, keystore->path);
}

static int read_tenant(struct keystore *keystore, const char *name, struct tenant_file *ret_file)
{
	char id[2 * TENANT_ID_SIZE + 1];
	struct buffer content = { 0 };
	int r = keystore_read(keystore, name, TENANT_FILE_MAX, &content);
	if (r == 0) {
		r = tenant_decode(content.bytes, content.length, ret_file);
		hex_encode(ret_file->tenant.id, TENANT_ID_SIZE, id);
		if (r == 0 && strncmp(id, name, sizeof(id) - 1))
			r = SWORN_EFORMAT;
		if (r < 0)
			r = fail(keystore, r == SWORN_EVERSION ? r : SWORN_EKEYSTORE,
				 "%s/%s is %s; %s", keystore->path, name,
				 r == SWORN_EVERSION ? "of a newer version" : "damaged",
				 r == SWORN_EVERSION ? "use a newer sworn" : "restore it from a backup");
	}
	buffer_release(&content);
	return r;
}

static int is_tenant(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);
	return length == NAME_BYTES - 1 && !strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX);
}

int keystore_each(struct keystore *keystore,
		  int (*each)(void *context, const struct tenant_file *file), void *context)
{
	struct tenant_file *file = malloc(sizeof(*file));
	struct dirent **entries;
	int count = file ? scandirat(keystore->fd, ".", &entries, is_tenant, alphasort) : -1;
	int r = 0;
	if (count < 0) {
		free(file);
		return fail(keystore, -ENOMEM, "%s cannot be listed: %s", keystore->path,
			    error_text(-errno));
	}
	for (int i = 0; i < count; i++) {
		if (r == 0 && i >= TENANTS_MAX)
			r = fail(keystore, SWORN_ELIMIT,
				 "%s has more than %d tenants; use several keystores",
				 keystore->path, TENANTS_MAX);
		if (r == 0)
			r = read_tenant(keystore, entries[i]->d_name, file);
		if (r == 0)
			r = each(context, file);
		free(entries[i]);
	}
	free(entries);
	free(file);
	return r;
}

struct search {
	const char *name;
	struct tenant_file *found;
	bool done;
};

static int match_name(void *context, const struct tenant_file *file)
{
	struct search *search = context;
	if (strcmp(file->tenant.name, search->name) != 0)
		return 0;
	*search->found = *file;
	search->done = true;
	return 1;
}

static void file_name(const uint8_t id[TENANT_ID_SIZE], char ret_name[NAME_BYTES])
{
	hex_encode(id, TENANT_ID_SIZE, ret_name);
	strcat(ret_name, SUFFIX);
}

int keystore_find(struct keystore *keystore, const char *tenant, struct tenant_file *ret_file)
{
	uint8_t id[TENANT_ID_SIZE] = { 0 };
	char name[NAME_BYTES];
	int r;
	if (!tenant || tenant_id_parse(tenant, id) == 0) {
		file_name(id, name);
		r = read_tenant(keystore, name, ret_file);
	} else {
		struct search search = { .name = tenant, .found = ret_file };
		r = keystore_each(keystore, match_name, &search);
		r = r < 0 ? r : search.done ? 0 : -ENOENT;
	}
	if (r == -ENOENT)
		fail(keystore, r,
		     "%s has no tenant %s; `sworn tenant list` shows those there are, `sworn tenant "
		     "create` makes one",
		     keystore->path, tenant ? tenant : "default");
	return r;
}

int keystore_add(struct keystore *keystore, const struct tenant *tenant,
		 const struct keystore_wrap *options)
{
	char name[NAME_BYTES];
	struct tenant_file *there = malloc(sizeof(*there));
	struct search search = { .name = tenant->name, .found = there };
	struct wrap wrap = { .kind = WRAP_KEYFILE };
	struct buffer content = { 0 };
	/* Names are looked for in all files, so two may not do this at once. */
	flock(keystore->fd, LOCK_EX);
	int r = there ? keystore_each(keystore, match_name, &search) : -ENOMEM;
	free(there);
	if (r != 0) {
		flock(keystore->fd, LOCK_UN);
		return r < 0 ? r : -EEXIST;
	}
	if (options->passphrase)
		wrap_passphrase(&wrap);
	uint8_t *wrapping = wrapping_key(keystore, &wrap, options->passphrase_file, true, &r);
	file_name(tenant->id, name);
	if (wrapping)
		r = tenant_encode(tenant, &wrap, wrapping, &content);
	secret_free(wrapping);
	if (r == 0)
		r = keystore_write(keystore, name, &content, false);
	flock(keystore->fd, LOCK_UN);
	buffer_release(&content);
	return r;
}

int keystore_default(struct keystore *keystore, const char *passphrase_file, struct tenant_file *ret_file)
{
	static const uint8_t id[TENANT_ID_SIZE];
	struct keystore_wrap wrap = { .passphrase = false };
	struct tenant tenant;
	int r = keystore_find(keystore, NULL, ret_file);
	if (r == -ENOENT) {
		r = tenant_generate(id, "default", &tenant);
		if (r == 0)
			r = keystore_add(keystore, &tenant, &wrap);
		tenant_erase(&tenant);
		/* Another one was first: its keys are the ones. */
		if (r == 0 || r == -EEXIST)
			r = keystore_find(keystore, NULL, ret_file);
	}
	return r < 0 ? r : keystore_unlock(keystore, ret_file, passphrase_file);
}

int keystore_export(struct keystore *keystore, const struct tenant *tenant,
		    const char *passphrase_file, struct buffer *ret_buffer)
{
	struct wrap wrap;
	int r;
	wrap_passphrase(&wrap);
	uint8_t *wrapping = wrapping_key(keystore, &wrap, passphrase_file, false, &r);
	if (!wrapping)
		return r;
	r = tenant_encode(tenant, &wrap, wrapping, ret_buffer);
	secret_free(wrapping);
	return r;
}

int keystore_import(struct keystore *keystore, const uint8_t *bytes, size_t length,
		    const char *passphrase_file, struct tenant_file *ret_file)
{
	int r = tenant_decode(bytes, length, ret_file);
	if (r == 0 && ret_file->wrap.kind != WRAP_PASSPHRASE)
		r = SWORN_EFORMAT;
	if (r < 0)
		return fail(keystore, r,
			    "it is no exported key: %s; make one with sworn key export --secret",
			    error_text(r));
	return unlock(keystore, ret_file, passphrase_file, "the exported key");
}
