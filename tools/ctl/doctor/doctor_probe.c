// SPDX-License-Identifier: BSD-3-Clause
// Probes of servers: DNS over UDP, TCP, TLS and HTTPS, resources by URL, and Redis. Only this file
// of the room includes libcurl; a look-up that the system does not end continues after its probe.

#include "doctor_checks.h"
#include "lib/ctl.h"
#include "lib/http_get.h"

#include <curl/curl.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/http_coding.h>
#include <weir/url.h>

// Probes of servers, for a machine whose control plane does not run: each is one query with a
// deadline, in a thread of its own. The kernel's routes and the system's certificates apply.
// Lengths of a server's bytes are checked, and the bytes are only shown as numbers or escaped text.

enum {
	DOCTOR_PROBE_MS = 2000, // deadline of one probe
	DOCTOR_PROBES_MAX = 64, // probes of one call, all at one time
	DOCTOR_PROBE_TEXT_MAX = 192,
};

enum doctor_probe_kind {
	DOCTOR_PROBE_DNS,   // `. NS` over UDP and over TCP
	DOCTOR_PROBE_TLS,   // `. NS` over TLS
	DOCTOR_PROBE_HTTPS, // `. NS` over HTTPS
	DOCTOR_PROBE_URL,   // the head of a resource
	DOCTOR_PROBE_PING,  // a resource
	DOCTOR_PROBE_REDIS, // PING
};

enum doctor_probe_end {
	DOCTOR_PROBE_ANSWERED,
	DOCTOR_PROBE_PARTLY,
	DOCTOR_PROBE_FAILED,
	DOCTOR_PROBE_NOT_ASKED
};

struct doctor_probe {
	enum doctor_probe_kind kind;
	const struct config_upstream *server; // for DNS, TLS and HTTPS
	unsigned set;                         // number of the server's list
	bool has_unasked;                     // the list has servers without a probe
	const char *ca_file;                  // NULL or "": the system's authorities
	const char *url;                      // for URL and PING
	struct socket_address address;        // for REDIS
	const char *user, *password;          // for REDIS; "": not given
	enum doctor_probe_end end;
	char text[DOCTOR_PROBE_TEXT_MAX]; // the result, or why there is none
};

static void doctor_probe_all(struct doctor_probe *p, unsigned count);

// Checks of upstream servers, lists by URL, Redis and ClickHouse: by the running control plane, or
// without it by probes. weir serves without lists, Redis or ClickHouse.

enum { TESTS_MAX = 1 }; // tests by the control plane, each 4 s at most

// Requests a reply of the running control plane; NULL: there is none, which is reported.
static struct json_doc *control_ask(struct doctor *d, const char *path)
{
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	if (http_call(d->c, false, path, NULL, HTTP_SHORT_MS, &doc, why) == HTTP_OK)
		return doc;
	json_doc_free(doc);
	doctor_add(d, DOCTOR_UNKNOWN, "the control plane does not say: %s", why);
	return NULL;
}

static bool is_state(const struct json_node *row, const char *state)
{
	return strcmp(json_text(row, "state"), state) == 0;
}

// Is another server of this server's set up?
static bool has_other(const struct json_node *rows, const struct json_node *row)
{
	bool has = false;
	for (size_t i = 0; i < json_length(rows); i++) {
		const struct json_node *other = json_at(rows, i);
		has |= other != row && strcmp(json_text(other, "set"), json_text(row, "set")) == 0
		       && (is_state(other, "up") || is_state(other, "suspect")
			       || is_state(other, "failing"));
	}
	return has;
}

// Has the control plane test a server that has not answered its last query, or any. 1: it answers;
// 0: it does not; -1: unknown.
static int server_test(struct doctor *d, const char *name, unsigned *tests)
{
	static const char *const ways[] = {"udp", "tcp", "tls", "https"};
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	const struct http_param params[] = {{"server", name}, {NULL, NULL}};
	int answers = -1;
	if ((*tests)++ >= TESTS_MAX)
		return -1;
	if (http_call(d->c, true, "/upstream/test", params, HTTP_SHORT_MS, &doc, why) == HTTP_OK) {
		answers = 0;
		for (unsigned i = 0; i < ARRAY_LEN(ways); i++)
			answers |= json_flag(json_get(json_doc_root(doc), ways[i]), "answered");
	}
	json_doc_free(doc);
	return answers;
}

