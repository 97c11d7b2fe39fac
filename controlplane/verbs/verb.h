// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The frame of a verb: a request that edits the managed part of the configuration
// (weir/config/managed.h), and replies when the result is in force.
//
//   struct verb *v = verb_begin(api, exchange);  // NULL: replied
//   err = config_managed_...(v->managed, ...);
//   json_out_text(v->reply, verb_root(v), ...);
//   verb_apply(v, "list add ads");               // owns v; or verb_refuse(v, 409, ...)
//
// All from verb_begin to verb_apply happens in one turn of the service loop, so that no other
// change comes between. What the operator's own files have is never edited: verb_refuse_file names
// the place.

#include "api/api_param.h"
#include "api/api_server.h"

#include <weir/config/managed.h>

struct verb {
	struct api *api;
	struct http_exchange *exchange;
	struct config_managed *managed; // to be edited
	struct json_out *reply;         // "ok" and what else the verb adds
	const char *why;                // the parameter `why`, checked; NULL: none
	char path[64];                  // of the request, which may be over when the apply ends
};

// Entries that have ended are gone from the model. NULL: it has been replied to.
struct verb *verb_begin(struct api *a, struct http_exchange *x);
struct json_node *verb_root(struct verb *v);
// Replies with an error, and ends the verb.
void verb_refuse(struct verb *v, unsigned status, const char *fmt, ...) ATTR_PRINTF(3, 4);
// Of a change of the model that failed: no memory, too many items. Ends the verb.
void verb_fail(struct verb *v, int err);
// Is the item in a file that verbs do not edit? Then replies with its place behind `what`, which
// says what stands there, and with `advice`, and ends the verb.
ATTR_MUST_CHECK bool verb_is_of_file(
	struct verb *v, const struct config_item *item, const char *what, const char *advice);
// Applies the edited part as `what`, which stands in the history (cut with "..." where it is too
// long, so what matters most comes first), and replies. The reply has
// "warning" if the change is in force except for a part (a list whose file cannot be read). Ends
// the verb.
void verb_apply(struct verb *v, const char *fmt, ...) ATTR_PRINTF(2, 3);

// A copy of the managed part, for a reply that says of each item whether a verb can remove it: can
// it of the copy? For config_managed_free(). NULL: nothing can be edited.
struct config_managed *verb_managed(const struct api *a);
int64_t verb_now(void); // by the machine's clock, in seconds, as entries end
const struct config *verb_config(const struct verb *v); // in force
// Is there such a group? Else replies and ends the verb. NULL: no group, which is fine.
ATTR_MUST_CHECK bool verb_group_check(struct verb *v, const char *group);
