// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// libunbound, as far as the validators use it: a context on an event loop that answers questions by
// callback. On that loop's thread, without a thread, a process or a log of its own.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

struct event_base;
struct library;
struct sockaddr;

enum library_security { LIBRARY_INSECURE, LIBRARY_BOGUS, LIBRARY_SECURE };

struct library_answer {
	int rcode;          // not 0: the library failed, and there is nothing else
	const uint8_t *msg; // whole message
	size_t len;
	enum library_security security;
	const char *why; // why it is bogus; may be NULL
};
typedef void (*library_answer_fn)(void *arg, const struct library_answer *answer);

// The one name that the library answers by itself (validator_common_write), so that its settings
// can be applied without a query.
#define LIBRARY_OWN_NAME "apply.weir.invalid"

// `config` is text of unbound.conf. -ENOMEM, -errno of a file, -EINVAL: it takes no such settings.
ATTR_MUST_CHECK int library_open(
	struct library **out, struct event_base *base, const char *config, size_t len);
// What a query of the library over UDP met: a datagram that came back, or nothing for
// LIBRARY_SILENT_MS or more, after which the library gave up. From its functions and the loop;
// `fn` calls none of these functions. Its settings say `udp-connect: yes`.
enum { LIBRARY_SILENT_MS = 200 };
typedef void (*library_peer_fn)(void *arg, const struct sockaddr *server, bool came);
void library_watch(struct library *l, library_peer_fn fn, void *arg);
// A query over UDP waits that long at least. libunbound has such a setting, but keeps it for the
// whole process, as the library has it that was made last.
void library_be_patient(struct library *l, unsigned ms);
// Calls back for each question that runs, with an rcode. Not within a callback.
void library_close(struct library *l); // NULL is fine
// Applies the settings, as the first question would: -ENOMEM, -EINVAL of such a file, say.
ATTR_MUST_CHECK int library_apply(struct library *l);
// `done` comes once, perhaps within; not on an error: -ENOMEM, -EBADMSG (no such name), -EINVAL (of
// its settings, such as a file that cannot be read, as the first question shows). `name`: text.
ATTR_MUST_CHECK int library_ask(
	struct library *l, const char *name, uint16_t qtype, library_answer_fn done, void *arg);
// Heap bytes of this context now and at most so far, without what all contexts share. 0 without
// jemalloc.
struct library_memory {
	uint64_t bytes, most;
};
struct library_memory library_memory(const struct library *l); // NULL is fine