static void row_report(struct doctor *d, const struct json_node *rows, const struct json_node *row,
	unsigned *tests)
{
	const char *name = json_text(row, "name"), *set = json_text(row, "set");
	const char *why = json_text(json_get(row, "tls"), "error");
	if (!*why)
		why = json_text(json_get(row, "https"), "error");
	if (is_state(row, "drained")) {
		doctor_add(d, DOCTOR_WARNING, "%s (%s) is drained by an operator", name, set);
		doctor_do(d, "weirctl upstream undrain %s", TEXT_QUOTE(name));
		return;
	}
	bool is_down = is_state(row, "down") || is_state(row, "no address");
	bool has_answered = json_count(row, "answered") > 0, is_up = is_state(row, "up");
	int answers = is_down ? 0 : is_up && has_answered ? 1 : server_test(d, name, tests);
	if (answers > 0) {
		doctor_add(d, DOCTOR_OK, "%s (%s) answers", name, set);
		return;
	}
	if (answers < 0 && is_up) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s (%s): weir has no answer of it yet", name, set);
		return;
	}
	doctor_add(d, answers < 0 || has_other(rows, row) ? DOCTOR_WARNING : DOCTOR_WRONG,
		"%s (%s) %s%s%s", name, set,
		answers < 0 ? "did not answer the last queries" : "does not answer",
		*why ? ": " : "", why);
	doctor_do(d, "weirctl upstream test %s", TEXT_QUOTE(name));
}

static void upstreams_of_control(struct doctor *d)
{
	unsigned tests = 0;
	struct json_doc *doc = control_ask(d, "/upstreams");
	const struct json_node *rows = json_get(json_doc_root(doc), "upstreams");
	for (size_t i = 0; i < json_length(rows); i++)
		row_report(d, rows, json_at(rows, i), &tests);
	if (doc && json_length(rows) == 0)
		doctor_add(d, DOCTOR_OK, "weir asks no servers");
	unsigned long long more = json_count(json_doc_root(doc), "left_out");
	if (more)
		doctor_add(d, DOCTOR_UNKNOWN, "servers that the list leaves out: %llu", more);
	json_doc_free(doc);
}

static void server_report(struct doctor *d, const struct doctor_probe *p, bool others)
{
	const struct config_upstream *s = p->server;
	char to[SOCKET_ADDRESS_TEXT_MAX];
	if (p->end == DOCTOR_PROBE_NOT_ASKED) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s: %s", s->name, p->text);
		return;
	}
	if (p->end == DOCTOR_PROBE_ANSWERED) {
		doctor_add(d, DOCTOR_OK, "%s answers (%s)", s->name, p->text);
		return;
	}
	bool is_warning = p->end == DOCTOR_PROBE_PARTLY || others;
	doctor_add(d, is_warning ? DOCTOR_WARNING : DOCTOR_WRONG, "%s %s (%s)", s->name,
		p->end == DOCTOR_PROBE_PARTLY ? "answers in part" : "does not answer", p->text);
	ip_address_text(&s->address.ip, false, to);
	doctor_do(d, "kdig%s @%s -p %u . NS",
		s->tls.path[0] ? " +https"
		: s->tls.is_on ? " +tls"
			       : "",
		to, s->address.port);
}

struct servers {
	struct doctor_probe *probe;
	const char *ca_file;
	unsigned count, sets;
	unsigned named, left; // servers with a host name; servers beyond the room
};

static void servers_add(struct servers *all, const struct config_upstream *server, unsigned count)
{
	unsigned set = all->sets++;
	bool has_unasked = false;
	for (unsigned i = 0; i < count; i++) {
		const struct config_upstream *s = &server[i];
		bool has_room = all->count < DOCTOR_PROBES_MAX;
		all->named += s->host[0] != '\0';
		has_unasked |= s->host[0] || !has_room;
		if (s->host[0] || s->is_recursion)
			continue;
		all->left += !has_room;
		if (!has_room)
			continue;
		all->probe[all->count++] =
			(struct doctor_probe){.kind = !s->tls.is_on    ? DOCTOR_PROBE_DNS
						      : s->tls.path[0] ? DOCTOR_PROBE_HTTPS
								       : DOCTOR_PROBE_TLS,
				.server = s,
				.set = set,
				.ca_file = all->ca_file};
	}
	for (unsigned i = 0; has_unasked && i < all->count; i++)
		all->probe[i].has_unasked |= all->probe[i].set == set;
}

static void zones_add(struct servers *all, const struct config_forward_zone *zones, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		servers_add(all, zones[i].servers, zones[i].server_count);
}

// Reports that no server of everyone (set 0) has a route, if there is no recursion.
static void route_report(struct doctor *d, const struct servers *all)
{
	unsigned count = 0;
	for (; count < all->count && all->probe[count].set == 0; count++)
		if (all->probe[count].end != DOCTOR_PROBE_NOT_ASKED
			|| all->probe[count].has_unasked)
			return;
	if (count == 0 || d->config->upstreams.mode != UPSTREAM_FORWARD)
		return;
	doctor_add(d, DOCTOR_WRONG, "none of the upstream servers could be asked");
	doctor_do(d, "ip route; ip -6 route");
}

