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
// Everything from verb_begin to verb_apply happens in one turn of the service loop, so that no
// other change comes between. Verbs never edit items of the operator's own files: verb_is_of_file
// names the place.

#include "api/api_param.h"
#include "api/api_server.h"

#include <weir/config/managed.h>

struct verb {
	struct api *api;
	struct http_exchange *exchange;
	struct config_managed *managed; // the managed part, for edits
	char *shared;                   // the shared part's new text, malloced; NULL: unchanged
	struct json_out *reply;         // has "ok"; the verb adds the rest
	const char *why;                // the parameter `why`, checked; NULL: not given
	bool is_kept;                   // no health watch begins, and a running one ends as held
	// Called in place of the reply once the change is in force; ends the verb. May be NULL.
	void (*applied)(struct verb *v);
	char path[64]; // path of the request, which may be gone when the apply ends
};

// Entries that have ended are gone from the model. NULL: replied with an error, as where another
// version is in force than the parameter `if_version` names.
struct verb *verb_begin(struct api *a, struct http_exchange *x);
struct json_node *verb_root(struct verb *v);
// Replies with an error, and ends the verb.
void verb_refuse(struct verb *v, unsigned status, const char *fmt, ...) ATTR_PRINTF(3, 4);
// Replies with 400 and an error of the configuration, without its place in the managed part.
void verb_refuse_config(struct verb *v, const char *why);
// Does the edited part have the text that is in force?
bool verb_is_so(const struct verb *v);
// Sends `reply`, and ends the verb: nothing changes.
void verb_done(struct verb *v);
// Replies with "unchanged", as all is already as the request wants it, and ends the verb.
void verb_unchanged(struct verb *v);
// verb_unchanged for the removal of an item that is not there; "note" names the item.
void verb_absent(struct verb *v, const char *fmt, ...) ATTR_PRINTF(2, 3);
// Replies that a change of the model failed (no memory, too many items), and ends the verb.
void verb_fail(struct verb *v, int err);
// Is the item in a file that verbs do not edit? Then replies with `what`, which describes the item,
// its place, and `advice`, and ends the verb.
ATTR_MUST_CHECK bool verb_is_of_file(
	struct verb *v, const struct config_item *item, const char *what, const char *advice);
// Applies the edited part, replies, and ends the verb. The text goes into the history, cut with
// "..." where it is too long, so the most important words come first. The reply has "warning" if
// the change is in force except for a part (a list whose file cannot be read).
void verb_apply(struct verb *v, const char *fmt, ...) ATTR_PRINTF(2, 3);
// Checks the edited part as verb_apply does, replies, and ends the verb: nothing changes.
void verb_try(struct verb *v);

// A copy of the managed part, for config_managed_free(). A reply that says for each item whether a
// verb can remove it tries that on the copy. NULL: nothing can be edited.
struct config_managed *verb_managed(const struct api *a);
// Replies with the document, which it frees; with status 500 where `rc` is not 0.
void verb_reply(struct http_exchange *x, struct json_out *o, int rc);
int64_t verb_now(void); // seconds of the wall clock, by which entries end
const struct config *verb_config(const struct verb *v); // the configuration in force
// Does the group exist? Else replies and ends the verb. `group` NULL is fine.
ATTR_MUST_CHECK bool verb_group_check(struct verb *v, const char *group);
