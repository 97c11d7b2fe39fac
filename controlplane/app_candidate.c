// SPDX-License-Identifier: BSD-3-Clause
// The candidate of an apply: its texts are read, its configuration is made from them, checked, and
// proven against the machine.
#include "app_apply.h"
#include "app_versions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int refuse(struct apply *p, int err, const char *why)
{
	p->errors.count = 1;
	snprintf(p->errors.text[0], CONFIG_WHY_MAX, "%s", why);
	return err;
}

static int rollback_read(struct app_versions *v, unsigned number)
{
	struct apply *p = &v->apply;
	struct config_version old;
	char why[CONFIG_WHY_MAX];
	int rc = config_version_read(v->folder, number, &old, &p->bundle, why);
	if (rc == -ENOENT)
		snprintf(why, sizeof(why), "no version %u; weirctl config history lists versions",
			number);
	return rc < 0 ? refuse(p, rc, why) : 0;
}

// Reads the texts of the candidate and makes its configuration.
static int candidate_read(struct app *a, const struct apply_request *r)
{
	struct app_versions *v = a->versions;
	struct apply *p = &v->apply;
	const char *managed = r->managed ? r->managed : app_managed_text(a);
	int rc;
	if (r->rollback_to) {
		rc = rollback_read(v, r->rollback_to);
	} else if (r->from_disk) {
		const struct config_text text = {.path = v->managed_path,
			.bytes = (char *)(uintptr_t)managed,
			.len = strlen(managed)};
		return config_bundle_read(a->started->path, *managed ? &text : NULL,
			CONFIG_SECRETS_ALL, &p->bundle, &p->config, &p->errors);
	} else {
		rc = config_bundle_copy(&v->bundle, &p->bundle);
		if (rc == 0)
			rc = config_bundle_manage(&p->bundle, v->managed_path, managed);
	}
	return rc < 0 ? rc
		      : config_bundle_load(&p->bundle, CONFIG_SECRETS_ALL, &p->config, &p->errors);
}

// Refuses a candidate that wants a core, a device or a group that the machine lacks: the data plane
// would not start with it. What the configuration of the start wants in vain is no reason. Nor are
// certificates for the way back, which leaves those in use.
static int candidate_prove(const struct app *a, struct apply *p)
{
	config_machine_prove_change(a->started, p->config, &p->bundle, "", &p->errors);
	if (!p->is_back)
		app_certificates_prove(a, p->config, &p->bundle, &p->errors);
	if (p->errors.count == 0)
		return 0;
	config_free(p->config);
	p->config = NULL;
	return -EINVAL;
}

static void candidate_describe(struct app *a, const struct apply_request *r)
{
	struct app_versions *v = a->versions;
	struct apply *p = &v->apply;
	struct config_version *to = &p->version;
	*to = (struct config_version){.before = v->status.in_force.number,
		.unix_s = p->began_unix_s,
		.result = CONFIG_VERSION_pending,
		.digest = config_bundle_digest(&p->bundle),
		.disk_digest = config_bundle_disk_digest(&p->bundle)};
	snprintf(to->who, sizeof(to->who), "%s", r->who);
	snprintf(to->what, sizeof(to->what), "%s", r->what);
	snprintf(to->why, sizeof(to->why), "%s", r->why ? r->why : "");
	(void)config_needs_restart(
		a->started, p->config, to->needs_restart, sizeof(to->needs_restart));
	config_change_find(
		a->started, a->read, p->config, &v->bundle, &p->bundle, &v->status.change);
}

int app_candidate_make(struct app *a, const struct apply_request *r)
{
	struct apply *p = &a->versions->apply;
	int rc = candidate_read(a, r);
	rc = rc < 0 ? rc : candidate_prove(a, p);
	if (rc < 0 && p->errors.count == 0)
		(void)refuse(p, rc, strerror(-rc));
	if (rc == 0)
		candidate_describe(a, r);
	return rc;
}
