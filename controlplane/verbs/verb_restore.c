// SPDX-License-Identifier: BSD-3-Clause
// POST /config/restore: the managed part of a backup, in place of the one in force.
//
// A request has at most HTTP_BODY_MAX bytes of body, and a managed part CONFIG_MANAGED_MAX. So a
// longer text comes in several requests, each with the bytes before it (`at`) and those of all
// (`of`): no client without the role of an admin makes weir keep one. weir keeps the parts of one
// text, and gives them up after RESTORE_MS. The reply to the first part has an `id`, which later
// parts carry, so that two windows of one user do not mix their texts: the text that began last
// goes on. With `version` in the first part the text is refused once another version of the
// configuration is in force, because the user has not seen what it would take back.

#include "access/access_text.h"
#include "base/loop.h"
#include "tls/tls_crypto.h"
#include "verb.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { RESTORE_MS = 60000, ID_LEN = 16 };
static_assert(2 * ID_LEN + 1 == RESTORE_ID_MAX);

static void parts_drop(struct api_restore *r)
{
	if (r->text)
		explicit_bzero(r->text, r->of);
	FREE_AND_NULL(r->text);
	r->len = r->of = 0;
	(void)event_del(r->end);
}

static void on_end(evutil_socket_t, short, void *arg)
{
	parts_drop(arg);
}

// Does this part follow those that are here, or begin a text? Else replies.
static bool part_check(struct api_restore *r, struct http_exchange *x, unsigned at, unsigned of)
{
	const size_t len = http_body_len(x);
	const char *id = http_param(x, "id");
	const bool is_busy = r->text && strcmp(r->who, http_who(x)) != 0;
	r->refused += is_busy;
	if (len == 0)
		api_refuse(x, 400, "the body is empty: send the managed part of a backup, as YAML");
	else if (is_busy)
		api_refuse(x, 503, "%s sends a restore: try again in a minute", r->who);
	else if (at && (!r->text || !id || strcmp(id, r->id) != 0))
		api_refuse(x, 409,
			"id: must be that of the reply to the first part, unless another restore "
			"has begun since: send all parts again");
	else if (at && (at != r->len || of != r->of))
		api_refuse(x, 409, "the part does not follow: send all parts again");
	else if (len > of - at)
		api_refuse(x, 400, "of: is less than the bytes of this part and those before");
	else
		return true;
	return false;
}

static bool id_make(char out[RESTORE_ID_MAX])
{
	uint8_t id[ID_LEN];
	const bool made = tls_secret_make(id, sizeof(id));
	access_hex_write(id, sizeof(id), out);
	return made;
}

// `version`: that of the first part; 0: the part names no version.
static bool part_add(
	struct api_restore *r, struct http_exchange *x, unsigned at, unsigned of, unsigned version)
{
	const struct timeval life = {.tv_sec = RESTORE_MS / 1000};
	if (!at) {
		parts_drop(r);
		r->text = heap_malloc((size_t)of + 1);
		if (!r->text || !id_make(r->id) || event_add(r->end, &life) < 0) {
			parts_drop(r);
			http_reply(x, 500, NULL);
			return false;
		}
		r->of = of;
		r->version = version;
		r->since_ms = clock_mono_ms();
		snprintf(r->who, sizeof(r->who), "%s", http_who(x));
	}
	const size_t len = http_body_len(x);
	http_body_move(x, r->text + r->len);
	r->len += (unsigned)len;
	return true;
}

// The first line with a mask in place of a secret: three asterisks. 0: no line has.
static unsigned mask_line(const char *text)
{
	unsigned line = 1;
	while (*text) {
		const size_t stars = strspn(text, "*");
		if (stars == 3)
			return line;
		line += *text == '\n';
		text += stars ? stars : 1;
	}
	return 0;
}