static void servers_report(struct doctor *d, const struct servers *all)
{
	for (unsigned i = 0; i < all->count; i++) {
		// Other servers of the list answer, or may: servers without a probe.
		bool others = all->probe[i].has_unasked;
		for (unsigned o = 0; o < all->count; o++)
			others |= o != i && all->probe[o].set == all->probe[i].set
				  && all->probe[o].end != DOCTOR_PROBE_FAILED;
		server_report(d, &all->probe[i], others);
	}
	route_report(d, all);
	if (all->named)
		doctor_add(d, DOCTOR_UNKNOWN,
			"servers with a host name, which the control plane resolves: %u",
			all->named);
	if (all->left)
		doctor_add(d, DOCTOR_UNKNOWN, "servers beyond the first %d: %u", DOCTOR_PROBES_MAX,
			all->left);
	if (all->count + all->named == 0)
		doctor_add(d, DOCTOR_OK, "weir asks no servers of the configuration");
}

static void upstreams_by_probes(struct doctor *d)
{
	const struct config *c = d->config;
	struct servers all = {.probe = calloc(DOCTOR_PROBES_MAX, sizeof(*all.probe)),
		.ca_file = c->upstreams.ca_file};
	if (!all.probe) {
		doctor_add(d, DOCTOR_UNKNOWN, "out of memory");
		return;
	}
	servers_add(&all, c->upstreams.server, c->upstreams.count);
	zones_add(&all, c->forwards, c->forward_count);
	for (unsigned i = 0; i < c->group_count; i++) {
		servers_add(&all, c->groups[i].upstreams, c->groups[i].upstream_count);
		zones_add(&all, c->groups[i].forwards, c->groups[i].forward_count);
	}
	doctor_probe_all(all.probe, all.count);
	servers_report(d, &all);
	free(all.probe);
}

static void check_upstreams(struct doctor *d)
{
	if (doctor_status(d))
		upstreams_of_control(d);
	else if (!doctor_lacks_config(d))
		upstreams_by_probes(d);
}

static void list_of_control(struct doctor *d, const struct json_node *l)
{
	const char *name = json_text(l, "name"), *why = json_text(l, "fetch_error");
	if (!*why)
		why = json_text(l, "error");
	if (json_flag(l, "failing")) {
		doctor_add(d, DOCTOR_WARNING, "list \"%s\" is not updated: %s", name, why);
		doctor_do(d, "weirctl blocklist reload # weirctl blocklist status says more");
	} else if (*json_text(l, "url") && !json_count(l, "last_good_unix_s")) {
		doctor_add(d, DOCTOR_UNKNOWN, "list \"%s\" has not been fetched yet", name);
	} else {
		doctor_add(
			d, DOCTOR_OK, "names of list \"%s\": %llu", name, json_count(l, "names"));
	}
}

static void lists_of_control(struct doctor *d)
{
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	if (http_call(d->c, false, "/blocklist", NULL, HTTP_SHORT_MS, &doc, why) != HTTP_OK) {
		doctor_add(d, DOCTOR_UNKNOWN, "the control plane does not say: %s", why);
		json_doc_free(doc);
		return;
	}
	const struct json_node *lists = json_get(json_doc_root(doc), "lists");
	for (size_t i = 0; i < json_length(lists); i++)
		list_of_control(d, json_at(lists, i));
	if (json_length(lists) == 0)
		doctor_add(d, DOCTOR_OK, "no list is configured");
	json_doc_free(doc);
}

static void list_report(struct doctor *d, const char *name, const struct doctor_probe *p)
{
	char shown[CONFIG_URL_MAX];
	if (p->end == DOCTOR_PROBE_ANSWERED) {
		doctor_add(d, DOCTOR_OK, "list \"%s\" can be fetched", name);
	} else if (p->end == DOCTOR_PROBE_NOT_ASKED) {
		doctor_add(d, DOCTOR_UNKNOWN, "list \"%s\": %s", name, p->text);
	} else {
		url_shown(p->url, shown, sizeof(shown));
		doctor_add(d, DOCTOR_WARNING, "list \"%s\" cannot be fetched: %s", name, p->text);
		doctor_do(d, "curl -sSI %s", TEXT_QUOTE(shown));
	}
}

static void lists_by_probes(struct doctor *d)
{
	const struct config_blocking *b = &d->config->blocking;
	struct doctor_probe *probe = calloc(DOCTOR_PROBES_MAX, sizeof(*probe));
	const char *name[DOCTOR_PROBES_MAX];
	unsigned count = 0, transfers = 0, more = 0;
	struct url url;
	if (!probe) {
		doctor_add(d, DOCTOR_UNKNOWN, "out of memory");
		return;
	}
	for (unsigned i = 0; i < b->list_count; i++) {
		const struct config_list *l = &b->lists[i];
		bool is_web = l->url && url_parse(l->url, &url) == 0;
		transfers += l->url && !is_web;
		more += is_web && count == DOCTOR_PROBES_MAX;
		if (!is_web || count == DOCTOR_PROBES_MAX)
			continue;
		name[count] = l->name;
		probe[count++] = (struct doctor_probe){.kind = DOCTOR_PROBE_URL, .url = l->url};
	}
	doctor_probe_all(probe, count);
	for (unsigned i = 0; i < count; i++)
		list_report(d, name[i], &probe[i]);
	if (transfers)
		doctor_add(d, DOCTOR_UNKNOWN,
			"zone transfers, which the control plane makes alone: %u", transfers);
	if (more)
		doctor_add(d, DOCTOR_UNKNOWN, "lists beyond the first %d: %u", DOCTOR_PROBES_MAX,
			more);
	if (count + transfers == 0)
		doctor_add(d, DOCTOR_OK, "no list is fetched from the network");
	free(probe);
}

