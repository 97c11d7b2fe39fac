// SPDX-License-Identifier: BSD-3-Clause

#include "config_filter.h"
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

enum {
#define X(name, needs) STEP_##name,
	CONFIG_STEPS(X)
#undef X
};
#define CONFIG_STEP(name) (1u << STEP_##name)

static const struct {
	const struct config_step *step;
	uint32_t needs; // CONFIG_STEP() of each step that it needs
} steps[] = {
#define X(name, needs) {&config_##name##_step, needs},
	CONFIG_STEPS(X)
#undef X
};
static_assert(ARRAY_LEN(steps) <= 32);

// Goes on after a step that found errors, so that all errors are reported at once; refused keys
// have their defaults meanwhile. Returns the worst result.
static int steps_apply(const struct config_doc *doc, struct config *c)
{
	uint32_t bad = 0; // steps that failed or were left out
	int rc = 0;
	for (unsigned i = 0; i < ARRAY_LEN(steps) && rc != -ENOMEM; i++) {
		int one = steps[i].needs & bad ? -EINVAL : steps[i].step->apply(doc, c);
		if (one < 0)
			bad |= 1u << i;
		rc = config_worse(rc, one);
	}
	return rc;
}

static int config_fill(const struct config_doc *doc, struct config *c)
{
	c->path = heap_strdup(doc->absolute);
	if (!c->path || config_include_keep(doc, c) < 0)
		return -ENOMEM;
	int rc = steps_apply(doc, c);
	return rc == 0 ? config_check(doc, c) : rc;
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
	for (unsigned i = ARRAY_LEN(steps); i-- > 0;)
		if (steps[i].step->free)
			steps[i].step->free(c);
	config_time_zones_free(&c->time_zones);
	config_include_free(c);
	FREE_AND_NULL(c->path);
	heap_free(c);
}
