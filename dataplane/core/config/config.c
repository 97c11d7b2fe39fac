// SPDX-License-Identifier: BSD-3-Clause

#include "config_include.h"
#include "config_keys.h"
#include "config_schema.h"
#include "config_sections.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/config.h>
#include <weir/heap_site.h>

typedef int config_step(const struct config_doc *doc, struct config *c);

struct fill {
	const struct config_doc *doc;
	struct config *c;
	int rc; // the worst of all steps
};

// Makes a step, also after one that found errors, so that all errors are reported at once. Keys
// that are refused have their defaults meanwhile.
static int step_make(struct fill *f, config_step *step)
{
	int rc = f->rc == -ENOMEM ? f->rc : step(f->doc, f->c);
	f->rc = config_worse(f->rc, rc);
	return rc;
}

static void steps_make(struct fill *f, config_step *const *steps, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		(void)step_make(f, steps[i]);
}

// A step whose input was refused is left out: its errors would only follow from those.
static void sections_fill(struct fill *f)
{
	static config_step *const alone[] = {config_limits_apply, config_cookies_apply,
		config_tls_apply, config_dnssec_apply, config_metrics_apply, config_control_apply,
		config_redis_apply, config_ipv6_apply, config_proxy_protocol_apply,
		config_client_sources_apply, config_events_apply, config_query_log_apply,
		config_updates_apply};
	const int keys = step_make(f, config_keys_apply);
	steps_make(f, alone, ARRAY_LEN(alone));
	const int dataplane = step_make(f, config_dataplane_apply);
	const int upstreams = step_make(f, config_upstreams_apply);
	static config_step *const behind_both[] = {
		config_access_apply, config_lists_apply, config_update_apply};
	steps_make(f, behind_both, ARRAY_LEN(behind_both));
	const int records = step_make(f, config_local_apply);
	// Groups name clients.
	int groups = step_make(f, config_clients_apply);
	if (groups == 0)
		groups = step_make(f, config_groups_apply);
	if (groups == 0)
		(void)step_make(f, config_dated_apply);
	if (groups == 0 && records == 0)
		(void)step_make(f, config_records_check);
	(void)step_make(f, config_forwards_apply);
	if (keys == 0)
		(void)step_make(f, config_values_check);
	if (keys == 0 && dataplane == 0 && upstreams == 0)
		(void)step_make(f, config_mbufs_check);
}

static int config_fill(const struct config_doc *doc, struct config *c)
{
	struct fill f = {.doc = doc, .c = c};
	c->path = heap_strdup(doc->absolute);
	if (!c->path || config_include_keep(doc, c) < 0)
		return -ENOMEM;
	sections_fill(&f);
	return f.rc == 0 ? config_check(doc, c) : f.rc;
}

static int doc_fill(struct config_doc *doc, struct config **out)
{
	int rc = config_schema_read(doc);
	if (rc == 0)
		rc = config_schema_check(doc);
	if (rc == 0)
		rc = config_include_read(doc);
	if (rc < 0)
		return rc;
	struct config *c = heap_calloc(1, sizeof(*c));
	rc = c ? config_fill(doc, c) : -ENOMEM;
	if (rc == 0 && doc->errors->count > 0) // unknown keys
		rc = -EINVAL;
	if (rc < 0) {
		config_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

int config_from_doc(struct config_doc *doc, struct config **out)
{
	int rc = doc_fill(doc, out);
	if (rc == -ENOMEM) {
		snprintf(doc->errors->text[0], CONFIG_WHY_MAX, "%s: out of memory", doc->path);
		doc->errors->count = 1;
	}
	return rc;
}

static int doc_load(const char *path, enum config_secrets_kind secrets, struct config **out,
	struct config_errors *errors)
{
	struct config_doc doc;
	config_doc_begin(&doc, path, secrets, errors);
	int rc = config_doc_read(&doc);
	if (rc == 0)
		rc = config_from_doc(&doc, out);
	config_doc_free(&doc);
	return rc;
}

int config_load_all(const char *path, struct config **out, struct config_errors *errors)
{
	return doc_load(path, CONFIG_SECRETS_FOUND, out, errors);
}

void config_errors_add(struct config_errors *e, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	if (e->count < CONFIG_ERRORS_MAX)
		vsnprintf(e->text[e->count], CONFIG_WHY_MAX, fmt, args);
	va_end(args);
	e->count++;
}

void config_errors_tell(const struct config_errors *errors, char why[CONFIG_WHY_MAX])
{
	char more[64] = "";
	if (errors->count > 1)
		snprintf(more, sizeof(more), "; %u more (weirctl config check)", errors->count - 1);
	snprintf(why, CONFIG_WHY_MAX, "%.*s%s", (int)(CONFIG_WHY_MAX - sizeof(more)),
		errors->text[0], more);
}

int config_load_kind(
	const char *path, enum config_secrets_kind secrets, struct config **out, char *why)
{
	struct config_errors errors;
	int rc = doc_load(path, secrets, out, &errors);
	if (rc < 0)
		config_errors_tell(&errors, why);
	return rc;
}

int config_file_check(const char *path, char why[CONFIG_WHY_MAX])
{
	struct config *config = NULL;
	int rc = config_load_kind(path, CONFIG_SECRETS_NONE, &config, why);
	config_free(config);
	return rc;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	config_redis_wipe(c);
	config_cookies_wipe(c);
	config_tls_wipe(c);
	config_dnssec_free(c);
	config_keys_free(c);
	config_dataplane_free(c);
	config_upstreams_free(c);
	config_access_free(c);
	config_limits_free(c);
	config_lists_free(c);
	config_forwards_free(c);
	config_local_free(c);
	config_query_log_free(c);
	config_events_free(c);
	config_groups_free(c);
	config_dated_free(c);
	config_clients_free(c);
	config_include_free(c);
	FREE_AND_NULL(c->path);
	heap_free(c);
}
