#include "keyverb.h"

#include <errno.h>
#include <stdio.h>

#include "result.h"
#include "../traces/error.h"

int key_usage(const char *verb, const char *problem, const char *detail)
{
	fprintf(stderr, "sworn %s: %s%s; `sworn %s --help` explains\n", verb, problem, detail, verb);
	return VERIFY_USAGE;
}

int key_conclude(const char *verb, int error, const char *reason)
{
	if (error == 0 && fflush(stdout) != 0) {
		fprintf(stderr,
			"sworn %s: the answer could not be written; check the space there\n", verb);
		return VERIFY_UNKNOWN;
	}
	if (error == 0)
		return VERIFY_OK;
	if (reason && *reason)
		fprintf(stderr, "sworn %s: %s\n", verb, reason);
	else
		fprintf(stderr, "sworn %s: %s; check the path and its permissions\n", verb,
			error_text(error));
	switch (error) {
	case -EEXIST: return VERIFY_USAGE;
	case -ENOENT: return VERIFY_NOTHING;
	case SWORN_EKEYSTORE:
	case SWORN_EFORMAT:
	case SWORN_EINTEGRITY:
	case SWORN_EUNSIGNED:
	case SWORN_EUNTRUSTED:
	case SWORN_ETRUNCATED: return VERIFY_INTEGRITY;
	}
	return VERIFY_UNKNOWN;
}
