// SPDX-License-Identifier: BSD-3-Clause
#include "config_entries.h"
#include "config_file.h"
#include "config_sections.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379 };

static bool same(const struct socket_address *a, const struct socket_address *b)
{
	return a->port == b->port && a->ip.version == b->ip.version
	       && memcmp(a->ip.bytes, b->ip.bytes, a->ip.version == 4 ? 4 : 16) == 0;
}

static int address_add(
	const struct config_doc *doc, const char *key, const char *text, struct config_redis *r)
{
	struct socket_address *a = &r->addresses[r->address_count++];
	uint16_t port = r->mode == REDIS_MODE_SENTINEL ? SENTINEL_PORT : REDIS_PORT;
	if (!text || socket_address_parse(text, port, a) < 0)
		return config_refuse(doc, key,
			"is not an IP address, with or without port (\"192.0.2.7\", "
			"\"[fd53::7]:6379\")");
	for (const struct socket_address *before = r->addresses; before < a; before++)
		if (same(before, a))
			return config_refuse(doc, key, "given twice");
	return 0;
}

static int addresses_apply(
	const struct config_doc *doc, const struct config_node *node, struct config_redis *r)
{
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(node, "addresses"); i++) {
		rc = config_worse(
			rc, address_add(doc, config_item_key(key, "redis.addresses", i, NULL),
				    config_node_item_text(node, "addresses", i), r));
	}
	return rc;
}

// `password` is the value of the key `instead`, "" if the file has no such key.
static int password_apply(const struct config_doc *doc, const char *key, const char *instead,
	const char *file, char **password)
{
	if (!*file)
		return 0;
	if (**password)
		return config_refuse(doc, key, "goes not with %s", instead);
	char *read;
	int rc = config_password_read(doc, key, file, &read);
	if (rc < 0)
		return rc;
	FREE_AND_NULL(*password);
	*password = read;
	return 0;
}

static int passwords_apply(const struct config_doc *doc, struct config_redis *r)
{
	int rc = password_apply(
		doc, "redis.password_file", "redis.password", r->password_file, &r->password);
	return config_worse(
		rc, password_apply(doc, "redis.sentinel_password_file", "redis.sentinel_password",
			    r->sentinel_password_file, &r->sentinel_password));
}

// A namespace is a part of keys and of patterns for SCAN, and "-meta:" may follow it.
static bool is_namespace(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";
	static const char tail[] = "-meta";
	size_t len = strlen(text), tail_len = sizeof(tail) - 1;
	return strspn(text, allowed) == len
	       && (len < tail_len || strcmp(text + len - tail_len, tail) != 0);
}

static int relations_check(const struct config_doc *doc, const struct config_redis *r)
{
	int rc = 0;
	if (r->mode != REDIS_MODE_OFF && r->address_count == 0)
		rc = config_refuse(doc, "redis.addresses", "at least one address is needed");
	if (r->mode == REDIS_MODE_STANDALONE && r->address_count > 1)
		rc = config_refuse(doc, "redis.addresses", "a standalone server has one");
	if (r->mode == REDIS_MODE_SENTINEL && !r->master_name[0])
		rc = config_refuse(doc, "redis.master_name", "is needed with sentinel");
	if (!is_namespace(r->space))
		rc = config_refuse(doc, "redis.namespace",
			"takes letters, digits, '-', '_' and '.', and does not end in \"-meta\"");
	if (r->mode == REDIS_MODE_CLUSTER && r->db != 0)
		rc = config_refuse(doc, "redis.db", "a cluster has only database 0");
	// `password` is empty if a password_file is not read.
	if (r->username[0] && !r->password[0] && !r->password_file[0])
		rc = config_refuse(doc, "redis.username", "needs a password");
	if (r->lookup_timeout_ms > r->timeout_ms)
		rc = config_refuse(doc, "redis.lookup_timeout_ms", "is above redis.timeout_ms (%u)",
			r->timeout_ms);
	return rc;
}

static int redis_apply(const struct config_doc *doc, struct config *out)
{
	int rc = addresses_apply(doc, config_section(doc, "redis"), &out->redis);
	rc = config_worse(rc, passwords_apply(doc, &out->redis));
	return config_worse(rc, relations_check(doc, &out->redis));
}

static void redis_wipe(struct config *c)
{
	if (c->redis.password)
		explicit_bzero(c->redis.password, strlen(c->redis.password));
	if (c->redis.sentinel_password)
		explicit_bzero(c->redis.sentinel_password, strlen(c->redis.sentinel_password));
}

// The section `redis`: its list of addresses, the password files, and the relations between its
// values. No message has a password.
const struct config_step config_redis_step = {.apply = redis_apply, .free = redis_wipe};
