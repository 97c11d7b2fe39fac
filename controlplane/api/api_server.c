// SPDX-License-Identifier: BSD-3-Clause
#include "api_server.h"

#include "base/leak_demo.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/dns_name.h>
#include <weir/heap_site.h>
#include <weir/log.h>

const struct api_part *const api_parts[] = {
#define X(name) &api_##name##_part,
	API_PARTS(X)
#undef X
		NULL};

void api_refuse(struct http_exchange *x, unsigned status, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	http_reply(x, status, json_out_error("%s", text));
}

void api_busy(struct http_exchange *x, int err)
{
	api_refuse(x, 503, "%s",
		err == -EAGAIN      ? "too busy: try again"
		: err == -ETIMEDOUT ? "all threads of a kind hang: see weirctl profile threads"
				    : strerror(-err));
}

// Logged paths of changes are constants of the API.
static void change_log(const struct api_endpoint *e, const struct http_exchange *x)
{
	struct dns_name name;
	char text[DNS_NAME_TEXT_MAX] = "", user[API_USER_MAX];
	const char *param = http_param(x, "name"), *why;
	if (param && name_paste(param, &name, &why) >= 0)
		dns_name_to_text(&name, text);
	log_info("control: %s %s by %s", e->path, text, api_user_text(x, user));
}

const char *api_user_text(const struct http_exchange *x, char out[API_USER_MAX])
{
	snprintf(out, API_USER_MAX, "%s, %s", http_who(x), http_from(x));
	return out;
}

static struct audit_entry entry_of(const struct http_exchange *x, unsigned status)
{
	const char *path = http_path(x);
	return (struct audit_entry){.who = http_who(x),
		.from = http_from(x),
		.method = http_method(x),
		.path = path ? path : "",
		.status = status};
}

static void about_endpoint(
	struct audit_entry *entry, const struct http_exchange *x, const struct api_endpoint *e)
{
	entry->path = e->path;
	entry->query = http_params(x);
	entry->params = e->params;
}

static struct audit_entry entry_at(
	const struct http_exchange *x, const struct api_endpoint *e, unsigned status)
{
	struct audit_entry entry = entry_of(x, status);
	about_endpoint(&entry, x, e);
	return entry;
}

// Does it begin by audit_begin? What nobody in particular sends must not fill logs: such an
// endpoint says what is a change.
static bool is_audited(const struct api_endpoint *e)
{
	return e->flags & (API_POST | API_AUDIT) && !(e->flags & API_OPEN);
}

// What the endpoint refused has changed nothing.
void api_replied(void *arg, struct http_exchange *x, unsigned status)
{
	struct api *a = arg;
	const struct api_endpoint *e = http_note(x);
	if (!e)
		return;
	const struct audit_entry entry = entry_at(x, e, status);
	if (status && status != 504 && is_audited(e))
		audit_end(&a->access->audit);
	if (status >= 400 && status < 500) {
		audit_refused(&a->access->audit, &entry, clock_mono_ms());
		return;
	}
	if (status && e->flags & API_POST && is_audited(e))
		change_log(e, x);
	audit_change(&a->access->audit, &entry);
}

// Behind the 504, which had an entry: the end of the change has one too.
void api_late(void *arg, struct http_exchange *x, unsigned status)
{
	struct api *a = arg;
	const struct api_endpoint *e = http_note(x);
	struct audit_entry entry = {
		.who = http_who(x), .from = http_from(x), .method = "POST", .status = status};
	if (!e || !is_audited(e))
		return;
	audit_end(&a->access->audit);
	about_endpoint(&entry, x, e);
	if (e->flags & API_POST)
		audit_change(&a->access->audit, &entry);
}

void api_audit_begin(struct api *a, struct http_exchange *x)
{
	api_replied(a, x, 0);
}

void api_audit_version(struct api *a, const struct config_version *v, struct access_job *after)
{
	audit_note(&a->access->audit, v->who, "", v->what, v->number);
	after->work = NULL;
	access_thread_job(a->access->thread, after);
}

void api_deny(struct api *a, struct http_exchange *x, enum access_refusal why)
{
	const unsigned status = access_refusal_status[why];
	struct audit_entry entry = entry_of(x, status);
	const struct api_endpoint *e = http_note(x);
	entry.why = access_refusal_names[why];
	if (e && is_audited(e))
		audit_end(&a->access->audit);
	http_set_note(x, NULL); // it is no change
	if (access_has_entry(a->access, why, http_source(x)))
		audit_refused(&a->access->audit, &entry, clock_mono_ms());
	else
		audit_left_out(&a->access->audit);
	if (status == 401)
		http_reply_header(x, "WWW-Authenticate", "Bearer realm=\"weir\"");
	if (why == ACCESS_locked) // no other one begins until the lock ends
		http_reply_header(x, "Connection", "close");
	api_refuse(x, status, "%s", access_refusal_texts[why]);
}

// The path that endpoints have. The version may be left out but on the network.
static const char *path_of(const struct http_exchange *x)
{
	static const char version[] = "/v1/";
	const char *path = http_path(x);
	if (!path)
		return "";
	return strncmp(path, version, sizeof(version) - 1) == 0 ? path + sizeof(version) - 2 : path;
}

static const struct api_endpoint *endpoint_find(const char *path, unsigned flags)
{
	for (const struct api_part *const *p = api_parts; *p; p++)
		for (unsigned i = 0; i < API_PART_ENDPOINTS_MAX && (*p)->endpoint[i].path; i++)
			if (((*p)->endpoint[i].flags & flags) == flags
				&& strcmp(path, (*p)->endpoint[i].path) == 0)
				return &(*p)->endpoint[i];
	return NULL;
}

