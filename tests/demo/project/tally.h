/* A small program to build and run: counts the words of a generated text, with two threads. */
#ifndef TALLY_H
#define TALLY_H

#include <stddef.h>
#include <stdint.h>

struct entry {
	char word[16];
	unsigned long count;
};

struct table {
	struct entry *entries;
	size_t used, size;
};

char *text_make(size_t words, uint32_t seed);

int table_init(struct table *table, size_t size);
int table_add(struct table *table, const char *word, size_t length, unsigned long count);
void table_release(struct table *table);

void sort_entries(struct entry *entries, size_t count);

uint64_t digest_text(const char *text);

void report_print(const struct table *table, uint64_t digest);

#endif
