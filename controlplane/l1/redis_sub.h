// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A subscription to one channel over a connection of its own, made again with back-off when it
// breaks, is silent for 25 s (it is pinged each 10 s), or when `where` names another server.
// on_gap follows each confirmed subscription, the first one too: what came before was not heard.

#include "redis_internal.h"

// s->on_message, on_gap and arg are set. `where` false: nowhere at present, asked again.
void redis_sub_start(struct redis_sub *s, struct redis *r, const char *channel,
	bool (*where)(void *arg, struct redis_login *out), void *where_arg);
