#include "error.h"

#include <string.h>

static const struct {
	int error;
	const char *text;
} texts[] = {
	{ SWORN_EFORMAT, "the bytes are not what the trace format allows" },
	{ SWORN_EINTEGRITY, "a hash, link, count or seal does not match its bytes" },
	{ SWORN_ETRUNCATED, "the trace ends before its seal" },
	{ SWORN_EVERSION, "the trace needs a newer format or table than this build reads" },
	{ SWORN_ELIMIT, "a size or count is over its limit" },
	{ SWORN_EBLOB, "a blob that the trace names is missing or has other bytes" },
	{ SWORN_EDIVERGED, "the replay did what the trace does not say" },
	{ SWORN_EREFUSED, "a payload, address or call is not allowed here" },
	{ SWORN_EHOST, "this host lacks what the operation needs" },
	{ SWORN_ENEEDSPMU, "only a hardware counter could go on from here" },
	{ SWORN_EGONE, "the guest thread died while it was being handled" },
	{ SWORN_ENOTRACE, "there is no such trace in the store" },
	{ SWORN_EDEADLOCK, "every guest waits for another and nothing can wake one" },
	{ SWORN_EOLDTABLE, "the trace is of an older call table, and some calls mean other bytes by now" },
	{ SWORN_EPOINTER, "this is a Git LFS pointer, not the trace itself" },
	{ SWORN_EALGORITHM, "it is signed with an algorithm other than Ed25519, which is not supported" },
	{ SWORN_EUNSIGNED, "nobody signed it" },
	{ SWORN_EUNTRUSTED, "the key that signed it is not trusted for it" },
	{ SWORN_EKEYSTORE, "the keystore cannot be used as it is" },
	{ SWORN_ETENANT, "it holds the traces of another tenant" },
};

const char *error_text(int error)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].error == error)
			return texts[i].text;
	const char *text = error < 0 && error >= -4095 ? strerrordesc_np(-error) : NULL;
	return text ? text : "an unknown error happened";
}
