// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Updates fetched lists: fetches, checks, and stores (list_files.h) each. After a
// page that is no list, an empty body or a truncated one the present file stays. Several at a time,
// LIST_UPDATE_THREADS of them. Blocks: for helper threads.

#include "http/bootstrap.h"
#include "list_files.h"
#include "lists/list_parse.h"

// One list by http or https, into a file; one by zone transfer by list_axfr.h, with the same
// bounds.
//
// Every hop is a transfer of its own: the scheme is checked (never from https to http), the host's
// addresses come from bootstrap.h, and the socket is opened only to an address that is public
// (net_public.h) unless private ones are allowed. The check is of the connected address, so a name
// that changes its address between check and use does not bypass it. No proxy, no cookies, no
// .netrc. TLS certificates are verified against the system's authorities.
//
// Bounds: LIST_FETCH_CONNECT_MS to connect, `timeout_ms` for all hops together, `low_speed_s` at
// under 1 KiB/s, `max_bytes` as sent and as unpacked (gzip), `max_redirects`, and the
// body of anything but 200 is thrown away, 64 KiB at most. A body shorter than the server said is
// an error. Blocks: for helper threads; thread-safe. Memory: libcurl's, some 100 KiB.

enum {
	LIST_FETCH_CONNECT_MS = 10000,
	LIST_FETCH_LOW_SPEED_S = 15,
	LIST_FETCH_ETAG_MAX = 256,
	LIST_FETCH_DATE_MAX = 64,
	LIST_FETCH_WHY_MAX = 160,
	LIST_FETCH_AGAIN_MAX_S = 86400, // that a server may keep weir away
};

struct list_fetch_request {
	const char *url;
	const struct config_tsig_key *key; // signs a zone transfer; may be NULL
	const struct config_list_tls *tls; // for a zone transfer over TLS; else NULL
	const char *etag, *last_modified;  // the present copy's; may be ""
	int fd;                            // takes the body from its start
	int copy; // the present copy, open, for a transfer of differences; else -1
	int (*open)(void *arg, int *fd, int *copy);
	void *arg;
	// Takes the body in place of `fd`, from its start after each redirect. False: no more of
	// it.
	bool (*body)(void *arg, const char *bytes, size_t len); // NULL: `fd` does
	uint64_t max_bytes;
	unsigned timeout_ms, low_speed_s, max_redirects;
	bool allow_private;
	unsigned server_count; // for bootstrap.h
	const struct socket_address *servers;
	const _Atomic bool *stop; // stops the fetch when it turns true; may be NULL
};

struct list_fetch_result {
	unsigned http_status;   // the last hop's; 0: there was no reply
	uint64_t retry_after_s; // that a refusal asks for (RFC 9110 10.2.3); 0: nothing
	bool not_modified;
	uint64_t bytes, wire_bytes; // size of the body, unpacked; as sent
	uint64_t changes;           // lines that made the copy this body; 0: it came whole
	char etag[LIST_FETCH_ETAG_MAX], last_modified[LIST_FETCH_DATE_MAX]; // "" where it lacks
	char why[LIST_FETCH_WHY_MAX];                                       // what went wrong
};

// 0: all of it is in the file, or it is not modified. -EFBIG, -ETIMEDOUT, -ECANCELED, -EACCES (a
// refused address), -EKEYREJECTED (TSIG, or TLS of a transfer), -ELOOP, -EPROTO (a bad status,
// redirect or body), -EIO (any other error of the network or the file); `why` never has user,
// password or query of a URL. After an error the contents of the file are undefined.
ATTR_MUST_CHECK int list_fetch(
	const struct list_fetch_request *request, struct list_fetch_result *out);

enum { LIST_UPDATE_THREADS = 4 };

enum list_update_outcome {
	LIST_UPDATE_NONE, // not asked for
	LIST_UPDATE_UNCHANGED,
	LIST_UPDATE_CHANGED,
	LIST_UPDATE_WAITS,  // the primary has no newer copy, and the list's server was not asked
	LIST_UPDATE_FAILED, // the present file stays
};

// What came of a fetch, as it is counted. X(name, text)
#define LIST_FETCHES(X)                                     \
	X(unchanged, "the server had nothing new")          \
	X(differences, "by differences alone, of IXFR")     \
	X(whole, "the whole list")                          \
	X(primary, "the whole list, as the primary has it") \
	X(failed, "the present copy stays")

struct list_fetch_counts {
#define X(name, text) uint64_t name;
	LIST_FETCHES(X)
#undef X
};

struct list_update {
	// Input.
	const char *url;
	struct list_options options;
	const struct config_tsig_key *key; // signs a zone transfer; may be NULL
	const struct config_list_tls *tls; // for a zone transfer over TLS; else NULL
	bool wanted;                       // ask for it
	bool notified;                     // wanted for a NOTIFY alone
	bool force;                        // even if it did not change, and take it if it is empty
	bool primary_alone;                // asks the primary, and no server of the list
	_Atomic uint64_t since_ms;         // when its fetch began; 0 while none runs. Any thread
	enum list_update_outcome outcome;
	unsigned http_status;
	uint64_t retry_after_s;           // see struct list_fetch_result
	uint64_t try_unix_s, good_unix_s; // this attempt; the present file, or 0
	uint64_t bytes;                   // size of a changed list
	uint64_t changes;                 // lines that a difference changed; 0: the list came whole
	bool is_of_primary;               // the primary's copy was taken
	char why[LIST_FETCH_WHY_MAX];
};

struct list_update_options {
	const char *state_directory;
	const struct config_update *update;
	const struct list_primary *primary; // comes before servers of lists; NULL: no primary
	unsigned server_count;              // name servers for the hosts
	const struct socket_address *servers;
	const _Atomic bool *stop;
};

// Fetches the lists that are wanted: from the primary where there is one, unless a list's transfer
// proves its server or the list is forced, or due by a NOTIFY alone. Returns how many changed.
unsigned list_update_all(
	const struct list_update_options *options, struct list_update *list, unsigned count);
