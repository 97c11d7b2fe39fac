// SPDX-License-Identifier: BSD-3-Clause
// GET /local, POST /local/add and /local/remove: local records; GET /upstreams/servers, POST
// /upstreams/add and /upstreams/remove: servers.

#include "base/rdata_text.h"
#include "verb.h"
#include "verb_put.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/dns_name.h>
#include <weir/heap_site.h>
#include <weir/known.h>
#include <weir/rdata_parse.h>
#include <weir/text.h>

enum {
	RECORD_NAME_MAX = DNS_NAME_TEXT_MAX + 2,
	SERVER_TEXT_MAX = 512,
	TTL_TEXT_MAX = 12,
	RECORDS_SHOWN = 1000
};

// Writes a name like "nas.lan" or "*.lan" in canonical form. NULL, or what is wrong with it.
static const char *name_text(const char *text, char out[RECORD_NAME_MAX])
{
	const bool any = strncmp(text, "*.", 2) == 0;
	struct dns_name name;
	char shown[DNS_NAME_TEXT_MAX], ascii[API_ASCII_MAX];
	const char *rest = api_param_ascii(any ? text + 2 : text, ascii);
	const int err = dns_name_from_text(rest, strlen(rest), &name);
	if (err < 0 || name.labels == 0)
		return dns_name_text_why(err);
	snprintf(out, RECORD_NAME_MAX, "%s%s", any ? "*." : "", dns_name_to_text(&name, shown));
	return NULL;
}

// Takes a name like "nas.lan" or "*.lan" in canonical form. False: replied with an error.
static bool name_take(struct http_exchange *x, char out[RECORD_NAME_MAX])
{
	const char *wrong = name_text(http_param(x, "name"), out);
	if (wrong)
		api_refuse(x, 400, "name: %s", wrong);
	return !wrong;
}

// The type in its usual spelling; NULL: replied with an error.
static const char *type_take(struct http_exchange *x, uint16_t *type)
{
	if (rdata_parse_type(http_param(x, "type"), type))
		return rdata_parse_type_text(*type);
	api_refuse(x, 400, "type: must be one of: " RDATA_PARSE_TYPES);
	return NULL;
}

static bool value_check(struct http_exchange *x, uint16_t type, const char *value)
{
	uint8_t rdata[RDATA_PARSE_MAX];
	uint16_t len;
	const char *why;
	if (rdata_parse(type, value, strlen(value), rdata, &len, &why) == 0)
		return true;
	api_refuse(x, 400, "value: %s", why);
	return false;
}

static void record_out(struct verb *v, const struct managed_record *r)
{
	json_out_text(v->reply, verb_root(v), "name", r->name);
	json_out_text(v->reply, verb_root(v), "type", r->type ? r->type : "");
	json_out_text(v->reply, verb_root(v), "value", r->value ? r->value : "");
}

// Adds a local record.
static void serve_local_add(struct api *a, struct http_exchange *x)
{
	char name[RECORD_NAME_MAX], usual[TTL_TEXT_MAX];
	uint16_t type;
	struct managed_record r = {.name = name,
		.usual_ttl = usual,
		.value = http_param(x, "value"),
		.ttl = http_param(x, "ttl")};
	if (!name_take(x, name) || !(r.type = type_take(x, &type))
		|| !value_check(x, type, r.value))
		return;
	struct verb *v = verb_begin(a, x);
	if (!v)
		return;
	snprintf(usual, sizeof(usual), "%u", verb_config(v)->local.ttl_s);
	const int err = config_managed_record_add(v->managed, &r);
	if (err == -EEXIST) {
		verb_refuse(v, 409, "that record has another TTL: weirctl local remove %s %s %s",
			TEXT_QUOTE(name), r.type, TEXT_QUOTE(r.value));
		return;
	}
	if (err < 0) {
		verb_fail(v, err);
		return;
	}
	record_out(v, &r);
	if (err > 0)
		verb_unchanged(v);
	else
		verb_apply(v, "local add %s %s", name, r.type);
}

