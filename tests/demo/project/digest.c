#include "tally.h"

uint64_t digest_text(const char *text)
{
	uint64_t digest = 14695981039346656037u;

	while (*text) {
		digest ^= (unsigned char)*text++;
		digest *= 1099511628211u;
	}
	return digest;
}