static void check_lists(struct doctor *d)
{
	if (doctor_status(d))
		lists_of_control(d);
	else if (!doctor_lacks_config(d))
		lists_by_probes(d);
}

static void redis_of_control(struct doctor *d, const struct json_node *redis)
{
	const char *state = json_text(redis, "state"), *error = json_text(redis, "error");
	if (strcmp(state, "up") == 0) {
		doctor_add(d, DOCTOR_OK, "up");
		return;
	}
	doctor_add(d, DOCTOR_WARNING, "%s%s%s", state, *error ? ": " : "", error);
	doctor_do(d, "weirctl cache stats; journalctl -u redis-server -n 50");
}

static void check_redis(struct doctor *d)
{
	const struct json_node *redis = json_get(doctor_status(d), "redis");
	struct doctor_probe probe[CONFIG_REDIS_ADDRESSES_MAX] = {0};
	if (doctor_lacks_config(d))
		return;
	const struct config_redis *r = &d->config->redis;
	if (r->mode == REDIS_MODE_OFF) {
		doctor_add(d, DOCTOR_OK, "not configured");
		return;
	}
	if (redis) {
		redis_of_control(d, redis);
		return;
	}
	bool is_sentinel = r->mode == REDIS_MODE_SENTINEL;
	for (unsigned i = 0; i < r->address_count; i++)
		probe[i] = (struct doctor_probe){.kind = DOCTOR_PROBE_REDIS,
			.address = r->addresses[i],
			.user = is_sentinel ? "" : r->username,
			.password = is_sentinel ? r->sentinel_password : r->password};
	doctor_probe_all(probe, r->address_count);
	for (unsigned i = 0; i < r->address_count; i++) {
		char text[SOCKET_ADDRESS_TEXT_MAX], host[SOCKET_ADDRESS_TEXT_MAX];
		socket_address_text(&r->addresses[i], text);
		if (probe[i].end == DOCTOR_PROBE_ANSWERED) {
			doctor_add(d, DOCTOR_OK, "%s answers", text);
			continue;
		}
		if (probe[i].end == DOCTOR_PROBE_NOT_ASKED) {
			doctor_add(d, DOCTOR_UNKNOWN, "%s: %s", text, probe[i].text);
			continue;
		}
		doctor_add(d, DOCTOR_WARNING, "%s: %s", text, probe[i].text);
		doctor_do(d, "redis-cli -h %s -p %u ping",
			ip_address_text(&r->addresses[i].ip, false, host), r->addresses[i].port);
	}
}

static void clickhouse_of_control(struct doctor *d, const struct json_node *n)
{
	const char *state = json_text(n, "state"), *why = json_text(n, "why");
	if (strcmp(state, "up") == 0) {
		doctor_add(d, DOCTOR_OK, "up (%s)", json_text(n, "url"));
	} else if (strcmp(state, "starting") == 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "the control plane has written no rows yet");
	} else {
		doctor_add(d, DOCTOR_WARNING, "%s: %s", state, why);
		doctor_do(d, "weirctl log status");
	}
}

static void check_clickhouse(struct doctor *d)
{
	const struct json_node *n = json_get(doctor_status(d), "clickhouse");
	struct doctor_probe probe[CONFIG_CLICKHOUSE_URLS_MAX] = {0};
	char ping[CONFIG_CLICKHOUSE_URLS_MAX][CONFIG_URL_MAX + 8];
	if (doctor_lacks_config(d))
		return;
	const struct config_query_log_clickhouse *c = &d->config->query_log.clickhouse;
	if (c->url_count == 0) {
		doctor_add(d, DOCTOR_OK, "not configured");
		return;
	}
	if (n) {
		clickhouse_of_control(d, n);
		return;
	}
	for (unsigned i = 0; i < c->url_count; i++) {
		size_t len = strlen(c->urls[i]);
		bool has_slash = len > 0 && c->urls[i][len - 1] == '/';
		snprintf(ping[i], sizeof(ping[i]), "%.*s/ping", (int)(len - has_slash), c->urls[i]);
		probe[i] = (struct doctor_probe){
			.kind = DOCTOR_PROBE_PING, .url = ping[i], .ca_file = c->ca_file};
	}
	doctor_probe_all(probe, c->url_count);
	for (unsigned i = 0; i < c->url_count; i++) {
		char shown[CONFIG_URL_MAX];
		url_shown(ping[i], shown, sizeof(shown));
		if (probe[i].end == DOCTOR_PROBE_NOT_ASKED) {
			doctor_add(d, DOCTOR_UNKNOWN, "%s: %s", shown, probe[i].text);
		} else if (probe[i].end == DOCTOR_PROBE_ANSWERED) {
			doctor_add(d, DOCTOR_OK, "%s answers", shown);
		} else {
			doctor_add(d, DOCTOR_WARNING, "%s: %s", shown, probe[i].text);
			doctor_do(d, "curl -sS %s", TEXT_QUOTE(shown));
		}
	}
}

