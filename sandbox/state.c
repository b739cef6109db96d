#include "state.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "../traces/error.h"

#define PAGE_BYTES 4096ULL
#define STATE_VERSION 1
#define FLAG_TRAP 0x100ULL
#define FLAG_RESUME 0x10000ULL

struct hasher {
	enum page_hash kind;
	XXH3_state_t *fast;
	XXH3_state_t *part; /* of one part of the state, for its tag */
	EVP_MD *sha;
	EVP_MD_CTX *outer, *page;
	struct page_tags *tags; /* NULL: none wanted */
	bool in_part;		/* what is fed belongs to a part with a tag of its own */
	uint64_t pages_count;
	bool failed;
};

static void hasher_release(struct hasher *hasher)
{
	XXH3_freeState(hasher->fast);
	XXH3_freeState(hasher->part);
	EVP_MD_CTX_free(hasher->outer);
	EVP_MD_CTX_free(hasher->page);
	EVP_MD_free(hasher->sha);
}

static int hasher_init(struct hasher *hasher, enum page_hash kind, struct page_tags *tags)
{
	*hasher = (struct hasher){
		.kind = kind, .tags = tags, .in_part = tags, .part = XXH3_createState()
	};
	if (!hasher->part || XXH3_64bits_reset(hasher->part) != XXH_OK) {
		hasher_release(hasher);
		return -ENOMEM;
	}
	if (kind == PAGE_XXH3) {
		hasher->fast = XXH3_createState();
		if (hasher->fast && XXH3_128bits_reset(hasher->fast) == XXH_OK)
			return 0;
	} else {
		hasher->sha = EVP_MD_fetch(NULL, "SHA256", NULL);
		hasher->outer = EVP_MD_CTX_new();
		hasher->page = EVP_MD_CTX_new();
		if (hasher->sha && hasher->outer && hasher->page &&
		    EVP_DigestInit_ex2(hasher->outer, hasher->sha, NULL))
			return 0;
	}
	hasher_release(hasher);
	return -ENOMEM;
}

static void feed(struct hasher *hasher, const void *bytes, size_t length)
{
	if (length == 0)
		return;
	if (hasher->in_part)
		hasher->failed |= XXH3_64bits_update(hasher->part, bytes, length) != XXH_OK;
	if (hasher->kind == PAGE_XXH3)
		hasher->failed |= XXH3_128bits_update(hasher->fast, bytes, length) != XXH_OK;
	else
		hasher->failed |= !EVP_DigestUpdate(hasher->outer, bytes, length);
}

static void feed_word(struct hasher *hasher, uint64_t word)
{
	feed(hasher, &word, sizeof(word));
}

/* What was fed since the last tag is one part of the state. */
static int end_part(struct hasher *hasher, uint64_t part)
{
	uint64_t tag;

	if (!hasher->tags || part >= PAGE_BYTES)
		return 0;
	tag = XXH3_64bits_digest(hasher->part);
	hasher->failed |= XXH3_64bits_reset(hasher->part) != XXH_OK;
	return tags_add(hasher->tags, part, tag);
}

static void feed_thread(struct hasher *hasher, const struct state_thread *thread)
{
	struct registers registers;

	feed_word(hasher, thread->thread);
	feed_word(hasher, thread->registers != NULL);
	if (!thread->registers)
		return;
	registers = *thread->registers;
	registers.orig_rax = 0;
	registers.eflags &= ~(FLAG_TRAP | FLAG_RESUME);
	feed(hasher, &registers, sizeof(registers));
	feed_word(hasher, thread->signal_mask);
	feed_word(hasher, thread->vector_length);
	feed(hasher, thread->vector, thread->vector_length);
}

static void feed_mapping(struct hasher *hasher, const struct mapping *mapping, uint64_t start,
			 uint64_t end)
{
	uint64_t skipped = mapping->backing == BACKING_ANON ? 0 : start - mapping->start;
	const uint64_t words[] = {
		page_grows_down(mapping) && start == mapping->start ? 0 : start,
		end,
		mapping->prot,
		mapping->flags,
		mapping->backing,
		mapping->offset + skipped,
		mapping->length,
		mapping->object,
	};

	feed(hasher, words, sizeof(words));
	feed(hasher, mapping->digest, DIGEST_BYTES);
}