// Removes local records.
static void serve_local_remove(struct api *a, struct http_exchange *x)
{
	char name[RECORD_NAME_MAX];
	uint16_t type;
	struct managed_record r = {.name = name, .value = http_param(x, "value")};
	if (!name_take(x, name) || (http_param(x, "type") && !(r.type = type_take(x, &type))))
		return;
	struct verb *v = verb_begin(a, x);
	if (!v)
		return;
	const struct config_item item = {CONFIG_ITEM_RECORD, name, NULL, NULL, r.type};
	const int removed = config_managed_record_remove(v->managed, &r);
	if (removed == -ENOENT
		&& verb_is_of_file(
			v, &item, "that record", "edit the file, then run weirctl config apply"))
		return;
	if (removed < 0) {
		verb_absent(v, "no local record \"%s\"%s%s%s", name, r.type ? " of type " : "",
			r.type ? r.type : "", r.value ? " with that value" : "");
		return;
	}
	record_out(v, &r);
	json_out_count(v->reply, verb_root(v), "removed", (uint64_t)removed);
	verb_apply(v, "local remove %s%s%s", name, r.type ? " " : "", r.type ? r.type : "");
}

// Writes the value as in a zone file, by way of a message with that record alone.
static bool value_text(const struct config_record *r, struct rdata_record *out)
{
	uint8_t message[12 + 11 + RDATA_PARSE_MAX] = {0};
	uint8_t *at = message + 12 + 1; // behind the header and the root as its name
	if (r->rdata_len > RDATA_PARSE_MAX)
		return false;
	put_u16(at, r->type);
	put_u16(at + 2, 1);
	put_u32(at + 4, r->ttl_s);
	put_u16(at + 8, r->rdata_len);
	memcpy(at + 10, r->rdata, r->rdata_len);
	struct rd msg = rd_init(message, 12 + 11 + (size_t)r->rdata_len);
	rd_skip(&msg, 12);
	return rdata_record_read(&msg, out);
}

static const char *record_name(const struct config_record *r, char out[RECORD_NAME_MAX])
{
	char text[DNS_NAME_TEXT_MAX];
	snprintf(out, RECORD_NAME_MAX, "%s%s", r->wildcard ? "*." : "",
		dns_name_to_text(&r->name, text));
	return out;
}

static void record_list(struct json_out *o, struct json_node *list, const char *group,
	const struct config_record *records, unsigned count, struct config_managed *m,
	unsigned *room, uint64_t *left_out)
{
	char name[RECORD_NAME_MAX], type[DNS_TYPE_TEXT_MAX];
	struct rdata_record value;
	for (unsigned i = 0; i < count; i++) {
		const struct config_record *r = &records[i];
		if (*room == 0 || !value_text(r, &value)) {
			++*left_out;
			continue;
		}
		--*room;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", record_name(r, name));
		json_out_text(o, n, "type", dns_type_text(r->type, type));
		json_out_text(o, n, "value", value.data);
		json_out_count(o, n, "ttl_s", r->ttl_s);
		json_out_text(o, n, "group", group);
		const struct managed_record same = {
			.name = name, .type = type, .value = value.data};
		json_out_bool(o, n, "removable", m && config_managed_record_remove(m, &same) >= 0);
	}
}

// Replies with local records of the configuration, without hosts files. Records beyond
// RECORDS_SHOWN are only counted.
static void serve_local(struct api *a, struct http_exchange *x)
{
	const struct config *c = a->deps.config_current(a->deps.reload_arg);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o), *list = json_out_array(o, root, "records");
	unsigned room = RECORDS_SHOWN;
	uint64_t left_out = 0;
	struct config_managed *m = verb_managed(a);
	record_list(o, list, "", c->local.records, c->local.record_count, m, &room, &left_out);
	config_managed_free(m);
	for (unsigned g = 0; g < c->group_count; g++)
		record_list(o, list, c->groups[g].name, c->groups[g].records,
			c->groups[g].record_count, NULL, &room, &left_out);
	json_out_count(o, root, "left_out", left_out);
	http_reply(x, 200, json_out_finish(o));
}

const struct api_part api_local_part = {
	.endpoint = {{"/local", serve_local, API_GET, CONTROL_READ, ""},
		{"/local/add", serve_local_add, API_POST, CONTROL_ADMIN,
			"name! type! value! ttl why if_version"},
		{"/local/remove", serve_local_remove, API_POST, CONTROL_ADMIN,
			"name! type value why if_version"}},
};

enum { R_NAME, R_TYPE, R_VALUE, R_GROUP, R_TTL };