// Why the text is no managed part that verbs could have made. Makes its model otherwise.
static int text_read(
	const char *text, size_t len, struct config_managed **out, char why[CONFIG_WHY_MAX])
{
	const unsigned masked = mask_line(text);
	if (strlen(text) < len)
		snprintf(why, CONFIG_WHY_MAX, "the body has a zero byte");
	else if (masked)
		snprintf(why, CONFIG_WHY_MAX,
			"line %u has ***, which a backup has in place of a secret: first write the "
			"secret there",
			masked);
	if (strlen(text) < len || masked)
		return -EINVAL;
	const int err = config_managed_parse(text, out, why);
	const char *other = err < 0 ? NULL : config_managed_other(*out);
	if (!other)
		return err;
	snprintf(why, CONFIG_WHY_MAX,
		"%s: no command and no button makes this key; set it in a file of the "
		"configuration",
		other);
	return -EINVAL;
}

static void restore(struct api *a, struct http_exchange *x, const char *text, size_t len)
{
	struct config_managed *m = NULL;
	char why[CONFIG_WHY_MAX];
	struct verb *v = verb_begin(a, x);
	if (!v)
		return;
	const int err = text_read(text, len, &m, why);
	if (err == -EINVAL || err == -EFBIG) {
		verb_refuse(v, 400, "%s", why);
	} else if (err < 0) {
		verb_fail(v, err);
	} else {
		struct config_managed *before = v->managed;
		v->managed = m;
		m = before;
		(void)config_managed_entries_end(v->managed, verb_now());
		if (verb_is_so(v))
			verb_unchanged(v);
		else
			verb_apply(v, "config restore");
	}
	config_managed_free(m);
}

// Puts the managed part of a backup in force.
static void serve_restore(struct api *a, struct http_exchange *x)
{
	struct api_restore *r = &a->restore;
	unsigned at = 0, of = (unsigned)http_body_len(x), version = 0;
	if ((http_param(x, "at") && !api_param_number(x, "at", CONFIG_MANAGED_MAX, &at))
		|| (http_param(x, "of") && !api_param_number(x, "of", CONFIG_MANAGED_MAX, &of))
		|| (http_param(x, "version")
			&& !api_param_number(x, "version", INT32_MAX, &version))
		|| !part_check(r, x, at, of) || !part_add(r, x, at, of, version))
		return;
	if (r->len < r->of) {
		struct json_out *o = json_out_new();
		json_out_bool(o, json_out_root(o), "ok", true);
		json_out_count(o, json_out_root(o), "bytes", r->len);
		json_out_text(o, json_out_root(o), "id", r->id);
		http_reply(x, 200, json_out_finish(o));
		return;
	}
	r->text[r->len] = '\0';
	if (api_version_is(a, x, "version", r->version))
		restore(a, x, r->text, r->len);
	parts_drop(r);
}

static int restore_open(struct api *a)
{
	a->restore.end = evtimer_new(loop_base(a->deps.service), on_end, &a->restore);
	return a->restore.end ? 0 : -ENOMEM;
}

static void restore_close(struct api *a)
{
	if (!a->restore.end)
		return;
	parts_drop(&a->restore);
	event_free(a->restore.end);
	a->restore.end = NULL;
}

static void restore_tables(struct api *a, struct table_registry *tables)
{
	const struct api_restore *r = &a->restore;
	table_register(
		tables, &(struct table_info){.name = "verb_restore",
				.owner = "control API",
				.eviction = "refuse; its sender begins again",
				.lifetime = "until the last part, or 60 s",
				TABLE_WORK_FOR(RESTORE_MS),
				.cap = 1,
				.used = r->text != NULL,
				.bytes = r->of,
				.refused = r->refused,
				.oldest_ms = r->text ? table_age(r->since_ms, clock_mono_ms()) : 0,
				.has = TABLE_AGES | TABLE_REFUSES});
}

const struct api_part api_restore_part = {
	.endpoint = {{"/config/restore", serve_restore, API_POST, CONTROL_ADMIN,
		"at of id version why"}},
	.tables = restore_tables,
	.open = restore_open,
	.close = restore_close,
};