bool api_is_open(const struct http_exchange *x)
{
	return endpoint_find(path_of(x), API_OPEN) != NULL;
}

static bool is_off(const struct api *a)
{
	return a->deps.toggles && !a->deps.toggles->value[TOGGLE_API];
}

static bool is_allowed(const struct api_endpoint *e, enum control_role role)
{
	return role >= (e->role == CONTROL_NONE ? CONTROL_ADMIN : e->role);
}

// Its parameters, and where it has a form the fields of that, are the endpoint's own: what a client
// misspells must not be taken as not given. False: `why` says what is wrong.
static bool params_check(
	const struct api_endpoint *e, struct http_exchange *x, char why[API_WHY_MAX])
{
	const struct url_fields *form;
	const char *other = url_fields_other(http_params(x), e->params, "");
	int rc = 0;
	if (!other && e->params && strstr(e->params, "form:")) {
		rc = http_form_read(x, &form);
		other = rc == 0 ? url_fields_other(form, e->params, "form:") : NULL;
	}
	if (rc < 0)
		snprintf(why, API_WHY_MAX, "form: %s",
			rc == -EEXIST ? "a field is there twice" : "malformed");
	else if (other)
		snprintf(why, API_WHY_MAX, "no parameter \"%.64s\" here; %s%.150s", other,
			e->params && *e->params ? "it takes: " : "it takes none",
			e->params ? e->params : "");
	return rc == 0 && !other;
}

// Each user but root has an allowance of changes.
static enum audit_bound bound_of(const struct http_exchange *x, enum control_role role)
{
	return strcmp(http_who(x), "uid 0") == 0 ? AUDIT_UNBOUNDED
	       : role == CONTROL_ADMIN           ? AUDIT_OF_ADMIN
						 : AUDIT_OF_USER;
}

bool api_change_begin(struct api *a, struct http_exchange *x, const struct api_endpoint *e,
	enum control_role role)
{
	const struct audit_entry entry = entry_at(x, e, 0);
	const int rc = audit_begin(&a->access->audit, &entry, bound_of(x, role), clock_mono_ms());
	if (rc == -EDQUOT) {
		access_count_refused(a->access, ACCESS_rate);
		api_deny(a, x, ACCESS_rate);
	} else if (rc == -EMSGSIZE) {
		api_refuse(x, 400, "the parameters are too long for the audit log");
	} else if (rc < 0) {
		api_refuse(x, 503, "the disk of the audit log is behind: try again");
	} else {
		http_set_note(x, e);
	}
	return rc == 0;
}

static bool endpoint_begin(struct api *a, struct http_exchange *x, const struct api_endpoint *e,
	enum control_role role)
{
	char why[API_WHY_MAX];
	if (params_check(e, x, why))
		return !is_audited(e) || api_change_begin(a, x, e, role);
	const struct audit_entry entry = entry_at(x, e, 400);
	if (is_audited(e))
		audit_refused(&a->access->audit, &entry, clock_mono_ms());
	api_refuse(x, 400, "%s", why);
	return false;
}

void api_serve(struct api *a, struct http_exchange *x, unsigned flags, enum control_role role)
{
	const struct api_endpoint *e = endpoint_find(path_of(x), flags);
	if (e && !is_allowed(e, role)) {
		access_count_refused(a->access, ACCESS_role);
		api_deny(a, x, ACCESS_role);
		return;
	}
	if (is_off(a) && !(e && e->flags & API_ALWAYS)) {
		api_refuse(x, 503, "the toggle api is off");
		return;
	}
	LEAK_DEMO(bodies, 20000);
	if (!e) {
		api_refuse(x, 404, "no such endpoint%s", flags & API_NETWORK ? " here" : "");
		return;
	}
	const bool is_post = e->flags & API_POST;
	if (http_is_post(x) != is_post) {
		api_refuse(x, 405, "use %s", is_post ? "POST" : "GET");
		return;
	}
	if (!endpoint_begin(a, x, e, role))
		return;
	e->handle(a, x);
}

static void on_resolver(void *arg, const struct resolver_status *s)
{
	struct api_look *l = arg;
	l->resolver = s;
	if (http_is_live(l->exchange)) {
		const struct http_turn turn = http_turn_begin(l->exchange);
		l->api->looks++;
		l->reply(l);
		http_turn_end(&turn);
	} else { // nobody listens, and there may be no api any more
		http_reply(l->exchange, 503, NULL);
	}
	heap_free(l);
}

static void on_frontends(void *arg, const struct frontends_status *s)
{
	struct api_look *l = arg;
	int rc = -ECANCELED;

	l->frontends = *s;
	if (http_is_live(l->exchange))
		rc = resolvers_status(l->api->deps.resolvers, l->api->deps.service, on_resolver, l);
	if (rc < 0) {
		api_busy(l->exchange, rc);
		heap_free(l);
	}
}

void api_look(struct api *a, struct http_exchange *x, void (*reply)(const struct api_look *l))
{
	struct api_look *l = heap_calloc(1, sizeof(*l));
	if (!l) {
		http_reply(x, 500, NULL);
		return;
	}
	*l = (struct api_look){.api = a, .exchange = x, .reply = reply};
	http_defer(x, API_SHORT_MS);
	int rc = frontends_report(a->deps.frontends, a->deps.service, on_frontends, l);
	if (rc < 0) {
		heap_free(l);
		api_busy(x, rc);
	}
}
