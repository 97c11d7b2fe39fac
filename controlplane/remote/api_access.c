// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of tokens and of the audit log.

#include "api/api_param.h"
#include "base/clock_grace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum {
	ACCESS_DEFER_MS = 5000,
	EXPIRES_MAX_S = 3650 * 86400,
	AUDIT_LIMIT_USUAL = 50,
};

static void token_out(struct json_out *o, struct json_node *n, const struct token *k)
{
	const char *state = k->is_revoked                         ? "revoked"
			    : token_is_over(k, clock_certain_s()) ? "expired"
								  : "valid";
	json_out_text(o, n, "name", k->name);
	json_out_text(o, n, "role", control_role_names[k->role]);
	json_out_text(o, n, "state", state);
	json_out_signed(o, n, "created_unix_s", k->created_unix_s);
	json_out_signed(o, n, "expires_unix_s", k->expires_unix_s);
	json_out_signed(o, n, "used_unix_s", k->used_unix_s);
}

// Replies with the tokens.
static void serve_tokens(struct api *a, struct http_exchange *x)
{
	struct json_out *o = json_out_new();
	struct json_node *list = json_out_array(o, json_out_root(o), "tokens");
	for (unsigned i = 0; i < a->access->tokens.count; i++)
		token_out(o, json_out_object(o, list, NULL), &a->access->tokens.token[i]);
	http_reply(x, 200, json_out_finish(o));
}

struct token_call {
	struct access_change change; // the first member, as callbacks get the job alone
	struct api *api;
	struct http_exchange *exchange;
	char name[TOKEN_NAME_MAX + 1];
};

// Replies with the only copy of the token's text, which is wiped once it has left.
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

// `withdraws`: the change holds by now, though the file could not be written.
static void save_refuse(struct http_exchange *x, const struct access_job *j, bool withdraws)
{
	static const char forgets[] = "in force, but a restart forgets it: send it again: ";
	api_refuse(x, 500, "%s%s", withdraws ? forgets : "", j->why);
}

