// SPDX-License-Identifier: BSD-3-Clause

// The sections `metrics` and `control`: what weir serves over the network beside DNS.
#include "config_entries.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { CONTROL_PORT = 9953, METRICS_PORT = 9153 };

static const char section_listen[] = "control.listen", section_allow[] = "control.allow",
		  section_certificates[] = "control.certificates",
		  section_clients[] = "control.clients";
static const char *const shipped[] = {"127.0.0.0/8", "::1"};

static int listen_take(
	const struct config_doc *doc, const char *key, const char *text, struct config_control *c)
{
	struct socket_address *a = &c->listen[c->listen_count];
	if (!text || socket_address_parse(text, CONTROL_PORT, a) < 0)
		return config_refuse(doc, key,
			"is not an IP address, with or without port (\"192.0.2.7:9953\", "
			"\"[fd53::7]:9953\")");
	for (unsigned i = 0; i < c->listen_count; i++)
		if (memcmp(&c->listen[i], a, sizeof(*a)) == 0)
			return config_refuse(doc, key, "stands in the list twice");
	c->listen_count++;
	return 0;
}

static int allow_take(const struct config_doc *doc, const char *key, const char *text,
	struct ip_address *allow, unsigned *count)
{
	struct ip_address a;
	if (!text || ip_address_parse(text, &a) < 0)
		return config_refuse(
			doc, key, "is not an IP address, with or without /prefix length");
	int rc = config_prefix_check(doc, key, &a);
	if (rc == 0)
		allow[(*count)++] = a;
	return rc;
}

// Reads the clients of a section; without one, clients of this machine.
static int allows_take(const struct config_doc *doc, const char *list,
	const struct config_node *items, struct ip_address *allow, unsigned *count)
{
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_list_count(items); i++)
		rc = config_worse(rc, allow_take(doc, config_item_key(key, list, i, NULL),
					      items->child[i]->text, allow, count));
	for (unsigned i = 0; config_list_count(items) == 0 && i < ARRAY_LEN(shipped); i++)
		rc = config_worse(rc, allow_take(doc, list, shipped[i], allow, count));
	return rc;
}

// Has `allow` a prefix of this IP version? An address of another version would serve no client.
static bool has_family(const struct ip_address *allow, unsigned count, unsigned version)
{
	for (unsigned i = 0; i < count; i++)
		if (allow[i].version == version)
			return true;
	return false;
}

// Is it a host name of 1 to `max` bytes?
static bool is_name(const char *text, size_t max)
{
	const size_t len = text ? strlen(text) : 0;
	return len > 0 && len <= max
	       && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "0123456789-_.")
			  == len;
}

// Copies a host name without a final dot.
static void host_take(const char *text, char out[CONFIG_METRICS_HOST_MAX + 1])
{
	const size_t len = strlen(text);
	snprintf(out, CONFIG_METRICS_HOST_MAX + 1, "%.*s", (int)(len - (text[len - 1] == '.')),
		text);
}

static int hosts_take(
	const struct config_doc *doc, const struct config_node *r, struct config_metrics *m)
{
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(r, "hosts"); i++) {
		if (!is_name(config_node_item_text(r, "hosts", i), CONFIG_METRICS_HOST_MAX))
			rc = config_worse(rc,
				config_refuse(doc, config_item_key(key, "metrics.hosts", i, NULL),
					"is not a host name of letters, digits, \"-\", \"_\" "
					"and \".\""));
		else
			host_take(config_node_item_text(r, "hosts", i), m->host[m->host_count++]);
	}
	return rc;
}

static int metrics_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *r = config_section(doc, "metrics");
	struct config_metrics *m = &out->metrics;
	int rc = allows_take(
		doc, "metrics.allow", config_node_list(r, "allow"), m->allow, &m->allow_count);
	rc = config_worse(rc, hosts_take(doc, r, m));
	if (rc < 0 || !*m->listen)
		return rc;
	if (socket_address_parse(m->listen, METRICS_PORT, &m->address) < 0)
		return config_refuse(doc, "metrics.listen",
			"is not an IP address, with or without port (\"192.0.2.7:9153\", "
			"\"[fd53::7]:9153\")");
	if (!has_family(m->allow, m->allow_count, m->address.ip.version))
		return config_refuse(
			doc, "metrics.allow", "has nobody of the address family of metrics.listen");
	return 0;
}

