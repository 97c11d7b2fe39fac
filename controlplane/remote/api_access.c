// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of tokens and of the audit log.

#include "api/api_param.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/heap_site.h>

enum {
	ACCESS_DEFER_MS = 5000,
	EXPIRES_MAX_S = 3650 * 86400,
	AUDIT_LIMIT_USUAL = 50,
};

static void token_out(struct json_out *o, struct json_node *n, const struct token *k)
{
	const char *state = k->is_revoked                           ? "revoked"
			    : token_is_over(k, (int64_t)time(NULL)) ? "expired"
								    : "valid";
	json_out_text(o, n, "name", k->name);
	json_out_text(o, n, "role", control_role_names[k->role]);
	json_out_text(o, n, "state", state);
	json_out_signed(o, n, "created_unix_s", k->created_unix_s);
	json_out_signed(o, n, "expires_unix_s", k->expires_unix_s);
	json_out_signed(o, n, "used_unix_s", k->used_unix_s);
}

static void serve_tokens(struct api *a, struct http_exchange *x)
{
	struct json_out *o = json_out_new();
	struct json_node *list = json_out_array(o, json_out_root(o), "tokens");
	for (unsigned i = 0; i < a->access->tokens.count; i++)
		token_out(o, json_out_object(o, list, NULL), &a->access->tokens.token[i]);
	http_reply(x, 200, json_out_finish(o));
}

struct token_call {
	struct access_change change; // first
	struct api *api;
	struct http_exchange *exchange;
	char name[TOKEN_NAME_MAX + 1];
};

static const struct token *token_of(const struct tokens *t, const char *name)
{
	for (unsigned i = 0; i < t->count; i++)
		if (strcmp(t->token[i].name, name) == 0)
			return &t->token[i];
	return NULL;
}

// The only copy of the token's text in a reply, which is wiped once it has left.
static void token_reply(struct token_call *c, char *about)
{
	static const char key[] = ",\"token\":\"";
	const size_t len = about ? strlen(about) : 0, room = len + sizeof(key) + TOKEN_TEXT_LEN + 2;
	char *body = len ? heap_malloc(room) : NULL;
	if (body)
		snprintf(body, room, "%.*s%s%s\"}", (int)len - 1, about, key, c->change.text);
	heap_free(about);
	http_reply_secret(c->exchange, 200, body);
}

static void on_begins(struct access_job *j)
{
	const struct token_call *c = (const struct token_call *)j;
	api_audit_begin(c->api, c->exchange);
}

// The API may be closed by now. The exchange's deadline may be over, too, which undoes no change.
static void on_changed(struct access_job *j)
{
	struct token_call *c = (struct token_call *)j;
	if (http_is_served(c->exchange)) {
		access_change_end(&c->change);
		api_control_streams_look(c->api);
	}
	const struct token *k = token_of(&c->change.next, c->name);
	if (j->err < 0 || !k) {
		api_refuse(c->exchange, 500, "%s", j->why);
	} else {
		struct json_out *o = json_out_new();
		token_out(o, json_out_root(o), k);
		if (c->change.text[0])
			token_reply(c, json_out_finish(o));
		else
			http_reply(c->exchange, 200, json_out_finish(o));
	}
	explicit_bzero(c, sizeof(*c));
	heap_free(c);
}

static void change_refuse(struct http_exchange *x, int err, const char *name)
{
	switch (err) {
	case -EEXIST:
		api_refuse(x, 409, "a token \"%s\" is valid already: revoke it first", name);
		break;
	case -ENOENT:
		api_refuse(x, 404, "no valid token \"%s\": see weirctl token list", name);
		break;
	case -ENOSPC:
		api_refuse(x, 409, "%d tokens are valid, more are not possible: revoke one",
			TOKENS_MAX);
		break;
	case -EUCLEAN:
		api_refuse(x, 409,
			"the file of tokens is damaged: move it away and restart the "
			"control plane");
		break;
	case -EBUSY:
		api_refuse(x, 503, "another change of tokens is on its way: try again");
		break;
	default:
		api_refuse(x, 500, "%s", strerror(-err));
	}
}

