#include <stdio.h>
#include "tally.h"

void report_print(const struct table *table, uint64_t digest)
{
	size_t shown = table->used < 5 ? table->used : 5;

	printf("%zu different words, text %016llx\n", table->used, (unsigned long long)digest);
	for (size_t i = 0; i < shown; i++)
		printf("%8lu %s\n", table->entries[i].count, table->entries[i].word);
}
