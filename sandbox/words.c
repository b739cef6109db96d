#include "words.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define WORDS_ADDRESS 0x10000000UL

static size_t text_bytes(const char *text)
{
	return (strlen(text) + sizeof(char *)) & ~(sizeof(char *) - 1);
}

static size_t vector_bytes(char *const *vector)
{
	size_t bytes = sizeof(char *);

	for (; *vector; vector++)
		bytes += sizeof(char *) + text_bytes(*vector);
	return bytes;
}

static char *take(struct words *words, size_t bytes)
{
	char *at = words->at;

	assert(bytes <= words->left);
	words->at += bytes;
	words->left -= bytes;
	return at;
}

int words_reserve(const char *path, char *const *argv, char *const *environment, struct words *ret)
{
	size_t bytes = text_bytes(path) + vector_bytes(argv) + vector_bytes(environment);
	void *at = mmap((void *)WORDS_ADDRESS, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	*ret = (struct words){ .at = at, .left = bytes };
	return 0;
}

const char *words_text(struct words *words, const char *text)
{
	return strcpy(take(words, text_bytes(text)), text);
}

char *const *words_vector(struct words *words, char *const *vector)
{
	size_t count = 0;
	char **copy;

	while (vector[count])
		count++;
	copy = (char **)(uintptr_t)take(words, (count + 1) * sizeof(char *));
	for (size_t i = 0; i < count; i++)
		copy[i] = strcpy(take(words, text_bytes(vector[i])), vector[i]);
	copy[count] = NULL;
	return copy;
}
