// SPDX-License-Identifier: BSD-3-Clause
// The section `events`, and the server of each webhook, those of query_log included.

#include "config_entries.h"
#include "config_keys.h"
#include "config_sections.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/text.h>
#include <weir/url.h>

enum { SYSLOG_PORT = 514 };

static int ca_file_take(const struct config_doc *doc, const char *key, const char *path,
	struct config_webhook_to *w)
{
	if (*path != '/')
		return config_refuse(doc, key, "must be an absolute path");
	if (strncmp(w->url, "https:", 6) != 0)
		return config_refuse(doc, key, "is for URLs with https");
	return config_text_take(doc, key, path, CONFIG_CA_FILE_MAX, &w->ca_file);
}

int config_webhook_take(const struct config_doc *doc, const char *list, unsigned i,
	const struct config_node *node, struct config_webhook_to *w)
{
	char owner[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	int64_t form = WEBHOOK_GENERIC, per_minute = 60;
	const char *ca_file = config_node_text(node, "ca_file");
	config_item_key(owner, list, i, NULL);
	int rc = config_text_take(doc, config_item_key(key, list, i, "url"),
		config_node_text(node, "url"), CONFIG_URL_MAX, &w->url);
	struct url url;
	if (rc == 0 && url_parse(w->url, &url) < 0)
		rc = config_refuse(doc, key, "is not a URL with http or https");
	const bool has_url = rc == 0;
	rc = config_worse(rc, config_choice_of(doc, owner, node, "form", "webhook_form", &form));
	rc = config_worse(
		rc, config_number_of(doc, owner, node, "per_minute", 1, 600, &per_minute));
	if (has_url && ca_file && *ca_file)
		rc = config_worse(rc,
			ca_file_take(doc, config_item_key(key, list, i, "ca_file"), ca_file, w));
	w->form = (enum webhook_form)form;
	w->per_minute = (uint32_t)per_minute;
	return rc;
}

void config_webhook_free(struct config_webhook_to *w)
{
	FREE_AND_NULL(w->url);
	FREE_AND_NULL(w->ca_file);
}

bool config_webhook_differs(const struct config_webhook_to *a, const struct config_webhook_to *b)
{
	return strcmp(a->url, b->url) != 0 || a->form != b->form || a->per_minute != b->per_minute
	       || strcmp(a->ca_file ? a->ca_file : "", b->ca_file ? b->ca_file : "") != 0;
}

static const char *const kinds[EVENT_KIND_COUNT] = {
#define X(name, severity) #name,
	EVENT_KINDS(X)
#undef X
};

static int kind_take(const struct config_doc *doc, const char *key, const char *text, uint32_t *set)
{
	struct text_near near;
	if (!text || !*text)
		return config_refuse(doc, key, "has no value");
	text_near_begin(&near, text);
	for (unsigned i = 0; i < EVENT_KIND_COUNT; i++) {
		text_near_try(&near, kinds[i]);
		if (strcmp(text, kinds[i]) != 0)
			continue;
		*set |= UINT32_C(1) << i;
		return 0;
	}
	return config_refuse_near(doc, key, near.best, "is no kind of event");
}

static int webhook_take(const struct config_doc *doc, unsigned i, const struct config_node *node,
	struct config_event_webhook *w)
{
	const char *list = "events.webhooks";
	char key[CONFIG_PATH_MAX], kind_key[CONFIG_PATH_MAX];
	int64_t severity = EVENT_IS_info;
	int rc = config_webhook_take(doc, list, i, node, &w->to);
	config_item_key(key, list, i, "kinds");
	for (unsigned k = 0; k < config_node_count(node, "kinds"); k++)
		rc = config_worse(rc, kind_take(doc, config_item_key(kind_key, key, k, NULL),
					      config_node_item_text(node, "kinds", k), &w->kinds));
	if (config_node_count(node, "kinds") == 0)
		w->kinds = EVENT_KINDS_ALL;
	config_item_key(key, list, i, NULL);
	rc = config_worse(
		rc, config_choice_of(doc, key, node, "severity", "event_severity", &severity));
	w->severity = (enum event_severity)severity;
	return rc;
}

static int syslog_take(const struct config_doc *doc, struct config_events *e)
{
	static const char key[] = "events.syslog";
	if (!*e->syslog)
		return 0;
	if (socket_address_parse(e->syslog, SYSLOG_PORT, &e->syslog_address) < 0)
		return config_refuse(doc, key,
			"is not an IP address, with or without port (\"192.0.2.7:514\", "
			"\"[fd53::7]:6514\")");
	return config_address_is_host(&e->syslog_address.ip)
		       ? 0
		       : config_refuse(doc, key, "is not the address of a host");
}

static int events_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *r = config_section(doc, "events");
	struct config_events *e = &out->events;
	int rc = syslog_take(doc, e);
	if (config_node_count(r, "webhooks") == 0)
		return rc;
	e->webhooks = heap_calloc(config_node_count(r, "webhooks"), sizeof(*e->webhooks));
	if (!e->webhooks)
		return -ENOMEM;
	e->webhook_count = config_node_count(r, "webhooks");
	for (unsigned i = 0; i < config_node_count(r, "webhooks"); i++)
		rc = config_worse(rc,
			webhook_take(doc, i, config_node_item(r, "webhooks", i), &e->webhooks[i]));
	return rc;
}

bool config_events_differ(const struct config_events *a, const struct config_events *b)
{
	if (a->journal != b->journal || strcmp(a->syslog, b->syslog) != 0
		|| a->syslog_transport != b->syslog_transport
		|| a->webhook_count != b->webhook_count)
		return true;
	for (unsigned i = 0; i < a->webhook_count; i++) {
		const struct config_event_webhook *x = &a->webhooks[i], *y = &b->webhooks[i];
		if (config_webhook_differs(&x->to, &y->to) || x->kinds != y->kinds
			|| x->severity != y->severity)
			return true;
	}
	return false;
}

static void events_free(struct config *c)
{
	for (unsigned i = 0; i < c->events.webhook_count; i++)
		config_webhook_free(&c->events.webhooks[i].to);
	FREE_AND_NULL(c->events.webhooks);
}

// The lists and the syslog server of the section `events`.
const struct config_step config_events_step = {.apply = events_apply, .free = events_free};
