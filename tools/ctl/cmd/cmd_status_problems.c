// SPDX-License-Identifier: BSD-3-Clause
#include "cmd_status_problems.h"

#include "lib/http_get.h"
#include "lib/say.h"

#include <stdio.h>
#include <string.h>

// Each has its severity before it, and its advice in the line behind it.
struct problems {
	bool has_heading;
};

static void heading_print(struct problems *p, const char *text)
{
	if (!p->has_heading)
		printf("PROBLEMS%s\n", text);
	p->has_heading = true;
}

static void problem(struct problems *p, bool is_so, const struct json_node *n, const char *text)
{
	if (!is_so)
		return;
	heading_print(p, "");
	say(n, text);
}

static void reasons_print(struct problems *p, const struct ctl *c)
{
	const struct http_param params[] = {{"for", "human"}, {NULL, NULL}};
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	if (http_call(c, false, "/ready", params, HTTP_SHORT_MS, &doc, why) != HTTP_OK && !doc)
		return; // it has said so to the call before
	const struct json_node *reasons = json_get(json_doc_root(doc), "reasons");
	if (json_length(reasons))
		heading_print(p, "        since when: weirctl ready --for human");
	say_each(reasons, "  {severity}: {text}\n    {advice}\n");
	json_doc_free(doc);
}

// While one is up; where none is, that is a reason of /ready.
static void servers_print(struct problems *p, const struct json_node *list)
{
	const size_t count = json_length(list);
	size_t up = 0, tls = 0, tls_up = 0;
	for (size_t i = 0; i < count; i++) {
		const struct json_node *row = json_at(list, i);
		const bool is_tls = strstr(json_text(row, "address"), "://") != NULL,
			   is_up = json_flag(row, "up");
		up += is_up;
		tls += is_tls;
		tls_up += is_tls && is_up;
	}
	if (up == 0 || up == count)
		return;
	heading_print(p, "");
	printf("  warning: %zu of %zu upstreams %s down\n"
	       "    See why with weirctl upstreams; try one: weirctl upstream test NAME.\n",
		count - up, count, count - up == 1 ? "is" : "are");
	if (tls > 0 && tls_up == 0)
		printf("  warning: no server over TLS answers: queries go out in clear text\n"
		       "    See why with weirctl upstreams; upstreams.strict forbids clear "
		       "text.\n");
}

static void files_print(struct problems *p, const struct json_node *n)
{
	const bool is_bad = *json_text(n, "disk_error");
	problem(p, is_bad, n,
		"  warning: the file on disk cannot be used, version {version:u} stays in force: "
		"{disk_error}\n"
		"    Correct it (weirctl config check), then weirctl config apply.\n");
	problem(p, !is_bad && json_flag(n, "differs"), n,
		"  warning: the file on disk differs from version {version:u}, which is in force\n"
		"    Compare them with weirctl config diff, then weirctl config apply.\n");
	problem(p, *json_text(n, "skipped"), n,
		"  warning: a newer version was not used at the start: {skipped}\n"
		"    See weirctl config history, then weirctl config apply.\n");
}

void status_problems_print(const struct ctl *c, const struct json_node *root)
{
	const struct json_node *generations = json_get(root, "generations");
	const struct json_node *bounds = json_get(root, "met_bounds");
	struct problems p = {0};
	reasons_print(&p, c);
	problem(&p, json_count(generations, "workers_evicted"), generations,
		"  warning: workers that hang: {workers_evicted:u}; clients of their queues get no "
		"answers\n"
		"    Restart the data plane with systemctl restart weir-dataplane.\n");
	servers_print(&p, json_get(root, "upstreams"));
	files_print(&p, json_get(root, "config_version"));
	for (size_t i = 0; i < json_length(bounds); i++)
		problem(&p, true, json_at(bounds, i),
			"  info: {who}: {bound}, refused {refused:n} times in the last minutes\n"
			"    If it is no attack, see limits.unlimited_zones and "
			"limits.unlimited_clients.\n");
}
