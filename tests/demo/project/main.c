#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tally.h"

#define THREADS 2
#define WORDS 100000

struct part {
	const char *start, *end;
	struct table *table;
	pthread_mutex_t *lock;
	int failed;
};

static void *count_part(void *argument)
{
	struct part *part = argument;
	const char *word = part->start;

	for (const char *at = part->start; at < part->end; at++) {
		if (*at != ' ' && *at != '\n')
			continue;
		pthread_mutex_lock(part->lock);
		part->failed |= table_add(part->table, word, (size_t)(at - word), 1);
		pthread_mutex_unlock(part->lock);
		word = at + 1;
	}
	return NULL;
}

int main(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct part parts[THREADS];
	pthread_t threads[THREADS];
	struct table table;
	char *text = text_make(WORDS, 42);
	const char *start = text;
	int failed = 0;

	if (!text || table_init(&table, 4096))
		return 1;
	for (int i = 0; i < THREADS; i++) {
		const char *end = text + strlen(text) / THREADS * (size_t)(i + 1);

		end = i == THREADS - 1 ? text + strlen(text) : strchr(end, ' ') + 1;
		parts[i] = (struct part){ start, end, &table, &lock, 0 };
		start = end;
		if (pthread_create(&threads[i], NULL, count_part, &parts[i]))
			return 1;
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		failed |= parts[i].failed;
	}
	size_t used = 0;
	for (size_t i = 0; i < table.size; i++)
		if (table.entries[i].count)
			table.entries[used++] = table.entries[i];
	sort_entries(table.entries, used);
	report_print(&table, digest_text(text));
	table_release(&table);
	free(text);
	return failed ? 1 : 0;
}