static int addresses_take(
	const struct config_doc *doc, const struct config_node *r, struct config_control *c)
{
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(r, "listen"); i++)
		rc = config_worse(
			rc, listen_take(doc, config_item_key(key, section_listen, i, NULL),
				    config_node_item_text(r, "listen", i), c));
	rc = config_worse(rc, allows_take(doc, section_allow, config_node_list(r, "allow"),
				      c->allow, &c->allow_count));
	for (unsigned i = 0; rc == 0 && i < c->listen_count; i++)
		if (!has_family(c->allow, c->allow_count, c->listen[i].ip.version))
			rc = config_refuse(doc, section_allow,
				"has nobody of the address family of control.listen");
	return rc;
}

static int certificates_take(
	const struct config_doc *doc, const struct config_node *r, struct config_control *c)
{
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(r, "certificates"); i++) {
		struct config_certificate *one = &c->certificate[c->count++];
		const struct config_node *from = config_node_item(r, "certificates", i);
		rc = config_worse(rc, config_certificate_path_take(doc,
					      config_item_key(key, section_certificates, i, "cert"),
					      config_node_text(from, "cert"), one->cert));
		rc = config_worse(rc, config_certificate_path_take(doc,
					      config_item_key(key, section_certificates, i, "key"),
					      config_node_text(from, "key"), one->key));
	}
	return rc;
}

static enum control_role role_of(const char *text)
{
	static const char *const word[] = {[CONTROL_SYNC] = "sync",
		[CONTROL_READ] = "read",
		[CONTROL_OPERATE] = "operate",
		[CONTROL_ADMIN] = "admin"};
	for (unsigned i = CONTROL_SYNC; text && i < ARRAY_LEN(word); i++)
		if (strcmp(text, word[i]) == 0)
			return (enum control_role)i;
	return CONTROL_NONE;
}

static int client_take(const struct config_doc *doc, unsigned i, const struct config_node *r,
	struct config_control *c)
{
	char key[CONFIG_PATH_MAX];
	struct config_control_client *one = &c->client[c->client_count];
	if (!is_name(config_node_text(r, "name"), CONFIG_CONTROL_NAME_MAX))
		return config_refuse(doc, config_item_key(key, section_clients, i, "name"),
			"is not a name of 1 to 63 letters, digits, \"-\", \"_\" and \".\"");
	one->role = role_of(config_node_text(r, "role"));
	if (one->role == CONTROL_NONE)
		return config_refuse(doc, config_item_key(key, section_clients, i, "role"),
			"is not sync, read, operate or admin");
	for (unsigned at = 0; at < c->client_count; at++)
		if (strcasecmp(c->client[at].name, config_node_text(r, "name")) == 0)
			return config_refuse(doc, config_item_key(key, section_clients, i, "name"),
				"the name \"%s\" is given twice", config_node_text(r, "name"));
	snprintf(one->name, sizeof(one->name), "%s", config_node_text(r, "name"));
	c->client_count++;
	return 0;
}

static int control_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *r = config_section(doc, "control");
	struct config_control *c = &out->control;
	int rc = addresses_take(doc, r, c);
	rc = config_worse(rc, certificates_take(doc, r, c));
	for (unsigned i = 0; i < config_node_count(r, "clients"); i++)
		rc = config_worse(rc, client_take(doc, i, config_node_item(r, "clients", i), c));
	if (c->client_ca[0] && c->client_ca[0] != '/')
		rc = config_worse(
			rc, config_refuse(doc, "control.client_ca", "must be an absolute path"));
	if (c->client_count && !c->client_ca[0])
		rc = config_worse(
			rc, config_refuse(doc, section_clients, "needs control.client_ca"));
	if (c->listen_count && c->count == 0 && out->tls.count == 0)
		rc = config_worse(rc, config_refuse(doc, section_listen,
					      "needs a certificate and its key in "
					      "control.certificates or tls.certificates"));
	return rc;
}

// The section `metrics`: the address that serves them, and the clients that may read them.
const struct config_step config_metrics_step = {.apply = metrics_apply};

// The section `control`: addresses, clients and certificates of the control API on the network.
const struct config_step config_control_step = {.apply = control_apply};
