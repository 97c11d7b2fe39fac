// SPDX-License-Identifier: BSD-3-Clause

#include "config_raw.h"

#include "config_keys.h"
#include "config_walk.h"

#include <cyaml/cyaml.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/text.h>

// cyaml's report: the first error line, and the path put together from its backtrace, which goes
// from the innermost to the outermost ("in mapping field 'x'", "in sequence entry '2'").
struct raw_report {
	char reason[160];
	char path[CONFIG_PATH_MAX];
};

static void report_prepend(struct raw_report *r, const char *part, size_t part_len)
{
	size_t len = strlen(r->path);
	size_t dot = len > 0 && r->path[0] != '[' ? 1 : 0;
	if (part_len + dot + len >= sizeof(r->path))
		return;
	memmove(r->path + part_len + dot, r->path, len + 1);
	memcpy(r->path, part, part_len);
	if (dot)
		r->path[part_len] = '.';
}

static void report_line(cyaml_log_t, void *ctx, const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));
static void report_line(cyaml_log_t, void *ctx, const char *fmt, va_list args)
{
	struct raw_report *r = ctx;
	char line[CONFIG_PATH_MAX + 64];
	vsnprintf(line, sizeof(line), fmt, args);
	size_t len = strlen(line);
	if (len > 0 && line[len - 1] == '\n')
		line[len - 1] = '\0';

	// What kind of line it is must come from the format: the text may quote the document. The
	// names in a backtrace are from the schema.
	const char *quote = strchr(line, '\'');
	if (strstr(fmt, "in mapping field '") && quote) {
		report_prepend(r, quote + 1, strcspn(quote + 1, "'"));
	} else if (strstr(fmt, "in sequence entry '") && quote) {
		char item[32];
		unsigned entry = (unsigned)strtoul(quote + 1, NULL, 10);
		int n = snprintf(item, sizeof(item), "[%u]", entry > 0 ? entry - 1 : 0);
		report_prepend(r, item, (size_t)n);
	} else if (!r->reason[0] && !strstr(fmt, "Backtrace")) {
		const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
		snprintf(r->reason, sizeof(r->reason), "%.*s", (int)sizeof(r->reason) - 1, text);
	}
}

// cyaml speaks of events; an operator knows mappings, lists and values.
static const char *report_reason(const struct raw_report *r)
{
	if (strstr(r->reason, "Expecting MAPPING"))
		return "expected keys below it";
	if (strstr(r->reason, "Expecting SEQUENCE"))
		return "expected a list";
	if (strstr(r->reason, "Expecting STRING"))
		return "expected one value";
	return r->reason[0] ? r->reason : "cannot be read";
}

static int raw_refuse(const struct config_doc *doc, struct raw_report *r)
{
	const char *most = strstr(r->reason, "Excessive entries (");
	char *item = strrchr(r->path, '[');
	if (most && item) {
		*item = '\0';
		return config_refuse(doc, r->path, "more than %lu entries",
			strtoul(strchr(most, '(') + 1, NULL, 10));
	}
	char shown[sizeof(r->reason)];
	return config_refuse(doc, r->path[0] ? r->path : "document", "%s",
		text_escape(report_reason(r), shown, sizeof(shown)));
}

static void *raw_memory(void *, void *p, size_t n)
{
	if (n > 0)
		return heap_cyaml_realloc(p, n);
	heap_free(p);
	return NULL;
}

// The schema's fields at a path with keys, or NULL.
static const cyaml_schema_field_t *fields_at(const char *path)
{
	const cyaml_schema_value_t *value = &config_raw_document;
	while (*path) {
		size_t len = strcspn(path, ".[");
		if (len > 0) {
			const cyaml_schema_field_t *f =
				value->type == CYAML_MAPPING ? value->mapping.fields : NULL;
			while (f && f->key
				&& (strlen(f->key) != len || strncmp(f->key, path, len) != 0))
				f++;
			if (!f || !f->key)
				return NULL;
			value = &f->value;
		} else if (*path == '[') {
			if (value->type != CYAML_SEQUENCE)
				return NULL;
			value = value->sequence.entry;
			len = strcspn(path, "]");
			len += path[len] == ']';
		} else {
			len = 1; // the dot
		}
		path += len;
	}
	return value->type == CYAML_MAPPING ? value->mapping.fields : NULL;
}