enum { QUERY_LEN = 17, REPLY_MAX = 4096, HEADER_LEN = 12, ASK_MS = DOCTOR_PROBE_MS / 2 };

// Writes the query `. NS` with RD set and this ID.
static void query_write(uint8_t out[QUERY_LEN], uint16_t id)
{
	static const uint8_t rest[] = {1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1};
	out[0] = (uint8_t)(id >> 8);
	out[1] = (uint8_t)id;
	memcpy(out + 2, rest, sizeof(rest));
}

// The response code of a reply to this query, as a word. NULL: it is no reply to it.
static const char *reply_code(const uint8_t *reply, size_t len, uint16_t id)
{
	static const char *const codes[] = {
		"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
	if (len < HEADER_LEN || (reply[0] << 8 | reply[1]) != id || !(reply[2] & 0x80))
		return NULL;
	unsigned code = reply[3] & 15;
	return code < ARRAY_LEN(codes) ? codes[code] : "another response code";
}

// Waits for the events until the deadline. -ETIMEDOUT or -errno.
static int fd_await(int fd, short events, uint64_t until_ms)
{
	uint64_t now = clock_mono_ms();
	struct pollfd p = {.fd = fd, .events = events};
	int n = now < until_ms ? poll(&p, 1, (int)(until_ms - now)) : 0;
	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

static int socket_open(const struct socket_address *to, int type, uint64_t until_ms)
{
	struct sockaddr_storage name;
	socklen_t len;
	int err = 0;
	socklen_t err_len = sizeof(err);
	if (!socket_address_to_sockaddr(to, &name, &len))
		return -EINVAL;
	int fd = socket(name.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int rc = connect(fd, (const struct sockaddr *)&name, len) < 0 ? -errno : 0;
	if (rc == -EINPROGRESS) {
		rc = fd_await(fd, POLLOUT, until_ms);
		if (rc == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) == 0)
			rc = -err;
	}
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

// Receives at least one byte. Returns their number, or -errno; -ECONNRESET: the server has closed.
static ssize_t some_receive(int fd, void *out, size_t cap, uint64_t until_ms)
{
	int rc = fd_await(fd, POLLIN, until_ms);
	ssize_t n = rc ? rc : recv(fd, out, cap, 0);
	if (rc)
		return rc;
	return n < 0 ? -errno : n == 0 ? -ECONNRESET : n;
}

// Sends the query over UDP. Returns the response code, or NULL with `*rc`.
static const char *udp_query(const struct socket_address *to, uint16_t id, int *rc)
{
	uint8_t query[QUERY_LEN], reply[REPLY_MAX];
	uint64_t until_ms = clock_mono_ms() + ASK_MS;
	const char *code = NULL;
	int fd = *rc = socket_open(to, SOCK_DGRAM, until_ms);
	if (fd < 0)
		return NULL;
	query_write(query, id);
	*rc = send(fd, query, sizeof(query), MSG_NOSIGNAL) < 0 ? -errno : 0;
	while (*rc == 0 && !code) {
		ssize_t n = some_receive(fd, reply, sizeof(reply), until_ms);
		*rc = n < 0 ? (int)n : 0;
		code = n < 0 ? NULL : reply_code(reply, (size_t)n, id);
	}
	close(fd);
	return code;
}

static const char *tcp_query(const struct socket_address *to, uint16_t id, int *rc)
{
	uint8_t query[2 + QUERY_LEN] = {0, QUERY_LEN}, reply[REPLY_MAX];
	uint64_t until_ms = clock_mono_ms() + ASK_MS;
	size_t have = 0;
	int fd = *rc = socket_open(to, SOCK_STREAM, until_ms);
	if (fd < 0)
		return NULL;
	query_write(query + 2, id);
	*rc = send(fd, query, sizeof(query), MSG_NOSIGNAL) < 0 ? -errno : 0;
	while (*rc == 0 && have < 2 + HEADER_LEN) {
		ssize_t n = some_receive(fd, reply + have, sizeof(reply) - have, until_ms);
		*rc = n < 0 ? (int)n : 0;
		have += n < 0 ? 0 : (size_t)n;
	}
	close(fd);
	if (*rc)
		return NULL;
	const char *code = reply_code(reply + 2, have - 2, id);
	*rc = code ? 0 : -EBADMSG;
	return code;
}

static const char *error_text(int rc)
{
	return rc == -ETIMEDOUT ? "no reply in time" : strerror(-rc);
}

// Is it -errno of a machine without a route to the server, or without a source address?
static bool is_routeless(int rc)
{
	return rc == -ENETUNREACH || rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT;
}

static void dns_probe(struct doctor_probe *p)
{
	uint16_t id = 0;
	int udp_rc, tcp_rc;
	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id))
		id = (uint16_t)clock_mono_ms(); // need not be random: no reply is cached
	const char *udp = udp_query(&p->server->address, id, &udp_rc);
	const char *tcp = tcp_query(&p->server->address, id, &tcp_rc);
	p->end = udp && tcp                                     ? DOCTOR_PROBE_ANSWERED
		 : udp || tcp                                   ? DOCTOR_PROBE_PARTLY
		 : is_routeless(udp_rc) && is_routeless(tcp_rc) ? DOCTOR_PROBE_NOT_ASKED
								: DOCTOR_PROBE_FAILED;
	snprintf(p->text, sizeof(p->text), "UDP: %s, TCP: %s", udp ? udp : error_text(udp_rc),
		tcp ? tcp : error_text(tcp_rc));
}

static void append(char *out, size_t cap, const char *fmt, ...) ATTR_PRINTF(3, 4);
static void append(char *out, size_t cap, const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list args;
	va_start(args, fmt);
	vsnprintf(out + len, cap - len, fmt, args);
	va_end(args);
}

// Reads until "+PONG" or an error of Redis. -errno.
static int pong_await(int fd, char *out, size_t cap, uint64_t until_ms)
{
	size_t len = 0;
	*out = '\0';
	while (len < cap - 1) {
		ssize_t n = some_receive(fd, out + len, cap - 1 - len, until_ms);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		out[len] = '\0';
		bool is_error = *out == '-' || strstr(out, "\n-");
		if (strstr(out, "+PONG\r\n") || (is_error && strchr(out, '\n')))
			return 0;
	}
	return -EBADMSG;
}

static void redis_probe(struct doctor_probe *p)
{
	char call[1024] = "", reply[256];
	uint64_t until_ms = clock_mono_ms() + DOCTOR_PROBE_MS;
	const char *user = p->user, *password = p->password;
	if (*password && *user)
		append(call, sizeof(call), "*3\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
			strlen(user), user, strlen(password), password);
	else if (*password)
		append(call, sizeof(call), "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n", strlen(password),
			password);
	append(call, sizeof(call), "*1\r\n$4\r\nPING\r\n");
	int fd = socket_open(&p->address, SOCK_STREAM, until_ms);
	int rc = fd < 0 ? fd : send(fd, call, strlen(call), MSG_NOSIGNAL) < 0 ? -errno : 0;
	explicit_bzero(call, sizeof(call));
	rc = rc ? rc : pong_await(fd, reply, sizeof(reply), until_ms);
	if (fd >= 0)
		close(fd);
	bool is_pong = rc == 0 && strstr(reply, "+PONG");
	p->end = is_pong            ? DOCTOR_PROBE_ANSWERED
		 : is_routeless(rc) ? DOCTOR_PROBE_NOT_ASKED
				    : DOCTOR_PROBE_FAILED;
	if (rc == 0)
		reply[strcspn(reply, "\r\n")] = '\0';
	snprintf(p->text, sizeof(p->text), "%.128s",
		rc        ? error_text(rc)
		: is_pong ? "answers"
			  : reply);
}

enum { URL_MAX = 640, PINS_TEXT_MAX = CONFIG_PINS_MAX * 56, BODY_MAX = 4096 };

struct body {
	uint8_t bytes[BODY_MAX];
	size_t len;
	struct http_coding coding;
};

// Initialises libcurl; call before the first thread.
static void curl_begin(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

// Writes the pins for curl: "sha256//...;sha256//...".
static void pins_text(const struct config_upstream_tls *tls, char out[PINS_TEXT_MAX])
{
	size_t len = 0;
	*out = '\0';
	for (unsigned i = 0; i < tls->pin_count && len < PINS_TEXT_MAX; i++) {
		char one[PIN_TEXT_MAX];
		static_assert((int)PIN_LEN == (int)CONFIG_PIN_LEN);
		ctl_pin_text(tls->pin[i], one);
		len += (size_t)snprintf(out + len, PINS_TEXT_MAX - len, "%s%s", i ? ";" : "", one);
	}
}

static size_t body_receive(char *data, size_t size, size_t count, void *arg)
{
	struct body *b = arg;
	size_t len = size * count, room = sizeof(b->bytes) - b->len;
	memcpy(b->bytes + b->len, data, len < room ? len : room);
	b->len += len < room ? len : room;
	return len;
}

static size_t header_receive(char *line, size_t size, size_t count, void *coding)
{
	const size_t len = size * count;
	return http_coding_may(coding, line, len, false) ? len : 0;
}

static CURL *request_new(const char *url, const char *ca_file, struct body *body)
{
	CURL *curl = curl_easy_init();
	if (curl && curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
		// The cleanup must not wait for a look-up that the system's resolver does not end.
		&& curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)DOCTOR_PROBE_MS) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_receive) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_receive) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_HEADERDATA, &body->coding) == CURLE_OK
		&& (!ca_file || !*ca_file
			|| curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file) == CURLE_OK))
		return curl;
	curl_easy_cleanup(curl);
	return NULL;
}

