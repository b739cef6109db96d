#include <stdlib.h>
#include <string.h>
#include "tally.h"

int table_init(struct table *table, size_t size)
{
	table->entries = calloc(size, sizeof(*table->entries));
	table->used = 0;
	table->size = size;
	return table->entries ? 0 : -1;
}

int table_add(struct table *table, const char *word, size_t length, unsigned long count)
{
	size_t slot = 5381;

	if (length >= sizeof(table->entries->word) || table->used + 1 >= table->size)
		return -1;
	for (size_t i = 0; i < length; i++)
		slot = slot * 33 + (unsigned char)word[i];
	for (slot %= table->size; table->entries[slot].count; slot = (slot + 1) % table->size)
		if (!strncmp(table->entries[slot].word, word, length) &&
		    !table->entries[slot].word[length])
			break;
	if (!table->entries[slot].count) {
		memcpy(table->entries[slot].word, word, length);
		table->used++;
	}
	table->entries[slot].count += count;
	return 0;
}

void table_release(struct table *table)
{
	free(table->entries);
}
