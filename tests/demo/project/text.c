#include <stdlib.h>
#include <string.h>
#include "tally.h"

static uint32_t draw(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

char *text_make(size_t words, uint32_t seed)
{
	static const char *const syllables[] = { "ka", "lo", "mi", "tu", "re", "so", "ne", "va" };
	char *text = malloc(words * 7 + 1);
	char *end = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < words; i++) {
		unsigned int parts = 1 + draw(&seed) % 3;

		while (parts--) {
			memcpy(end, syllables[draw(&seed) % 8], 2);
			end += 2;
		}
		*end++ = i % 12 == 11 ? '\n' : ' ';
	}
	*end = '\0';
	return text;
}
