// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of local users with a password: their table, a login, and the session of a browser.

#include "api/api_param.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/log.h>

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
	audit_end(&a->access->audit); // its one entry follows at once
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

// The API may be closed by now. A login whose deadline is over begins no session: nobody would get
// the cookie.
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

static void on_changed(struct access_job *j)
{
	struct password_call *c = (struct password_call *)j;
	if (http_is_served(c->exchange)) {
		(void)access_password_end(&c->password, NULL, "", NULL);
		api_control_streams_look(c->api);
	}
	if (j->err < 0) {
		api_refuse(c->exchange, 500, "%s", j->why);
	} else {
		struct json_out *o = json_out_new();
		struct json_node *root = json_out_root(o);
		json_out_text(o, root, "name", c->password.user.name);
		json_out_text(o, root, "role", control_role_names[c->password.user.role]);
		http_reply(c->exchange, 200, json_out_finish(o));
	}
	call_free(c);
}

// Of a password that is set or removed.
static void on_begins(struct access_job *j)
{
	const struct password_call *c = (const struct password_call *)j;
	api_audit_begin(c->api, c->exchange);
}

// NULL: refused.
static struct password_call *call_new(struct api *a, struct http_exchange *x, const char *name,
	const char *password, void (*done)(struct access_job *j))
{
	struct password_call *c = heap_calloc(1, sizeof(*c));
	if (!c) {
		http_reply(x, 500, NULL);
		return NULL;
	}
	c->api = a;
	c->exchange = x;
	c->password.job.done = done;
	c->password.job.begins = on_begins;
	snprintf(c->password.user.name, sizeof(c->password.user.name), "%s", name);
	snprintf(c->password.password, sizeof(c->password.password), "%s", password);
	return c;
}

static void call_begun(struct password_call *c, int rc)
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
	struct password_call *c = call_new(a, x, user, password, on_login);
	if (c)
		call_begun(c, access_login(a->access, &c->password));
}

// Who it is, by a session or otherwise.
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

static void serve_password_set(struct api *a, struct http_exchange *x)
{
	const enum control_role role = control_role_find(http_param(x, "role"));
	const char *name = name_take(x);
	if (!name)
		return;
	const char *password = http_form(x, "password");
	const size_t len = password ? strlen(password) : 0;
	if (role == CONTROL_NONE) {
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
	struct password_call *c = call_new(a, x, name, password, on_changed);
	if (!c)
		return;
	c->password.user.role = role;
	call_begun(c, access_password_set(a->access, &c->password));
}

static void serve_password_remove(struct api *a, struct http_exchange *x)
{
	const char *name = name_take(x);
	struct password_call *c = name ? call_new(a, x, name, "", on_changed) : NULL;
	if (!c)
		return;
	call_begun(c, access_password_remove(a->access, &c->password));
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
			"name role form:password"},
		{"/password/remove", serve_password_remove, API_POST | API_ALWAYS, CONTROL_ADMIN,
			"name"}},
	.tables = session_tables,
};
