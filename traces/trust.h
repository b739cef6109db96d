/*
 * Whose signatures count: keys, each with its purpose, the tenants it may speak for, and from when until when. They come
 * from a keystore (its own tenants' keys) and from trust files. Nothing is ever added because it was seen.
 * Used by verify, replay and every verb that opens traces. Holds no secrets.
 */
#ifndef SWORN_TRACES_TRUST_H
#define SWORN_TRACES_TRUST_H

#include "keystore.h"
#include "reader.h"

#define TRUST_TENANTS_MAX 16
#define TRUST_FILE_MAX (1u << 20)
#define TRUST_ENTRIES_MAX 16384
#define TRUST_LINE_BYTES 1024

struct trust_entry {
	struct key key; /* public half */
	uint8_t tenants[TRUST_TENANTS_MAX][TENANT_ID_SIZE];
	size_t tenants_count; /* 0: any tenant */
	uint64_t from, until; /* Unix seconds; signed in from <= t < until */
	char name[TENANT_NAME_MAX + 1];
	bool own; /* of the keystore itself */
};

struct trust {
	struct trust_entry *entries; /* owned */
	size_t count, room;
	char reason[KEYSTORE_REASON_BYTES]; /* of the newest failure */
};

/* Adds a copy. 0, SWORN_ELIMIT or -ENOMEM. */
int trust_add(struct trust *trust, const struct trust_entry *entry);
void trust_release(struct trust *trust);

/*
 * Adds the keys of a trust file's text: a key on each line, as docs/FORMAT.md has it. `name` is the file's for messages. 0;
 * SWORN_EKEYSTORE for a line that is no such thing, with `reason`; other errors of trust_add().
 */
int trust_parse(struct trust *trust, const char *name, const char *text, size_t length);
/* Writes the line of an entry, without a newline. */
void trust_format(const struct trust_entry *entry, char ret_line[TRUST_LINE_BYTES]);

/* YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ. 0 or SWORN_EFORMAT. */
int trust_time_parse(const char *text, uint64_t *ret_time);

/*
 * All that this user trusts: the keystore at `keystore` (as keystore_open() takes it) with its trust file, if there is one, and
 * the trust file `file`, if one is named. A default keystore that is not there, or that this user may not read, is empty. 0;
 * SWORN_EKEYSTORE and others, with `reason`. trust_release() in any case.
 */
int trust_load(struct trust *trust, const char *keystore, const char *file);

/* The tenant of that id, or of that name in the keystore ("default" is always there). 0 or -ENOENT. */
int trust_tenant(const struct trust *trust, const char *tenant, uint8_t ret_id[TENANT_ID_SIZE]);

/* The store of that tenant under the keystore at `keystore` (as keystore_open() takes it). 0 or negative. */
int trust_store(const char *keystore, const uint8_t id[TENANT_ID_SIZE], char *ret_path, size_t size);

enum trust_state {
	TRUST_OK,
	TRUST_UNSIGNED,
	TRUST_UNKNOWN, /* no entry has this key */
	TRUST_PURPOSE, /* it is trusted for something else only */
	TRUST_TENANT,  /* for other tenants only */
	TRUST_TIME,    /* at other times only */
};
/* One or two words: "trusted", "unsigned", "unknown key", ... Never NULL. */
const char *trust_state_text(enum trust_state state);

/* What is known of a key that signed something. */
struct judgement {
	enum trust_state state;
	uint8_t kid[DIGEST_BYTES];
	struct trust_entry signer; /* unless UNSIGNED or UNKNOWN */
	char text[256];		   /* a sentence about it, without a full stop */
};

/* Whether a key may sign with that purpose for the tenant at that time; `until` is when it signed last. */
struct trust_claim {
	const uint8_t *kid, *tenant;
	enum key_purpose purpose;
	uint64_t from, until;
};
void trust_judge(const struct trust *trust, const struct trust_claim *claim,
		 struct judgement *ret_judgement);

/*
 * Judges who signed a trace whose check gave `report`. 0, whatever the judgement; SWORN_EINTEGRITY when a known key did not
 * sign these bytes.
 */
int trust_judge_trace(const struct trust *trust, const struct reader *reader,
		      const struct trace_report *report, struct judgement *ret_judgement);

/* What a verb was told to put up with. */
struct trust_allow {
	bool is_unsigned, untrusted, truncated;
	bool repaired; /* a trace that was made of one that was cut off: truncated does not cover it */
};
/*
 * What a check that ended with `error` (0 or SWORN_ETRUNCATED) comes to, given who signed: 0; SWORN_ETRUNCATED, SWORN_EUNSIGNED,
 * SWORN_EUNTRUSTED. *ret_events is how many events may be used: of a trace that is cut, those that are signed,
 * unless what is not signed is allowed too.
 */
int trust_verdict(const struct judgement *judgement, const struct trace_report *report, int error,
		  const struct trust_allow *allow, uint64_t *ret_events);

#endif
