// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What recursor.c (life, settings, questions) and recursor_config.c share.

#include "base/age_list.h"
#include "recursor.h"

#include <netinet/in.h>
#include <stddef.h>
#include <weir/dns_name.h>
#include <weir/keyhash.h>

enum {
	RECURSOR_QUESTION_LEN = DNS_NAME_MAX + 4,
	RECURSOR_CHAINS = 256, // chains by the port that asks
};

struct event;
struct library;

struct recursion {
	struct recursion *next; // the next one in its chain, or the next free one
	struct recursor *owner;
	bool is_old; // runs in `old`
	struct sockaddr_in peer;
	uint16_t id, flags, question_len;
	uint8_t question[RECURSOR_QUESTION_LEN]; // exactly what came
	struct age_link age;
};

struct recursor {
	struct loop *loop;
	char *text;    // the library's settings; NULL: off
	uint64_t hash; // the settings' hash
	enum recursion_ip ip;
	struct recursor_paths paths;
	unsigned off;        // versions of IP that `library` does without: a bit for each
	uint64_t renewed_ms; // the last try to make one with others
	struct hops_range range[HOPS_RANGES_MAX];
	struct library *library; // NULL: off
	bool is_empty;           // it had no question yet
	bool forgets;            // the next beat that can empties its caches
	struct library *old;     // from before a flush, for the questions that ran; may be NULL
	unsigned old_questions;
	uint64_t old_until_ms; // then a flush may end it with its questions
	int fd;
	struct socket_address address;
	struct event *readable;
	struct recursion *question, *free, *chain[RECURSOR_CHAINS];
	struct keyhash_secret secret;
	uint32_t *zone; // the zone of each question; 0: it is free
	unsigned cap, touched, most;
	struct age_list ages;
	struct recursor_status count;
};

// recursor_config.c: text of unbound.conf in *out, which the caller frees even on an error.
// -ENOMEM.
ATTR_MUST_CHECK int recursor_config_write(
	const struct recursor_settings *s, unsigned questions, char **out);