// Makes a request to the server's address, for the name in its certificate.
static CURL *server_request(const struct doctor_probe *p, struct body *body, struct curl_slist **at)
{
	const struct config_upstream *s = p->server;
	char url[URL_MAX], pins[PINS_TEXT_MAX], to[SOCKET_ADDRESS_TEXT_MAX + 16],
		ip[SOCKET_ADDRESS_TEXT_MAX];
	bool is_v6 = s->address.ip.version == 6, is_named = s->tls.name[0];
	const char *open = is_v6 ? "[" : "", *shut = is_v6 ? "]" : "";
	ip_address_text(&s->address.ip, false, ip);
	snprintf(to, sizeof(to), "::%s%s%s:%u", open, ip, shut, s->address.port);
	snprintf(url, sizeof(url), "https://%s%s%s:%u%s", is_named ? "" : open,
		is_named ? s->tls.name : ip, is_named ? "" : shut, s->address.port,
		s->tls.path[0] ? s->tls.path : "/");
	CURL *curl = request_new(url, p->ca_file, body);
	*at = curl_slist_append(NULL, to);
	pins_text(&s->tls, pins);
	if (curl && *at && curl_easy_setopt(curl, CURLOPT_CONNECT_TO, *at) == CURLE_OK
		&& (!*pins || curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, pins) == CURLE_OK))
		return curl;
	curl_easy_cleanup(curl);
	return NULL;
}