// The last `managed` records are of the managed part.
static void some_in_force(const char *group, const struct config_record *records, unsigned count,
	unsigned managed, struct put_items *out)
{
	struct rdata_record value;
	char name[RECORD_NAME_MAX], type[DNS_TYPE_TEXT_MAX], ttl[TTL_TEXT_MAX];
	for (unsigned i = 0; i < count; i++) {
		const struct config_record *r = &records[i];
		if (!value_text(r, &value))
			continue;
		snprintf(ttl, sizeof(ttl), "%u", r->ttl_s);
		const char *const text[PUT_FIELDS_MAX] = {[R_NAME] = record_name(r, name),
			[R_TYPE] = dns_type_text(r->type, type),
			[R_VALUE] = value.data,
			[R_GROUP] = group,
			[R_TTL] = ttl};
		(void)put_items_add(out, text, i + managed >= count);
	}
}

static void records_in_force(
	const struct verb *v, struct config_managed *copy, struct put_items *out)
{
	const struct config *c = verb_config(v);
	some_in_force("", c->local.records, c->local.record_count,
		config_managed_record_count(copy), out);
	for (unsigned g = 0; g < c->group_count; g++)
		some_in_force(
			c->groups[g].name, c->groups[g].records, c->groups[g].record_count, 0, out);
}

// Brings the value into the form in which GET shows it. NULL, or what is wrong.
static const char *value_read(struct put_asked *asked, uint16_t type)
{
	uint8_t rdata[RDATA_PARSE_MAX];
	struct config_record r = {.type = type, .rdata = rdata};
	struct rdata_record value;
	const char *text = asked->text[R_VALUE], *why;
	if (rdata_parse(type, text, strlen(text), rdata, &r.rdata_len, &why) < 0)
		return why;
	return value_text(&r, &value) && put_asked_set(asked, R_VALUE, value.data) ? NULL
										   : "is too long";
}

static bool record_check(const struct verb *v, struct put_asked *asked, char why[API_WHY_MAX])
{
	char name[RECORD_NAME_MAX], ttl[TTL_TEXT_MAX];
	uint16_t type = 0;
	const char *key = "name", *wrong = name_text(asked->text[R_NAME], name);
	if (!wrong && !put_asked_set(asked, R_NAME, name))
		wrong = "is too long";
	if (!wrong && !rdata_parse_type(asked->text[R_TYPE], &type)) {
		key = "type";
		wrong = "must be one of: " RDATA_PARSE_TYPES;
	}
	if (!wrong) {
		key = "value";
		asked->text[R_TYPE] = rdata_parse_type_text(type);
		wrong = value_read(asked, type);
	}
	if (!wrong && *asked->text[R_GROUP]) {
		key = "group";
		wrong = "records of a group are its local_records, which config override sets";
	}
	snprintf(ttl, sizeof(ttl), "%u", verb_config(v)->local.ttl_s);
	if (!wrong && !*asked->text[R_TTL] && !put_asked_set(asked, R_TTL, ttl))
		wrong = "is too long";
	if (wrong)
		snprintf(why, API_WHY_MAX, "%s: %s", key, wrong);
	return !wrong;
}

static int record_drop(struct config_managed *m, const struct put_item *one)
{
	const struct managed_record r = {
		.name = one->text[R_NAME], .type = one->text[R_TYPE], .value = one->text[R_VALUE]};
	const int removed = config_managed_record_remove(m, &r);
	return removed < 0 ? removed : 0;
}

static int record_set(const struct verb *v, const struct put_item *one, char[CONFIG_WHY_MAX])
{
	char usual[TTL_TEXT_MAX];
	snprintf(usual, sizeof(usual), "%u", verb_config(v)->local.ttl_s);
	const struct managed_record r = {.name = one->text[R_NAME],
		.type = one->text[R_TYPE],
		.value = one->text[R_VALUE],
		.ttl = strcmp(one->text[R_TTL], usual) == 0 ? NULL : one->text[R_TTL]};
	if (one->before && !one->before->is_managed)
		return -EEXIST;
	const int rc = one->before ? record_drop(v->managed, one) : 0;
	return rc == 0 ? config_managed_record_add(v->managed, &r) : rc;
}

const struct put_kind put_local = {.name = "records",
	.keys = R_GROUP + 1,
	.field = {{"name", PUT_TEXT, true, NULL}, {"type", PUT_TEXT, true, NULL},
		{"value", PUT_TEXT, true, NULL}, {"group", PUT_TEXT, false, NULL},
		{"ttl_s", PUT_NUMBER, false, NULL}},
	.reported = "removable",
	.beside = "left_out",
	.in_force = records_in_force,
	.check = record_check,
	.set = record_set,
	.remove = record_drop};

