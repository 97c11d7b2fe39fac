// SPDX-License-Identifier: BSD-3-Clause
#include "api_server.h"

#include "api_listener.h"
#include "base/leak_demo.h"
#include "memory/heap_baselines.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/dns_name.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/os/passed_files.h>

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

void api_unchanged(struct http_exchange *x, const char *note)
{
	struct json_out *o = json_out_new();
	json_out_bool(o, json_out_root(o), "ok", true);
	json_out_text(o, json_out_root(o), "note", note);
	json_out_bool(o, json_out_root(o), "unchanged", true);
	http_reply(x, 200, json_out_finish(o));
}

void api_busy(struct http_exchange *x, int err)
{
	api_refuse(x, 503, "%s",
		err == -EAGAIN      ? "too busy: try again"
		: err == -ETIMEDOUT ? "all threads of a kind hang: see weirctl profile threads"
				    : strerror(-err));
}

// Logs a change. The path in the log is the endpoint's, not the client's text.
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

// Whether requests begin with audit_begin. A client without a user must not fill the audit log, so
// an API_OPEN endpoint calls api_change_begin itself once it knows the user.
static bool is_audited(const struct api_endpoint *e)
{
	return e->flags & (API_POST | API_AUDIT) && !(e->flags & (API_OPEN | API_REPORT));
}

// A request that the endpoint refused has changed nothing.
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

// The 504 had an audit entry; the end of the change has one, too.
void api_late(void *arg, struct http_exchange *x, unsigned status)
{
	struct api *a = arg;
	const struct api_endpoint *e = http_note(x);
	struct audit_entry entry = {
		.who = http_who(x), .from = http_from(x), .method = "POST", .status = status};
	if (!e || !is_audited(e))
		return;
	if ((e->flags & API_PUT) == API_PUT)
		entry.method = "PUT";
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
	audit_note(&a->access->audit, v->who, "", v->what, v->why, v->number);
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
	http_set_note(x, NULL); // the request is no change
	if (access_has_entry(a->access, why, http_source(x)))
		audit_refused(&a->access->audit, &entry, clock_mono_ms());
	else
		audit_left_out(&a->access->audit);
	if (status == 401)
		http_reply_header(x, "WWW-Authenticate", "Bearer realm=\"weir\"");
	if (why == ACCESS_locked) // no connection begins until the lock ends
		http_reply_header(x, "Connection", "close");
	api_refuse(x, status, "%s", access_refusal_texts[why]);
}

// The endpoint's path: the request's, without /v1 if that is there.
static const char *path_of(const struct http_exchange *x)
{
	static const char version[] = "/v1/";
	const char *path = http_path(x);
	if (!path)
		return "";
	return strncmp(path, version, sizeof(version) - 1) == 0 ? path + sizeof(version) - 2 : path;
}

static bool takes_method(const struct api_endpoint *e, const struct http_exchange *x)
{
	const unsigned is = http_is_put(x) ? API_PUT : http_is_post(x) ? API_POST : API_GET;
	return (e->flags & API_PUT) == is;
}

// The endpoint that has all of `flags` and takes the request, or else only has its path; NULL:
// there is no such endpoint.
static const struct api_endpoint *endpoint_of(const struct http_exchange *x, unsigned flags)
{
	const char *path = path_of(x);
	const struct api_endpoint *found = NULL;
	for (const struct api_part *const *p = api_parts; *p; p++)
		for (unsigned i = 0; i < API_PART_ENDPOINTS_MAX && (*p)->endpoint[i].path; i++) {
			const struct api_endpoint *e = &(*p)->endpoint[i];
			if ((e->flags & flags) != flags || strcmp(path, e->path) != 0)
				continue;
			if (takes_method(e, x))
				return e;
			found = e;
		}
	return found;
}

bool api_is_open(const struct http_exchange *x)
{
	return endpoint_of(x, API_OPEN) != NULL;
}

static bool is_off(const struct api *a)
{
	return a->deps.toggles && !a->deps.toggles->value[TOGGLE_API];
}

static bool is_allowed(const struct api_endpoint *e, enum control_role role)
{
	if (e->role == CONTROL_SYNC)
		return role == CONTROL_SYNC || role == CONTROL_ADMIN;
	return role >= (e->role == CONTROL_NONE ? CONTROL_ADMIN : e->role);
}

// Whether the endpoint knows all parameters of the request, and the fields of its form, if it takes
// a form, and the request has those that it must have. A misspelt parameter must not count as
// absent. False: `why` says what is wrong.
static bool params_check(
	const struct api_endpoint *e, struct http_exchange *x, char why[API_WHY_MAX])
{
	const struct url_fields *form;
	const char *other = url_fields_other(http_params(x), e->params, "");
	const char *missing = url_fields_missing(http_params(x), e->params);
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
	else if (missing)
		snprintf(why, API_WHY_MAX, "%.*s: is missing", (int)strcspn(missing, "!"), missing);
	return rc == 0 && !other && !missing;
}

