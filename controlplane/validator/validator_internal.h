// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the files of the room share: validator.c (questions, contexts, replies that lead on,
// tables), validator.c (the library's queries, and those that no server answered),
// validator_library.c (libunbound, and the reasons that it gives) and validator_config.c (its
// settings).

#include "base/age_list.h"
#include "base/rng.h"
#include "base/wheel.h"
#include "validator.h"

#include <netinet/in.h>
#include <weir/keyhash.h>

enum {
	VALIDATOR_TOKEN_LEN = 32, // hexadecimal digits
	VALIDATOR_MISSING = 512,  // a registrable domain has as many as are free
	VALIDATOR_PATIENCE_MS = (int)VALIDATOR_FETCH_MS + 500, // the library's, before SERVFAIL
};

struct event;
struct library;

// A name whose DNSKEY or DS no server gave.
struct validator_missing {
	uint64_t text;     // hash of the name as the library writes it
	uint64_t until_ms; // 0: it is there by now
};

struct validator_context {
	struct validators *owner;
	struct library *library; // NULL: a free place
	uint16_t view;
	bool retired, any_date; // any_date: of the settings that it was made with
	uint16_t port;
	int fd; // the library's server
	struct event *readable;
	unsigned questions;
	unsigned led;   // how many of them are led
	unsigned calls; // calls of the library that run: it must not end within
	uint64_t used_ms, retired_ms;
	char token[VALIDATOR_TOKEN_LEN + 1];
	uint64_t missing_until_ms; // from then on all is forgotten
	struct validator_missing missing[VALIDATOR_MISSING];
	uint32_t missing_zone[VALIDATOR_MISSING];
};

struct validation {
	struct validation *next; // free ones
	struct validator_context *context;
	struct validation **slot; // the caller's; NULL: stopped
	validator_done_fn done;
	void *arg;
	uint64_t asked; // hash of name and type; 0: a free one
	bool is_led;    // a reply to it leads on, and was kept from the library
	struct wheel_timer deadline;
	struct age_link age;
};

// A query of the library.
struct validator_fetch {
	struct validator_fetch *next; // free ones
	struct validator_context *context;
	struct upstream_ask ask;
	struct validator_servers servers;
	struct sockaddr_in peer;
	uint16_t id, question_len;
	uint8_t question[UPSTREAM_QUESTION_MAX]; // exactly what came
	struct age_link age;
};

struct validators {
	struct loop *loop;
	struct validator_owner owner;
	struct validator_settings set;
	struct rng rng;
	struct upstream_callbacks callbacks;
	struct validator_context context[VALIDATOR_CONTEXTS];
	struct validation *question, *question_free;
	unsigned question_cap, question_touched, questions_most, contexts_most;
	uint64_t evicted; // contexts
	struct age_list question_ages, fetch_ages;
	struct validator_fetch *fetch_free;
	unsigned fetch_touched, fetches_most;
	struct keyhash_secret secret;
	uint32_t zone[VALIDATOR_FETCHES]; // the zone of each fetch; 0: it is free
	struct validators_status count;
	struct validator_fetch fetch[VALIDATOR_FETCHES];
};

// validator_config.c: text of unbound.conf in *out, which the caller frees even on an error.
// -ENOMEM.
ATTR_MUST_CHECK int validator_config_write(const struct validator_settings *s, uint16_t port,
	const char token[VALIDATOR_TOKEN_LEN + 1], char **out, size_t *len);
// validator_library.c: enum dns_ede of what the library says; NULL: it says nothing.
int validator_reason_ede(const char *why);
// The reason without the question, and without this room's socket.
void validator_reason_text(const char *why, char out[VALIDATOR_WHY_MAX]);