static const char *server_take(struct http_exchange *x)
{
	const char *server = http_param(x, "server");
	if (*server && strlen(server) < SERVER_TEXT_MAX)
		return server;
	api_refuse(x, 400, "server: must have 1 to %d bytes", SERVER_TEXT_MAX - 1);
	return NULL;
}

// Adds an upstream server.
static void serve_server_add(struct api *a, struct http_exchange *x)
{
	const char *server = server_take(x);
	struct verb *v = server ? verb_begin(a, x) : NULL;
	if (!v)
		return;
	const int err = config_managed_server_add(v->managed, server, http_param(x, "name"));
	if (err == -EEXIST) {
		verb_refuse(v, 409, "that server has another name: weirctl upstream remove %s",
			TEXT_QUOTE(server));
		return;
	}
	if (err < 0) {
		verb_fail(v, err);
		return;
	}
	json_out_text(v->reply, verb_root(v), "server", server);
	if (err > 0)
		verb_unchanged(v);
	else
		verb_apply(v, "upstream add %s", server);
}

// Removes an upstream server.
static void serve_server_remove(struct api *a, struct http_exchange *x)
{
	const char *server = server_take(x);
	struct verb *v = server ? verb_begin(a, x) : NULL;
	if (!v)
		return;
	const struct config_item item = {.kind = CONFIG_ITEM_SERVER, .name = server};
	char path[SERVER_TEXT_MAX + 32], advice[TEXT_QUOTE_MAX + 128];
	snprintf(path, sizeof(path), "upstreams.servers[%s]", server);
	snprintf(advice, sizeof(advice),
		"weirctl upstream drain stops its use until a restart, weirctl config unset %s "
		"removes it",
		TEXT_QUOTE(path));
	const int err = config_managed_server_remove(v->managed, server);
	if (err == -ENOENT && verb_is_of_file(v, &item, "that server", advice))
		return;
	if (err < 0) {
		verb_absent(v, "no server \"%s\" in upstreams.servers", server);
		return;
	}
	json_out_text(v->reply, verb_root(v), "server", server);
	verb_apply(v, "upstream remove %s", server);
}

struct servers_look {
	struct json_out *o;
	struct json_node *list;
	const struct config_upstreams *config;
	struct config_managed *managed; // a copy; NULL: nothing can be edited
};

static void server_out(void *arg, unsigned i, const char *address)
{
	struct servers_look *l = arg;
	if (i >= l->config->count)
		return;
	struct json_node *n = json_out_object(l->o, l->list, NULL);
	json_out_text(l->o, n, "server", address);
	json_out_text(l->o, n, "name", l->config->server[i].name);
	json_out_bool(l->o, n, "removable",
		l->managed && config_managed_server_remove(l->managed, address) == 0);
}

static void known_servers_out(
	struct json_out *o, struct json_node *resolver, const char *key, const char *const *server)
{
	struct json_node *list = json_out_array(o, resolver, key);
	for (; *server; server++)
		json_out_text(o, list, NULL, *server);
}

// Replies with upstreams.servers as the configuration writes them, and with the public resolvers
// that weirctl knows.
static void serve_servers(struct api *a, struct http_exchange *x)
{
	const struct api_deps *d = &a->deps;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	struct servers_look l = {.o = o,
		.list = json_out_array(o, root, "servers"),
		.config = &d->config_current(d->reload_arg)->upstreams,
		.managed = verb_managed(a)};
	const int rc = d->config_bundle
			       ? config_servers(d->config_bundle(d->reload_arg), server_out, &l)
			       : 0;
	config_managed_free(l.managed);
	struct json_node *known = json_out_array(o, root, "known");
	const struct known_resolver *r;
	for (unsigned i = 0; (r = known_resolver_at(i)) != NULL; i++) {
		struct json_node *n = json_out_object(o, known, NULL);
		json_out_text(o, n, "name", r->name);
		known_servers_out(o, n, "ipv4", r->ipv4);
		known_servers_out(o, n, "ipv6", r->ipv6);
	}
	verb_reply(x, o, rc);
}

const struct api_part api_servers_part = {
	.endpoint = {{"/upstreams/servers", serve_servers, API_GET, CONTROL_ADMIN, ""},
		{"/upstreams/add", serve_server_add, API_POST, CONTROL_ADMIN,
			"server! name why if_version"},
		{"/upstreams/remove", serve_server_remove, API_POST, CONTROL_ADMIN,
			"server! why if_version"}},
};