// libcyaml refuses keys of a value that has none.
static bool has_key(const char *parent, const char *key, const char **nearest)
{
	const cyaml_schema_field_t *f = fields_at(parent);
	struct text_near near;
	text_near_begin(&near, key);
	bool found = !f;
	for (; f && f->key && !found; f++) {
		found = strcmp(f->key, key) == 0;
		text_near_try(&near, f->key);
	}
	*nearest = near.best;
	return found;
}

static int version_check(const struct config_doc *doc, const char *text)
{
	int64_t version = 0;
	int rc = config_number_parse(doc, "version", text, 1, UINT32_MAX, &version);
	if (rc == 0 && version > CONFIG_VERSION)
		rc = config_refuse(doc, "version",
			"%lld is newer than this weir, which knows version %d; install a newer "
			"weir, or use a file of version %d",
			(long long)version, CONFIG_VERSION, CONFIG_VERSION);
	return rc;
}

int config_raw_check(const struct config_doc *doc)
{
	return config_doc_check(doc, has_key, version_check);
}

static cyaml_config_t raw_config(struct raw_report *report)
{
	return (cyaml_config_t){
		.log_fn = report ? report_line : NULL,
		.log_ctx = report,
		.mem_fn = raw_memory,
		.log_level = CYAML_LOG_ERROR,
		// config_raw_check has found them, and goes on to find more.
		.flags = CYAML_CFG_NO_ALIAS | CYAML_CFG_IGNORE_UNKNOWN_KEYS,
	};
}

// Sections that the file leaves out, from the same allocator that cyaml_free uses.
static bool raw_complete(struct config_raw *raw)
{
#define RAW_COMPLETE(section) \
	(raw->section || (raw->section = heap_calloc(1, sizeof(*raw->section))) != NULL)
	bool whole = RAW_COMPLETE(runtime) && RAW_COMPLETE(dataplane) && RAW_COMPLETE(cache)
		     && RAW_COMPLETE(refresh) && RAW_COMPLETE(blocking) && RAW_COMPLETE(upstreams)
		     && RAW_COMPLETE(limits) && RAW_COMPLETE(access) && RAW_COMPLETE(cookies)
		     && RAW_COMPLETE(proxy_protocol) && RAW_COMPLETE(tls) && RAW_COMPLETE(dot)
		     && RAW_COMPLETE(doh) && RAW_COMPLETE(dnssec) && RAW_COMPLETE(tcp)
		     && RAW_COMPLETE(controlplane) && RAW_COMPLETE(fallback) && RAW_COMPLETE(redis)
		     && RAW_COMPLETE(local) && RAW_COMPLETE(query_log) && RAW_COMPLETE(identity)
		     && RAW_COMPLETE(ipv6) && RAW_COMPLETE(metrics) && RAW_COMPLETE(control)
		     && RAW_COMPLETE(events) && RAW_COMPLETE(updates) && RAW_COMPLETE(client_names)
		     && RAW_COMPLETE(blocking->update) && RAW_COMPLETE(query_log->store)
		     && RAW_COMPLETE(query_log->clickhouse) && RAW_COMPLETE(query_log->requests)
		     && RAW_COMPLETE(query_log->dnstap);
	if (whole) {
		raw->blocking_update = raw->blocking->update;
		raw->query_log_store = raw->query_log->store;
		raw->query_log_requests = raw->query_log->requests;
		raw->query_log_dnstap = raw->query_log->dnstap;
		raw->query_log_clickhouse = raw->query_log->clickhouse;
	}
	return whole;
#undef RAW_COMPLETE
}