// The API may be closed by now. The exchange's deadline may be over, too: the change stays all the
// same.
static void on_changed(struct access_job *j)
{
	struct token_call *c = (struct token_call *)j;
	if (http_is_served(c->exchange)) {
		access_change_end(&c->change);
		api_control_streams_look(c->api);
	}
	const struct token *k = tokens_find(&c->change.next, c->name);
	if (j->err < 0 || !k) {
		save_refuse(c->exchange, j, !c->change.text[0]);
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

// The parameter `name`. NULL: the request is refused.
static const char *name_take(struct http_exchange *x)
{
	const char *name = http_param(x, "name");
	if (token_name_is_good(name))
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

// Creates a token, and shows it this once.
static void serve_token_create(struct api *a, struct http_exchange *x)
{
	struct token wanted = {.role = control_role_find(http_param(x, "role"))};
	unsigned expires_s = 0;
	const char *name = name_take(x);
	if (!name)
		return;
	if (wanted.role == CONTROL_NONE) {
		api_refuse(x, 400, "role: takes sync, read, operate or admin");
		return;
	}
	if (http_param(x, "expires") && !api_param_number(x, "expires", EXPIRES_MAX_S, &expires_s))
		return;
	struct token_call *c = call_new(a, x, name);
	if (!c)
		return;
	memcpy(wanted.name, c->name, sizeof(wanted.name));
	wanted.expires_unix_s = expires_s ? clock_certain_s() + expires_s : 0;
	call_begun(c, access_token_make(a->access, &c->change, &wanted));
}

// Revokes a token.
static void serve_token_revoke(struct api *a, struct http_exchange *x)
{
	const char *name = name_take(x);
	struct token_call *c = name ? call_new(a, x, name) : NULL;
	if (!c)
		return;
	call_begun(c, access_token_revoke(a->access, &c->change, name));
	api_control_streams_look(a);
}

struct audit_call {
	struct access_job job; // the first member, as callbacks get the job alone
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

// Replies with the newest entries of the audit log.
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
			"name! role! expires"},
		{"/token/revoke", serve_token_revoke, API_POST | API_ALWAYS, CONTROL_ADMIN,
			"name!"},
		{"/audit", serve_audit, API_GET | API_ALWAYS, CONTROL_ADMIN, "limit"}},
};

// Endpoints of local users with a password: their table, a login, and the session of a browser.

enum { PASSWORD_DEFER_MS = 8000, COOKIE_MAX = 160 };

static const char cookie_ends[] =
	"__Host-weir=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict";

struct password_call {
	struct access_password password; // first
	struct api *api;
	struct http_exchange *exchange;
};

static void call_free(struct password_call *c)
{
	explicit_bzero(c, sizeof(*c));
	heap_free(c);
}

static void session_out(struct json_out *o, struct json_node *n, const struct session *s)
{
	json_out_text(o, n, "user", s->user);
	json_out_text(o, n, "role", control_role_names[s->role]);
	json_out_text(o, n, "csrf", s->csrf);
	json_out_count(o, n, "idle_s", SESSION_IDLE_S);
	json_out_count(o, n, "life_s", SESSION_LIFE_S);
}

static void login_reply(struct api *a, struct password_call *c)
{
	char cookie[COOKIE_MAX], text[SESSION_TEXT_LEN + 1];
	struct http_exchange *x = c->exchange;
	struct session *s = access_password_end(&c->password, http_source(x), http_from(x), text);
	if (!s) {
		api_deny(a, x, ACCESS_password);
		return;
	}
	http_set_who(x, "user %s", s->user);
	if (!api_change_begin(a, x, &api_session_part.endpoint[0], s->role)) {
		session_end(s);
		return;
	}
	audit_end(&a->access->audit); // the request's one entry follows at once
	snprintf(cookie, sizeof(cookie),
		"__Host-weir=%s; Path=/; Secure; HttpOnly; SameSite=Strict", text);
	log_info("control: a session of user %s, %s, begins", s->user, http_from(x));
	http_reply_header(x, "Set-Cookie", cookie);
	struct json_out *o = json_out_new();
	session_out(o, json_out_root(o), s);
	http_reply(x, 200, json_out_finish(o));
	explicit_bzero(cookie, sizeof(cookie));
	explicit_bzero(text, sizeof(text));
}

// The API may be closed by now. A login whose deadline is over begins no session: no client would
// get the cookie.
static void on_login(struct access_job *j)
{
	struct password_call *c = (struct password_call *)j;
	if (http_is_live(c->exchange)) {
		login_reply(c->api, c);
	} else {
		if (http_is_served(c->exchange))
			access_login_late(&c->password);
		http_reply(c->exchange, 503, NULL);
	}
	call_free(c);
}

static void session_on_changed(struct access_job *j)
{
	struct password_call *c = (struct password_call *)j;
	if (http_is_served(c->exchange)) {
		(void)access_password_end(&c->password, NULL, "", NULL);
		api_control_streams_look(c->api);
	}
	if (j->err < 0) {
		save_refuse(c->exchange, j, !c->password.password[0]);
	} else {
		struct json_out *o = json_out_new();
		struct json_node *root = json_out_root(o);
		json_out_text(o, root, "name", c->password.user.name);
		json_out_text(o, root, "role", control_role_names[c->password.user.role]);
		http_reply(c->exchange, 200, json_out_finish(o));
	}
	call_free(c);
}

// Begins the audit entry of a password that is set or removed.
static void session_on_begins(struct access_job *j)
{
	const struct password_call *c = (const struct password_call *)j;
	api_audit_begin(c->api, c->exchange);
}

// NULL: the request is refused.
static struct password_call *session_call_new(struct api *a, struct http_exchange *x,
	const char *name, const char *password, void (*done)(struct access_job *j))
{
	struct password_call *c = heap_calloc(1, sizeof(*c));
	if (!c) {
		http_reply(x, 500, NULL);
		return NULL;
	}
	c->api = a;
	c->exchange = x;
	c->password.job.done = done;
	c->password.job.begins = session_on_begins;
	snprintf(c->password.user.name, sizeof(c->password.user.name), "%s", name);
	snprintf(c->password.password, sizeof(c->password.password), "%s", password);
	return c;
}

static void session_call_begun(struct password_call *c, int rc)
{
	struct http_exchange *x = c->exchange;
	if (rc == 0) {
		http_defer(x, PASSWORD_DEFER_MS);
		return;
	}
	if (rc == -ENOENT)
		api_refuse(
			x, 404, "no user \"%s\": see weirctl password list", c->password.user.name);
	else if (rc == -ENOSPC)
		api_refuse(
			x, 409, "%d users have a password, more are not possible", PASSWORDS_MAX);
	else if (rc == -EUCLEAN)
		api_refuse(x, 409,
			"the file of passwords is damaged: move it away and restart the "
			"control plane");
	else
		api_busy(x, rc == -EBUSY ? -EAGAIN : rc);
	call_free(c);
}

// Begins the session of a local user.
static void serve_login(struct api *a, struct http_exchange *x)
{
	const char *user = http_form(x, "user"), *password = http_form(x, "password");
	if (!user || !password || !token_name_is_good(user) || strlen(password) > PASSWORD_MAX) {
		a->access->refused[ACCESS_password]++;
		access_failed(a->access, http_source(x), http_from(x));
		api_deny(a, x, ACCESS_password);
		return;
	}
	if (access_shuts_out_user(a->access, user, http_source(x))) {
		a->access->refused[ACCESS_locked]++;
		api_deny(a, x, ACCESS_locked);
		return;
	}
	struct password_call *c = session_call_new(a, x, user, password, on_login);
	if (c)
		session_call_begun(c, access_login(a->access, &c->password));
}

// Says who the user is, by a session or otherwise.
static void serve_user(struct api *a, struct http_exchange *x)
{
	const struct access_user *user = a->user;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	if (user && user->session) {
		session_out(o, root, user->session);
	} else {
		json_out_text(o, root, "user", http_who(x));
		json_out_text(
			o, root, "role", control_role_names[user ? user->role : CONTROL_ADMIN]);
	}
	http_reply(x, 200, json_out_finish(o));
}

// Ends the session that sends the request.
static void serve_session_end(struct api *a, struct http_exchange *x)
{
	if (!a->user || !a->user->session) {
		api_refuse(x, 409, "no session");
		return;
	}
	session_end(a->user->session);
	api_control_streams_look(a);
	http_reply_header(x, "Set-Cookie", cookie_ends);
	struct json_out *o = json_out_new();
	json_out_bool(o, json_out_root(o), "ok", true);
	http_reply(x, 200, json_out_finish(o));
}

// Replies with the local users.
static void serve_passwords(struct api *a, struct http_exchange *x)
{
	const struct passwords *p = &a->access->passwords;
	struct json_out *o = json_out_new();
	struct json_node *list = json_out_array(o, json_out_root(o), "users");
	for (unsigned i = 0; i < p->count; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", p->user[i].name);
		json_out_text(o, n, "role", control_role_names[p->user[i].role]);
	}
	json_out_count(o, json_out_root(o), "sessions", sessions_used(&a->access->sessions));
	http_reply(x, 200, json_out_finish(o));
}

// Sets the password and the role of a local user.
static void serve_password_set(struct api *a, struct http_exchange *x)
{
	const enum control_role role = control_role_find(http_param(x, "role"));
	const char *name = name_take(x);
	if (!name)
		return;
	const char *password = http_form(x, "password");
	const size_t len = password ? strlen(password) : 0;
	if (role < CONTROL_READ) {
		api_refuse(x, 400, "role: takes read, operate or admin");
		return;
	}
	if (len < PASSWORD_MIN || len > PASSWORD_MAX) {
		api_refuse(x, 400,
			"password: must be a field of %d to %d bytes of a form in the "
			"body",
			PASSWORD_MIN, PASSWORD_MAX);
		return;
	}
	struct password_call *c = session_call_new(a, x, name, password, session_on_changed);
	if (!c)
		return;
	c->password.user.role = role;
	session_call_begun(c, access_password_set(a->access, &c->password));
}

// Removes a local user.
static void serve_password_remove(struct api *a, struct http_exchange *x)
{
	const char *name = name_take(x);
	struct password_call *c =
		name ? session_call_new(a, x, name, "", session_on_changed) : NULL;
	if (!c)
		return;
	session_call_begun(c, access_password_remove(a->access, &c->password));
	api_control_streams_look(a);
}

static void session_tables(struct api *a, struct table_registry *tables)
{
	table_register(tables, &(struct table_info){.name = "sessions",
				       .owner = "control API",
				       .eviction = "end the one that is idle for longest",
				       .lifetime = "30 min idle, 12 h at most",
				       .kind = TABLE_CACHE,
				       .cap = SESSIONS_MAX,
				       .used = sessions_used(&a->access->sessions),
				       .high = sessions_used(&a->access->sessions),
				       .evicted = a->access->sessions.evicted,
				       .has = TABLE_EVICTS,
				       .bytes = sizeof(struct sessions)});
	table_register(tables, &(struct table_info){.name = "passwords",
				       .owner = "control API",
				       .eviction = "refuse",
				       .lifetime = "until it is removed",
				       .kind = TABLE_FIXED,
				       .cap = PASSWORDS_MAX,
				       .used = a->access->passwords.count,
				       .bytes = sizeof(struct passwords)});
}

const struct api_part api_session_part = {
	.endpoint = {{"/session", serve_login, API_POST | API_OPEN | API_ALWAYS, CONTROL_READ,
			     "form:user form:password"},
		{"/session/end", serve_session_end, API_POST | API_ALWAYS, CONTROL_READ, ""},
		{"/user", serve_user, API_GET | API_ALWAYS, CONTROL_READ, ""},
		{"/passwords", serve_passwords, API_GET | API_ALWAYS, CONTROL_ADMIN, ""},
		{"/password/set", serve_password_set, API_POST | API_ALWAYS, CONTROL_ADMIN,
			"name! role! form:password"},
		{"/password/remove", serve_password_remove, API_POST | API_ALWAYS, CONTROL_ADMIN,
			"name!"}},
	.tables = session_tables,
};
