// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An event as JSON, for readers of the control API and for webhooks.

#include "base/json_out.h"
#include "events.h"

void event_json(struct json_out *o, struct json_node *n, const struct event_record *e);
