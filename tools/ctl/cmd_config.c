// SPDX-License-Identifier: BSD-3-Clause

#include "show.h"
#include "table_out.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/text.h>

// Not an error of the file: a list may be put there later. Said all the same.
static void lists_check(const struct config *config, struct json_node *warnings)
{
	for (unsigned i = 0; i < config->blocking.list_count; i++) {
		const struct config_list *l = &config->blocking.lists[i];
		if (access(l->path, R_OK) == 0)
			continue;
		char text[640], shown[1024];
		snprintf(text, sizeof text, "list %s: %s: %s", l->name, l->path, strerror(errno));
		if (warnings)
			json_put_text(warnings, NULL, text);
		else
			printf("warning: %s\n", text_escape(text, shown, sizeof shown));
	}
}

int cmd_config_check(struct ctl *c)
{
	const char *path = c->operand ? c->operand : c->config_path;
	char why[CONFIG_WHY_MAX] = "";
	if (config_load(path, &c->config, why) < 0)
		return ctl_fail(c, "%s", why);
	if (c->json) {
		struct json_doc *doc = json_doc_new();
		json_put_bool(json_doc_root(doc), "ok", true);
		json_put_text(json_doc_root(doc), "directory", c->config->runtime.directory);
		lists_check(c->config, json_put_array(json_doc_root(doc), "warnings"));
		json_doc_print(doc);
		json_doc_free(doc);
	} else {
		char shown[1024];
		lists_check(c->config, NULL);
		printf("%s: good\n", text_escape(path, shown, sizeof shown));
	}
	return CTL_OK;
}

static void reload_print(const struct json_node *root)
{
	const char *restart = json_text(root, "needs_restart");
	char shown[1024];
	if (*restart)
		printf("taken over, except for what needs a restart: %s\n",
			text_escape(restart, shown, sizeof shown));
	else
		printf("taken over\n");
}

int cmd_config_reload(struct ctl *c)
{
	c->service_reads_file = true;
	return show_call(c, true, "/config/reload", NULL, HTTP_BUILD_MS, reload_print);
}
