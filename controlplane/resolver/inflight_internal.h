// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// struct inflight, which inflight.c (questions and waiters) and inflight_report.c share.

#include "inflight.h"

#define NIL UINT32_MAX

enum { SHARE_BITS = 14 };

struct inflight {
	struct question *question;
	struct waiter *waiter;
	struct kept_queries *kept;
	uint32_t *bucket;
	uint32_t bucket_mask;
	struct inflight_limits limit; // live settings
	struct exempt exempt;
	uint32_t question_cap, question_touched, question_free, questions, questions_max;
	uint32_t waiter_cap, waiter_touched, waiter_free, waiters, waiters_max;
	struct age_list ages; // of questions
	struct inflight_refused refused;
	struct inflight_let_in let_in;
	struct keyhash_secret secret;
	// Sketches of questions by zone, suffixes included, and of waiters by client.
	uint32_t zones[2 << SHARE_BITS], clients[2 << SHARE_BITS];
	uint32_t subnets[2 << SHARE_BITS]; // questions that have one, by their key without it
};
