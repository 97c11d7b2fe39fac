// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What zipf_load knows of each name, and its judgement of every reply. A name is hot when the
// distribution alone makes it so, by its expected rate; warm from a tenth of that on.
//
// A client of a name that was answered before is late when the reply is stale (EDE says so, or the
// data is older than its TTL), or when it was missed: the reply's data was made after the question
// was sent, and the copy known before that one had run out when the reply came. Was it still good,
// the name was renewed while the question lay in some queue (`overtaken`, no miss).
//
// Beside that runs a cache without refresh-ahead: what the same questions would have cost a cache
// that keeps each answer for its TTL, with the same upstream.

#include "zipf_names.h"
#include "zipf_reply.h"

#include <stddef.h>

enum zipf_heat { ZIPF_HOT, ZIPF_WARM, ZIPF_COLD, ZIPF_HEATS };

struct zipf_name {
	uint32_t filled_ms;         // when the first answer came
	uint32_t serial, ends_ms;   // of the newest answer
	uint32_t before_ms;         // ends_ms of the one before
	uint32_t ready_ms, over_ms; // of the cache without refresh-ahead
	uint8_t heat;
	bool filled, in_model;
};

struct zipf_tally {
	uint64_t names, filled, sent, answers;
	uint64_t first_waits; // the first fill, and who waited for it as well
	uint64_t missed, stale, overtaken;
	uint64_t servfail, unanswered;
	uint64_t model_misses, model_late; // late: after the first fill
};

struct zipf_books {
	struct zipf_ttl ttl;
	uint32_t names, delay_ms;
	struct zipf_name *name;
	double *below; // share of the traffic of names up to this one
	uint64_t seed;
	struct zipf_tally tally[ZIPF_HEATS];
	uint64_t wrong, model_upstream;
	uint32_t lines; // about late replies, on standard error
};

struct zipf_question {
	uint32_t number, sent_ms;
};

// False: no memory. The names' rates are those of Zipf(1.0) at `rate` questions a second.
bool zipf_books_open(struct zipf_books *b, uint32_t rate, uint32_t hot_per_minute);
uint32_t zipf_books_draw(struct zipf_books *b); // the next name to ask for
void zipf_books_sent(struct zipf_books *b, const struct zipf_question *q);
void zipf_books_reply(struct zipf_books *b, const struct zipf_question *q,
	enum zipf_verdict verdict, const struct zipf_reply *r, uint32_t now_ms);
void zipf_books_unanswered(struct zipf_books *b, const struct zipf_question *q);
// A JSON object on standard output.
void zipf_books_print(const struct zipf_books *b);
