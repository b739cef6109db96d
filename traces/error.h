/*
 * The error contract of every library function: 0 or a count on success, a negative number on
 * failure. Kernel failures are -errno; Sworn's own are the SWORN_E* values below, all under -4096 so
 * that the two never meet. Only cmd_*.c files print. Depends on nothing.
 */
#ifndef SWORN_TRACES_ERROR_H
#define SWORN_TRACES_ERROR_H

enum sworn_error {
	SWORN_EFORMAT = -5001,	  /* bytes that the format does not allow */
	SWORN_EINTEGRITY = -5002, /* a hash, link, count or seal does not match its bytes */
	SWORN_ETRUNCATED = -5003, /* the trace ends before its seal */
	SWORN_EVERSION = -5004,	  /* a newer format or table than this build reads */
	SWORN_ELIMIT = -5005,	  /* a size or count from outside is over its named limit */
	SWORN_EBLOB = -5006,	  /* a blob that the trace names is missing or has other bytes */
	SWORN_EDIVERGED = -5007,  /* replay did what the trace does not say */
	SWORN_EREFUSED = -5008, /* a payload, address or call that its row or the domain does not allow */
	SWORN_EHOST = -5009,	 /* this host lacks what the operation needs */
	SWORN_ENEEDSPMU = -5010, /* only a hardware counter could go on from here */
	SWORN_EGONE = -5011,	 /* the guest thread died while it was being handled */
	SWORN_ENOTRACE = -5012,	 /* no such trace in the store */
	SWORN_EDEADLOCK = -5013, /* every guest waits for another and nothing can wake one */
	SWORN_EOLDTABLE = -5014, /* replay of a trace with an older syscall table did not come out */
	SWORN_EPOINTER = -5015,	 /* a Git LFS pointer stands where the trace should be */
	SWORN_EALGORITHM = -5016, /* signed with something other than Ed25519 */
	SWORN_EUNSIGNED = -5017, /* a trace, or the part of it that is wanted, that nobody signed */
	SWORN_EUNTRUSTED = -5018, /* signed by a key that is not trusted for that tenant at that time */
	SWORN_EKEYSTORE = -5019, /* a keystore or trust file that must not be used as it is */
	SWORN_ETENANT = -5020,	 /* a store of another tenant */
};

/*
 * One sentence in English without a full stop for any negative result of this library: strerror's
 * text for -errno values, ours for SWORN_E*. Never NULL; static storage.
 */
const char *error_text(int error);

#endif