static void end_set(struct doctor_probe *p, enum doctor_probe_end end, const char *text)
{
	p->end = end;
	snprintf(p->text, sizeof(p->text), "%.160s", text);
}

// Has the machine no route to the address? weir's ports may still have one.
static bool is_unreachable(CURL *curl, CURLcode code)
{
	long err = 0;
	return code == CURLE_COULDNT_CONNECT
	       && curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &err) == CURLE_OK
	       && is_routeless((int)-err);
}

// Sends the query over the connection that curl made.
static const char *tls_query(CURL *curl)
{
	uint8_t query[2 + QUERY_LEN] = {0, QUERY_LEN}, reply[BODY_MAX];
	uint64_t until_ms = clock_mono_ms() + DOCTOR_PROBE_MS / 2;
	size_t sent = 0, have = 0;
	curl_socket_t fd = CURL_SOCKET_BAD;
	query_write(query + 2, 0);
	if (curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK
		|| curl_easy_send(curl, query, sizeof(query), &sent) != CURLE_OK
		|| sent != sizeof(query))
		return NULL;
	while (have < 14) {
		size_t n = 0;
		CURLcode code = curl_easy_recv(curl, reply + have, sizeof(reply) - have, &n);
		uint64_t now = clock_mono_ms();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (code == CURLE_OK && n == 0)
			return NULL; // the server has closed
		if (code == CURLE_OK)
			have += n;
		else if (code != CURLE_AGAIN || now >= until_ms
			 || poll(&p, 1, (int)(until_ms - now)) <= 0)
			return NULL;
	}
	return reply_code(reply + 2, have - 2, 0);
}

static void tls_probe(struct doctor_probe *p)
{
	struct body body = {.len = 0};
	struct curl_slist *at = NULL;
	char error[CURL_ERROR_SIZE] = "", text[DOCTOR_PROBE_TEXT_MAX];
	CURL *curl = server_request(p, &body, &at);
	CURLcode code = CURLE_OUT_OF_MEMORY;
	if (curl && curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_SSL_ENABLE_ALPN, 0L) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error) == CURLE_OK)
		code = curl_easy_perform(curl);
	const char *reply = code == CURLE_OK ? tls_query(curl) : NULL;
	snprintf(text, sizeof(text), "TLS: %.160s",
		reply              ? reply
		: code == CURLE_OK ? "no reply in time"
		: *error           ? error
				   : curl_easy_strerror(code));
	end_set(p,
		reply                        ? DOCTOR_PROBE_ANSWERED
		: is_unreachable(curl, code) ? DOCTOR_PROBE_NOT_ASKED
					     : DOCTOR_PROBE_FAILED,
		text);
	curl_easy_cleanup(curl);
	curl_slist_free_all(at);
}

// Sets up the query as a POST, as weir sends it.
static bool post_set(CURL *curl, struct curl_slist *heads)
{
	uint8_t query[QUERY_LEN];
	query_write(query, 0);
	return curl && heads && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, heads) == CURLE_OK
	       && curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)sizeof(query)) == CURLE_OK
	       && curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, (char *)query) == CURLE_OK;
}