int config_raw_load(const struct config_doc *doc, struct config_raw **out)
{
	struct raw_report report = {0};
	cyaml_config_t config = raw_config(&report);
	struct config_raw *raw = NULL;
	cyaml_err_t err = cyaml_load_data(
		doc->text, doc->len, &config, &config_raw_document, (cyaml_data_t **)&raw, NULL);
	// libyaml took the text before, in the check: but for memory it takes it again.
	if (err == CYAML_ERR_OOM || err == CYAML_ERR_LIBYAML_PARSER_INIT
		|| err == CYAML_ERR_LIBYAML_PARSER)
		return -ENOMEM;
	if (err != CYAML_OK)
		return raw_refuse(doc, &report);
	if (!raw && !doc->is_included)
		return config_refuse(doc, "document", "is empty");
	if (!raw && !(raw = heap_calloc(1, sizeof(*raw))))
		return -ENOMEM;
	if (!raw_complete(raw)) {
		config_raw_free(raw);
		return -ENOMEM;
	}
	*out = raw;
	return 0;
}

void config_raw_free(struct config_raw *raw)
{
	cyaml_config_t config = raw_config(NULL);
	// Freeing what this library itself made cannot fail.
	(void)!cyaml_free(&config, &config_raw_document, raw, 0);
}

struct merge {
	const struct config_doc *doc, *part;
	char path[CONFIG_PATH_MAX];
};

static int merge_text(const struct merge *m, char **to, char **from)
{
	char own[CONFIG_PATH_MAX];
	struct config_walk w;
	if (*from && *to && m->part->errors->count >= CONFIG_ERRORS_MAX) // it is only counted
		return config_refuse(m->part, m->path, "has a value in another file, too");
	if (*from && *to) { // a walk through the text of all files
		const struct config_doc *first = config_place_find(m->doc, m->path, own, &w);
		return config_refuse(m->part, m->path, "has a value in another file, too: %s:%u:%u",
			first->path, w.line, w.column);
	}
	if (*from) {
		*to = *from;
		*from = NULL;
	}
	return 0;
}

static int merge_list(const struct merge *m, const cyaml_schema_field_t *f, char *to, char *from)
{
	const cyaml_schema_value_t *entry = f->value.sequence.entry;
	const size_t size = entry->flags & CYAML_FLAG_POINTER ? sizeof(void *) : entry->data_size;
	unsigned *to_count = (void *)(to + f->count_offset);
	unsigned *from_count = (void *)(from + f->count_offset);
	char **to_list = (void *)(to + f->data_offset),
	     **from_list = (void *)(from + f->data_offset);
	if (*from_count == 0)
		return 0;
	if (*to_count + *from_count > f->value.sequence.max)
		return config_refuse(m->part, m->path,
			"more than %u entries, with those of other files", f->value.sequence.max);
	char *grown = raw_memory(NULL, *to_list, (*to_count + *from_count) * size);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + *to_count * size, *from_list, *from_count * size);
	*to_list = grown;
	*to_count += *from_count;
	*from_count = 0;
	FREE_AND_NULL(*from_list);
	return 0;
}

static int merge_fields(struct merge *m, const cyaml_schema_field_t *f, char *to, char *from);

// A mapping that only one of both has is that one's.
static int merge_mapping(struct merge *m, const cyaml_schema_field_t *f, char **to, char **from)
{
	if (*from && *to)
		return merge_fields(m, f->value.mapping.fields, *to, *from);
	return merge_text(m, to, from);
}

static int merge_fields(struct merge *m, const cyaml_schema_field_t *f, char *to, char *from)
{
	const size_t len = strlen(m->path);
	int rc = 0;
	for (; f->key && rc != -ENOMEM; f++) {
		char **to_field = (void *)(to + f->data_offset);
		char **from_field = (void *)(from + f->data_offset);
		snprintf(m->path + len, sizeof(m->path) - len, "%s%s", len ? "." : "", f->key);
		rc = config_worse(rc, f->value.type == CYAML_SEQUENCE ? merge_list(m, f, to, from)
				      : f->value.type == CYAML_MAPPING
					      ? merge_mapping(m, f, to_field, from_field)
					      : merge_text(m, to_field, from_field));
	}
	m->path[len] = '\0';
	return rc;
}

int config_raw_merge(const struct config_doc *doc, struct config_raw *to,
	const struct config_doc *part, struct config_raw *from)
{
	struct merge m = {.doc = doc, .part = part};
	return merge_fields(&m, config_raw_document.mapping.fields, (char *)to, (char *)from);
}
