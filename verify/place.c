#include "place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../traces/array.h"
#include "../traces/event.h"

#define DEPTH_MAX PATH_BYTES_MAX
#define NAME_BYTES_MAX 255U

int places_init(struct places *places, struct pool *pool)
{
	*places = (struct places){ .pool = pool, .buckets_count = 256 };
	places->buckets = calloc(places->buckets_count, sizeof(*places->buckets));
	places->places = array_grow(NULL, 0, &places->capacity, sizeof(*places->places));
	if (!places->buckets || !places->places) {
		places_release(places);
		return -ENOMEM;
	}
	places->places[places->count++] = (struct place){ .name = "" };
	return 0;
}

void places_release(struct places *places)
{
	free(places->places);
	free(places->buckets);
	*places = (struct places){ 0 };
}

struct place *place_at(const struct places *places, uint32_t number)
{
	return number > 0 && number <= places->count ? &places->places[number - 1] : NULL;
}

/* Names are of the pool, so one name is one pointer. */
static uint32_t *bucket(const struct places *places, uint32_t parent, const char *name)
{
	uint64_t hash = ((uintptr_t)name ^ (uint64_t)parent << 32) * 0x9e3779b97f4a7c15ULL;
	return &places->buckets[(hash >> 32) & (places->buckets_count - 1)];
}

static void enter(struct places *places, uint32_t number)
{
	struct place *place = place_at(places, number);
	uint32_t *head = bucket(places, place->parent, place->name);
	place->next = *head;
	*head = number;
}

static void leave(struct places *places, uint32_t number)
{
	struct place *place = place_at(places, number);
	uint32_t *at = bucket(places, place->parent, place->name);
	while (*at && *at != number)
		at = &place_at(places, *at)->next;
	if (*at)
		*at = place->next;
	place->parent = 0;
}

static int more_buckets(struct places *places)
{
	size_t count = 2 * places->buckets_count;
	uint32_t *buckets = calloc(count, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(places->buckets);
	places->buckets = buckets;
	places->buckets_count = count;
	for (uint32_t i = 1; i <= places->count; i++)
		if (place_at(places, i)->parent)
			enter(places, i);
	return 0;
}

static uint32_t child(struct places *places, uint32_t parent, const char *text, size_t length)
{
	const char *name = pool_keep(places->pool, text, length);
	struct place *grown;
	if (!name)
		return 0;
	for (uint32_t at = *bucket(places, parent, name); at; at = place_at(places, at)->next)
		if (place_at(places, at)->parent == parent && place_at(places, at)->name == name)
			return at;
	if (places->count >= UINT32_MAX ||
	    (places->count >= places->buckets_count && more_buckets(places) < 0))
		return 0;
	grown = array_grow(places->places, places->count, &places->capacity, sizeof(*grown));
	if (!grown)
		return 0;
	places->places = grown;
	grown[places->count++] = (struct place){ .parent = parent, .name = name };
	enter(places, (uint32_t)places->count);
	return (uint32_t)places->count;
}

uint32_t place_walk(struct places *places, uint32_t root, uint32_t from, const char *path)
{
	uint32_t at = *path == '/' ? root : from;
	while (at) {
		path += strspn(path, "/");
		size_t length = strcspn(path, "/");
		if (length == 0)
			return at;
		if (length > NAME_BYTES_MAX)
			return 0;
		if (length == 2 && path[0] == '.' && path[1] == '.') {
			uint32_t parent = place_at(places, at)->parent;
			at = at == root || !parent ? at : parent;
		} else if (length != 1 || path[0] != '.') {
			at = child(places, at, path, length);
		}
		path += length;
	}
	return 0;
}

static bool is_above(const struct places *places, uint32_t upper, uint32_t lower)
{
	for (unsigned int depth = 0; lower && depth < DEPTH_MAX; depth++) {
		if (lower == upper)
			return true;
		lower = place_at(places, lower)->parent;
	}
	return lower != 0;
}

int place_move(struct places *places, uint32_t from, uint32_t to)
{
	struct place *moved = place_at(places, from), *target = place_at(places, to);
	if (!moved || !target || !moved->parent || !target->parent || from == to ||
	    is_above(places, from, to) || is_above(places, to, from))
		return -EINVAL;
	uint32_t parent = target->parent;
	leave(places, to);
	leave(places, from);
	moved->parent = parent;
	moved->name = target->name;
	enter(places, from);
	return 0;
}

int place_swap(struct places *places, uint32_t a, uint32_t b)
{
	struct place *first = place_at(places, a), *second = place_at(places, b), old;
	if (!first || !second || !first->parent || !second->parent || a == b ||
	    is_above(places, a, b) || is_above(places, b, a))
		return -EINVAL;
	old = *first;
	const struct place other = *second;
	leave(places, a);
	leave(places, b);
	first->parent = other.parent;
	first->name = other.name;
	second->parent = old.parent;
	second->name = old.name;
	enter(places, a);
	enter(places, b);
	return 0;
}

size_t place_path(const struct places *places, uint32_t number, char *ret_path, size_t size)
{
	const struct place *place = place_at(places, number);
	size_t start = size - 1, length;
	ret_path[start] = '\0';
	for (unsigned int depth = 0; place && place->parent && depth < DEPTH_MAX; depth++) {
		size_t name = strlen(place->name);
		if (name + 1 > start)
			break;
		start -= name + 1;
		ret_path[start] = '/';
		memcpy(ret_path + start + 1, place->name, name);
		place = place_at(places, place->parent);
	}
	length = size - 1 - start;
	if (length == 0 && size > 1)
		ret_path[--start] = '/', length = 1;
	memmove(ret_path, ret_path + start, length + 1);
	return length;
}