/* Every entry but for what lies in the hidden range, which may or may not be in the table. */
static void feed_table(struct hasher *hasher, const struct page_source *input)
{
	uint64_t hidden_start = input->hidden_start, hidden_end = input->hidden_end;

	for (size_t i = 0; i < input->table->count; i++) {
		const struct mapping *mapping = &input->table->entries[i];

		if (hidden_start >= hidden_end || hidden_end <= mapping->start ||
		    hidden_start >= mapping->end) {
			feed_mapping(hasher, mapping, mapping->start, mapping->end);
			continue;
		}
		if (mapping->start < hidden_start)
			feed_mapping(hasher, mapping, mapping->start, hidden_start);
		if (hidden_end < mapping->end)
			feed_mapping(hasher, mapping, hidden_end, mapping->end);
	}
	feed_word(hasher, UINT64_MAX);
}

static void feed_digest(struct hasher *hasher, uint64_t address, const uint8_t digest[DIGEST_BYTES])
{
	uint8_t bytes[sizeof(address) + DIGEST_BYTES];

	memcpy(bytes, &address, sizeof(address));
	memcpy(bytes + sizeof(address), digest, DIGEST_BYTES);
	feed(hasher, bytes, sizeof(bytes));
	hasher->pages_count++;
}

static int feed_known(void *context, const struct known_page *page)
{
	struct hasher *hasher = context;
	uint8_t digest[DIGEST_BYTES] = { 0 };

	memcpy(digest, page->hash, sizeof(page->hash));
	feed_digest(hasher, page->address, digest);
	return hasher->tags ? tags_add(hasher->tags, page->address, page->tag) : 0;
}

static int feed_page(void *context, uint64_t address, const uint8_t *page)
{
	struct hasher *hasher = context;
	uint8_t digest[DIGEST_BYTES];

	if (hasher->kind == PAGE_XXH3) {
		const struct known_page known = known_make(address, page, hasher->tags);

		return feed_known(hasher, &known);
	}
	if (!EVP_DigestInit_ex2(hasher->page, hasher->sha, NULL) ||
	    !EVP_DigestUpdate(hasher->page, page, PAGE_BYTES) ||
	    !EVP_DigestFinal_ex(hasher->page, digest, NULL))
		return -ENOMEM;
	feed_digest(hasher, address, digest);
	return hasher->tags ? tags_add(hasher->tags, address, tag_page(page)) : 0;
}

static int feed_pages(struct hasher *hasher, const struct state_input *input)
{
	if (!input->dirty || hasher->kind != PAGE_XXH3)
		return page_walk(&input->source, feed_page, hasher);
	dirty_begin(input->dirty, hasher->tags);
	return page_walk_known(&input->source, input->dirty, feed_known, hasher);
}

static int feed_all(struct hasher *hasher, const struct state_input *input)
{
	static const char label[16] = "sworn state";
	int r = 0;

	feed(hasher, label, sizeof(label));
	feed_word(hasher, STATE_VERSION);
	feed_word(hasher, input->threads_count);
	feed_word(hasher, input->brk);
	feed_word(hasher, input->signals_length);
	feed(hasher, input->signals, input->signals_length);
	r = end_part(hasher, TAG_SIGNALS);
	feed_word(hasher, input->with_memory);
	if (r == 0 && input->with_memory) {
		feed_table(hasher, &input->source);
		r = end_part(hasher, TAG_MAPPINGS);
	}
	for (size_t i = 0; r == 0 && i < input->threads_count; i++) {
		feed_thread(hasher, &input->threads[i]);
		r = end_part(hasher, TAG_THREADS + i);
	}
	hasher->in_part = false;
	if (r == 0 && input->with_memory)
		r = feed_pages(hasher, input);
	feed_word(hasher, UINT64_MAX);
	feed_word(hasher, hasher->pages_count);
	return r;
}

int state_hash(const struct state_input *input, enum page_hash pages, struct page_tags *tags,
	       uint8_t ret_hash[DIGEST_BYTES])
{
	uint8_t digest[DIGEST_BYTES] = { 0 };
	struct hasher hasher;
	int r = hasher_init(&hasher, pages, tags);

	if (r < 0)
		return r;
	r = feed_all(&hasher, input);
	if (pages == PAGE_XXH3)
		XXH128_canonicalFromHash((XXH128_canonical_t *)digest, XXH3_128bits_digest(hasher.fast));
	else
		hasher.failed |= !EVP_DigestFinal_ex(hasher.outer, digest, NULL);
	if (r == 0 && hasher.failed)
		r = -ENOMEM;
	hasher_release(&hasher);
	if (r == 0)
		memcpy(ret_hash, digest, sizeof(digest));
	return r;
}
