// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Keys of session tickets: the one that new tickets are made with, and those that are still good.
//
// They change with the period of TLS_TICKET_PERIOD_S that the clock is in. Random ones: one of the
// present period, one of the last. From secrets: of each secret the keys of the present period, the
// last and the next one, which a box whose clock is ahead has begun; the first secret makes
// tickets, the others only take them, so an operator can put a new secret in front. Shared and
// counted; a lock is held for a copy, and once a period to make keys. No wait, no memory after the
// start.

#include "tls_server.h"

enum { TLS_TICKET_NAME_LEN = 16, TLS_TICKET_KEY_LEN = 32 };

struct tls_ticket_key {
	uint8_t name[TLS_TICKET_NAME_LEN]; // each ticket has it in clear text
	uint8_t cipher[TLS_TICKET_KEY_LEN], mac[TLS_TICKET_KEY_LEN];
};

// `count` 0: random keys, those of `before` (may be NULL) if these are random. -ENOMEM.
ATTR_MUST_CHECK int tls_tickets_new(struct tls_tickets **out,
	const uint8_t (*secret)[TLS_SECRET_LEN], unsigned count, struct tls_tickets *before);
void tls_tickets_free(struct tls_tickets *t); // NULL is fine; the last one that held it frees it

void tls_tickets_now(struct tls_tickets *t, struct tls_ticket_key *out); // for new tickets
enum tls_ticket { TLS_TICKET_UNKNOWN, TLS_TICKET_GOOD, TLS_TICKET_OLD };
// OLD: good, and the client should have a new one.
enum tls_ticket tls_tickets_find(
	struct tls_tickets *t, const uint8_t name[TLS_TICKET_NAME_LEN], struct tls_ticket_key *out);
