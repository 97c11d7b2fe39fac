// SPDX-License-Identifier: BSD-3-Clause

#include "ctl.h"

#include "json_doc.h"
#include "table_out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <weir/text.h>

int ctl_fail(const struct ctl *c, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (c->json) {
		struct json_doc *doc = json_doc_new();
		json_put_text(json_doc_root(doc), "error", text);
		json_doc_print(doc);
		json_doc_free(doc);
	} else {
		char shown[4 * sizeof text];
		fprintf(stderr, "weirctl: %s\n", text_escape(text, shown, sizeof shown));
	}
	return CTL_FAILED;
}

int ctl_open(struct ctl *c)
{
	char why[CONFIG_WHY_MAX] = "";
	if (config_load(c->config_path, &c->config, why) < 0)
		return ctl_fail(c, "%s", why);
	const struct config_runtime *r = &c->config->runtime;
	int ret = shm_paths_find(&c->paths, r->directory, r->hugepages, why);
	if (ret == -ENOENT) { // never started: each command then says who is down
		snprintf(c->paths.run, sizeof c->paths.run, "%s", r->directory);
		snprintf(c->paths.mem, sizeof c->paths.mem, "%s", r->directory);
	} else if (ret < 0) {
		return ctl_fail(c, "%s", why);
	}
	return CTL_OK;
}

void ctl_close(struct ctl *c)
{
	config_free(c->config);
	c->config = NULL;
}