// Every user except root has an allowance of changes.
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
	const struct api_endpoint *e = endpoint_of(x, flags);
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
	if (!takes_method(e, x)) {
		api_refuse(x, 405, "use %s",
			(e->flags & API_PUT) == API_PUT ? "GET or PUT"
			: e->flags & API_POST           ? "POST"
							: "GET");
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
	} else { // the client is gone, and the API may be, too
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

// All explanations and searches that may run and wait, and one profile, leave a request for other
// endpoints. So does GET /connections, with API_SOCKETS_WAITING_MAX requests, unless all of them
// come together.
static_assert(2 * ((int)JOB_RUNNING_MAX + (int)JOB_WAITING_MAX) + 1 < (int)API_REQUESTS_MAX);

static void on_request(void *arg, struct http_exchange *x)
{
	api_serve(arg, x, 0, CONTROL_ADMIN);
}

// Whether the peer was in the group when it connected. The kernel knows its groups, without a call
// to a name service. `unknown`: the result for a peer with more groups than there is room for.
static bool peer_in_group(const struct ucred *peer, int fd, gid_t group, bool unknown)
{
	gid_t groups[256];
	socklen_t len = sizeof(groups);
	if (peer->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return unknown;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

// Whether the peer is the data plane, which parses packets of strangers: once broken into, it must
// get no endpoint. With two users only the data plane and the control plane are in their group. The
// data plane cannot leave the group, but could remove a file that shows its user.
static bool peer_is_dataplane(const struct api *a, const struct ucred *peer, int fd)
{
	const struct publisher *p = a->deps.publisher;
	return p && publisher_paths(p)->two_users
	       && peer_in_group(peer, fd, publisher_paths(p)->group, true);
}

static bool on_admit(void *arg, const struct ucred *peer, int fd)
{
	const struct api *a = arg;
	if (peer->uid == 0 || peer->uid == geteuid())
		return true;
	if (a->group != (gid_t)-1 && !peer_is_dataplane(a, peer, fd)
		&& peer_in_group(peer, fd, a->group, false))
		return true;
	log_warning("control: uid %u, pid %d refused", peer->uid, peer->pid);
	return false;
}

static int address_fill(struct sockaddr_un *sun, const char *path)
{
	*sun = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(sun->sun_path))
		return -ENAMETOOLONG;
	memcpy(sun->sun_path, path, strlen(path) + 1);
	return 0;
}

// Removes a socket file that has no listener: a socket file outlives its process.
static int stale_remove(const struct sockaddr_un *sun)
{
	struct stat st;
	if (lstat(sun->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	int err = errno;
	close(fd);
	if (rc == 0 || err != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(sun->sun_path) < 0 ? -errno : 0;
}

static int access_set(const char *path, gid_t group)
{
	if (group != (gid_t)-1 && lchown(path, (uid_t)-1, group) < 0)
		return -errno;
	return chmod(path, group != (gid_t)-1 ? 0660 : 0600) < 0 ? -errno : 0;
}

// bind() gives the file the mode of the socket, which keeps everyone out until access_set. A umask
// would change the mode of files that other threads create meanwhile.
static int socket_listen(const char *path, gid_t group)
{
	struct sockaddr_un sun;
	int rc = address_fill(&sun, path);
	if (rc == 0)
		rc = stale_remove(&sun);
	if (rc < 0)
		return rc;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	passed_files_refuse(fd);
	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0)
		rc = -errno;
	if (rc == 0)
		rc = access_set(path, group);
	if (rc == 0 && listen(fd, API_REQUESTS_MAX) < 0)
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static int group_find(const char *name, gid_t *out)
{
	*out = (gid_t)-1;
	if (!name || !*name)
		return 0;
	char room[4096];
	struct group entry, *found = NULL;
	int err = getgrnam_r(name, &entry, room, sizeof(room), &found);
	if (!found)
		return err ? -err : -ENOENT;
	*out = found->gr_gid;
	return 0;
}

// The group of two users, which the data plane is in (peer_is_dataplane), may read secrets, such as
// those of DNS cookies. It must not be the group of operators.
static void group_check(struct api *a)
{
	const struct publisher *p = a->deps.publisher;
	if (!p || !publisher_paths(p)->two_users || a->group != publisher_paths(p)->group)
		return;
	log_warning("runtime.group: %s is the group of the two daemons; only root may use the "
		    "control socket; name a group of operators",
		a->deps.group);
	a->group = (gid_t)-1;
}

enum { CONTROL_FOLDER_MAX = SHM_PATH_MAX + sizeof(SHM_CONTROL) };

static void control_folder(char out[CONTROL_FOLDER_MAX], const struct publisher *p)
{
	snprintf(out, CONTROL_FOLDER_MAX, "%s/" SHM_CONTROL, publisher_paths(p)->run);
}

static int baselines_open(struct api *a, const struct api_deps *deps)
{
	char folder[CONTROL_FOLDER_MAX];
	if (!deps->publisher)
		return 0;
	control_folder(folder, deps->publisher);
	return heap_baselines_open(&a->baselines, deps->service, folder);
}

// Gives the socket's folder to the group of operators, who must pass it; with two users
// everyone may pass it.
static void folder_give(const struct api *a)
{
	const struct publisher *p = a->deps.publisher;
	char folder[CONTROL_FOLDER_MAX];
	if (!p || publisher_paths(p)->two_users || a->group == (gid_t)-1)
		return;
	control_folder(folder, p);
	if (lchown(folder, (uid_t)-1, a->group) < 0)
		log_warning("runtime.group: chown of %s to group %s: %s", folder, a->deps.group,
			strerror(errno));
}

// Opens the server of the control socket `fd`, and passes the ownership of `fd` to it.
static int server_open(struct api *a, int fd)
{
	const struct http_settings settings = {.base = loop_base(a->deps.service),
		.exchanges_max = API_REQUESTS_MAX,
		.connections_max = API_CONNECTIONS_MAX,
		.connection_ms = API_CONNECTION_MS,
		.admit = on_admit,
		.handle = on_request,
		.replied = api_replied,
		.late = api_late,
		.rate = &a->rate,
		.arg = a};
	a->rate = (struct http_rate){.each_s = API_RATE_MAX, .burst = API_RATE_BURST};
	return http_server_open(&a->http, fd, &settings);
}

static int parts_open(struct api *a, int fd)
{
	int rc = server_open(a, fd);
	if (rc == 0)
		rc = job_runner_open(&a->whys, a->deps.service, JOB_RUNNER_WAIT_MS);
	if (rc == 0)
		rc = job_runner_open(&a->searches, a->deps.service, JOB_RUNNER_WAIT_MS);
	if (rc == 0)
		rc = job_runner_open(&a->profiles, a->deps.service, JOB_RUNNER_WAIT_MS);
	if (rc == 0)
		rc = mem_watch_open(&a->watch, a->deps.service);
	if (rc == 0)
		rc = baselines_open(a, &a->deps);
	if (rc == 0)
		rc = access_open(&a->access, a->deps.service, a->deps.state_directory,
			a->deps.box ? a->deps.box : "", a->deps.events);
	if (rc == 0)
		rc = api_listen_open(a);
	for (const struct api_part *const *p = api_parts; rc == 0 && *p; p++)
		rc = (*p)->open ? (*p)->open(a) : 0;
	return rc;
}

static void parts_close(struct api *a)
{
	for (const struct api_part *const *p = api_parts; *p; p++)
		if ((*p)->close)
			(*p)->close(a);
	heap_baselines_close(a->baselines);
	mem_watch_close(a->watch);
	http_server_close(a->http);
	api_listen_close(a);
	access_close(a->access);
	job_runner_close(a->whys);
	job_runner_close(a->searches);
	job_runner_close(a->profiles);
}

int api_open(struct api **out, const struct api_deps *deps, char why[API_WHY_MAX])
{
	struct api *a = heap_calloc(1, sizeof(*a));
	if (!a) {
		snprintf(why, API_WHY_MAX, "control socket: out of memory");
		return -ENOMEM;
	}
	a->deps = *deps;
	LIST_INIT(&a->tails);
	LIST_INIT(&a->event_readers);
	a->start_ms = clock_mono_ms();
	int rc = group_find(deps->group, &a->group);
	if (rc < 0) {
		snprintf(why, API_WHY_MAX, "runtime.group: %s: %s", deps->group,
			rc == -ENOENT ? "no such group" : strerror(-rc));
		heap_free(a);
		return rc;
	}
	group_check(a);
	folder_give(a);
	int fd = socket_listen(deps->socket_path, a->group);
	rc = fd < 0 ? fd : parts_open(a, fd);
	if (rc < 0) {
		parts_close(a);
		snprintf(why, API_WHY_MAX, "%.150s: %s", deps->socket_path, strerror(-rc));
		heap_free(a);
		return rc;
	}
	*out = a;
	return 0;
}

void api_close(struct api *a)
{
	if (!a)
		return;
	parts_close(a);
	(void)unlink(a->deps.socket_path);
	heap_free(a);
}

const struct mem_kinds *api_kinds(const struct api *a)
{
	return a->watch ? mem_watch_kinds(a->watch) : NULL;
}