static void https_probe(struct doctor_probe *p)
{
	struct body body = {.len = 0};
	struct curl_slist *at = NULL,
			  *heads = curl_slist_append(NULL, "Content-Type: application/dns-message");
	char error[CURL_ERROR_SIZE] = "", text[DOCTOR_PROBE_TEXT_MAX];
	long status = 0;
	CURL *curl = server_request(p, &body, &at);
	CURLcode code = CURLE_OUT_OF_MEMORY;
	if (post_set(curl, heads) && curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error) == CURLE_OK)
		code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	const char *reply = status == 200 ? reply_code(body.bytes, body.len, 0) : NULL;
	if (code != CURLE_OK)
		snprintf(text, sizeof(text), "HTTPS: %.160s",
			*error ? error : curl_easy_strerror(code));
	else
		snprintf(text, sizeof(text), "HTTPS: status %ld, %s", status,
			reply ? reply : "no DNS message");
	end_set(p,
		reply                        ? DOCTOR_PROBE_ANSWERED
		: is_unreachable(curl, code) ? DOCTOR_PROBE_NOT_ASKED
					     : DOCTOR_PROBE_FAILED,
		text);
	curl_easy_cleanup(curl);
	curl_slist_free_all(heads);
	curl_slist_free_all(at);
}

// Requests a URL. weir resolves names of URLs by its own servers, so a failure of the system's
// resolver means nothing.
static void url_probe(struct doctor_probe *p, bool only_head)
{
	struct body body = {.len = 0};
	char text[DOCTOR_PROBE_TEXT_MAX];
	long status = 0;
	CURL *curl = request_new(p->url, p->ca_file, &body);
	CURLcode code = CURLE_OUT_OF_MEMORY;
	if (curl && curl_easy_setopt(curl, CURLOPT_NOBODY, only_head ? 1L : 0L) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L) == CURLE_OK)
		code = curl_easy_perform(curl);
	curl_off_t lookup_us = 0;
	if (code == CURLE_OPERATION_TIMEDOUT)
		curl_easy_getinfo(curl, CURLINFO_NAMELOOKUP_TIME_T, &lookup_us);
	if (code == CURLE_COULDNT_RESOLVE_HOST) {
		end_set(p, DOCTOR_PROBE_NOT_ASKED,
			"this machine's resolver does not know the host");
	} else if (code == CURLE_OPERATION_TIMEDOUT && lookup_us == 0) {
		end_set(p, DOCTOR_PROBE_NOT_ASKED,
			"this machine's resolver does not answer in time");
	} else if (is_unreachable(curl, code)) {
		end_set(p, DOCTOR_PROBE_NOT_ASKED, "this machine has no route to it");
	} else if (code != CURLE_OK) {
		end_set(p, DOCTOR_PROBE_FAILED, curl_easy_strerror(code));
	} else {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		snprintf(text, sizeof(text), "status %ld", status);
		// Some servers refuse HEAD, but have the file.
		bool is_good = (status >= 200 && status < 300) || (only_head && status == 405);
		end_set(p, is_good ? DOCTOR_PROBE_ANSWERED : DOCTOR_PROBE_FAILED, text);
	}
	curl_easy_cleanup(curl);
}

static void *probe_run(void *arg)
{
	struct doctor_probe *p = arg;
	switch (p->kind) {
	case DOCTOR_PROBE_DNS:
		dns_probe(p);
		break;
	case DOCTOR_PROBE_TLS:
		tls_probe(p);
		break;
	case DOCTOR_PROBE_HTTPS:
		https_probe(p);
		break;
	case DOCTOR_PROBE_URL:
	case DOCTOR_PROBE_PING:
		url_probe(p, p->kind == DOCTOR_PROBE_URL);
		break;
	case DOCTOR_PROBE_REDIS:
		redis_probe(p);
		break;
	}
	return NULL;
}

// Runs all probes, DOCTOR_PROBES_MAX at most; blocks for about 2 s at most.
static void doctor_probe_all(struct doctor_probe *p, unsigned count)
{
	pthread_t thread[DOCTOR_PROBES_MAX];
	bool runs[DOCTOR_PROBES_MAX];
	curl_begin();
	for (unsigned i = 0; i < count; i++) {
		runs[i] = pthread_create(&thread[i], NULL, probe_run, &p[i]) == 0;
		if (runs[i])
			continue;
		p[i].end = DOCTOR_PROBE_NOT_ASKED;
		snprintf(p[i].text, sizeof(p->text), "no thread for it");
	}
	for (unsigned i = 0; i < count; i++)
		if (runs[i])
			pthread_join(thread[i], NULL);
}

const struct doctor_check doctor_probe_checks[] = {
	{"upstreams", check_upstreams},
	{"lists", check_lists},
	{"redis", check_redis},
	{"clickhouse", check_clickhouse},
	{NULL, NULL},
};