// The parameter `name`. NULL: refused.
static const char *name_take(struct http_exchange *x)
{
	const char *name = http_param(x, "name");
	if (name && token_name_is_good(name))
		return name;
	api_refuse(x, 400, "name: takes 1 to %d letters, digits, \"-\", \"_\" and \".\"",
		TOKEN_NAME_MAX);
	return NULL;
}

static struct token_call *call_new(struct api *a, struct http_exchange *x, const char *name)
{
	struct token_call *c = heap_calloc(1, sizeof(*c));
	if (!c) {
		http_reply(x, 500, NULL);
		return NULL;
	}
	c->api = a;
	c->exchange = x;
	c->change.job.done = on_changed;
	c->change.job.begins = on_begins;
	snprintf(c->name, sizeof(c->name), "%s", name);
	return c;
}

static void call_begun(struct token_call *c, int rc)
{
	if (rc == 0) {
		http_defer(c->exchange, ACCESS_DEFER_MS);
		return;
	}
	change_refuse(c->exchange, rc, c->name);
	explicit_bzero(c, sizeof(*c));
	heap_free(c);
}

static void serve_token_create(struct api *a, struct http_exchange *x)
{
	struct token wanted = {.role = control_role_find(http_param(x, "role"))};
	unsigned expires_s = 0;
	const char *name = name_take(x);
	if (!name)
		return;
	if (wanted.role == CONTROL_NONE) {
		api_refuse(x, 400, "role: takes read, operate or admin");
		return;
	}
	if (http_param(x, "expires") && !api_param_number(x, "expires", EXPIRES_MAX_S, &expires_s))
		return;
	struct token_call *c = call_new(a, x, name);
	if (!c)
		return;
	memcpy(wanted.name, c->name, sizeof(wanted.name));
	wanted.expires_unix_s = expires_s ? (int64_t)time(NULL) + expires_s : 0;
	call_begun(c, access_token_make(a->access, &c->change, &wanted));
}

static void serve_token_revoke(struct api *a, struct http_exchange *x)
{
	const char *name = name_take(x);
	struct token_call *c = name ? call_new(a, x, name) : NULL;
	if (!c)
		return;
	call_begun(c, access_token_revoke(a->access, &c->change, name));
}

struct audit_call {
	struct access_job job; // first
	struct http_exchange *exchange;
	unsigned limit;
	char path[PATH_MAX];
	char *text;
};

static void audit_work(struct access_job *j)
{
	struct audit_call *c = (struct audit_call *)j;
	j->err = audit_read(c->path, c->limit, &c->text);
}

static void on_audit_read(struct access_job *j)
{
	struct audit_call *c = (struct audit_call *)j;
	char *reply = NULL;
	if (j->err < 0)
		api_refuse(c->exchange, 500, "audit log: %s", strerror(-j->err));
	else
		http_reply(c->exchange, 200,
			asprintf(&reply, "{\"entries\":%s}", c->text) < 0 ? NULL : reply);
	FREE_AND_NULL(c->text);
	heap_free(c);
}

static void serve_audit(struct api *a, struct http_exchange *x)
{
	unsigned limit = AUDIT_LIMIT_USUAL;
	if (http_param(x, "limit") && !api_param_number(x, "limit", AUDIT_LIMIT_MAX, &limit))
		return;
	struct audit_call *c = heap_calloc(1, sizeof(*c));
	if (!c) {
		http_reply(x, 500, NULL);
		return;
	}
	c->exchange = x;
	c->limit = limit;
	c->job.work = audit_work;
	c->job.done = on_audit_read;
	memcpy(c->path, a->access->audit_path, sizeof(c->path));
	http_defer(x, ACCESS_DEFER_MS);
	access_thread_job(a->access->thread, &c->job);
}

const struct api_part api_access_part = {
	.endpoint = {{"/tokens", serve_tokens, API_GET | API_ALWAYS, CONTROL_ADMIN, ""},
		{"/token/create", serve_token_create, API_POST | API_ALWAYS, CONTROL_ADMIN,
			"name role expires"},
		{"/token/revoke", serve_token_revoke, API_POST | API_ALWAYS, CONTROL_ADMIN, "name"},
		{"/audit", serve_audit, API_GET | API_ALWAYS, CONTROL_ADMIN, "limit"}},
};
