// SPDX-License-Identifier: BSD-3-Clause

#include "ctl.h"

#include "json_doc.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/config_tools.h>

int ctl_fail(const struct ctl *c, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (c->json) {
		struct json_doc *doc = json_doc_new();
		json_put_text(json_doc_root(doc), "error", text);
		json_doc_end(doc);
	} else {
		char shown[4 * sizeof(text)];
		fprintf(stderr, "weirctl: %s\n", term_text(text, shown, sizeof(shown)));
	}
	return CTL_FAILED;
}

static int paths_find(
	struct ctl *c, const char *directory, const char *hugepages, const char *state_directory)
{
	char why[CONFIG_WHY_MAX] = "";
	ctl_servers_find(&c->servers, state_directory);
	int rc = shm_paths_find(&c->paths, directory, hugepages, why);
	if (rc == -ENOENT) { // never started: each command then says who is down
		snprintf(c->paths.run, sizeof(c->paths.run), "%s", directory);
		snprintf(c->paths.mem, sizeof(c->paths.mem), "%s", directory);
	} else if (rc < 0) {
		return ctl_fail(c, "%s", why);
	}
	return CTL_OK;
}

int ctl_open_config(struct ctl *c)
{
	char why[CONFIG_WHY_MAX] = "";
	if (config_load_public(c->config_path, &c->config, why) < 0)
		return ctl_fail(c, "%s", why);
	const struct config_runtime *r = &c->config->runtime;
	return paths_find(c, r->directory, r->hugepages, r->state_directory);
}

// A remote command reads nothing of this machine, so its directories are none.
static int remote_open(struct ctl *c)
{
	static const char none[] = "/dev/null";
	char why[REMOTE_WHY_MAX];
	memcpy(c->paths.run, none, sizeof(none));
	memcpy(c->paths.mem, none, sizeof(none));
	return remote_take(&c->remote, &c->remote_options, why) < 0 ? ctl_fail(c, "%s", why)
								    : CTL_OK;
}

// A running service ignores a file that is being edited. The commands that speak to it do so, too:
// they need no more of the file than the place of the socket.
int ctl_open(struct ctl *c)
{
	if (c->remote_options.host)
		return remote_open(c);
	char why[CONFIG_WHY_MAX] = "", unread[CONFIG_WHY_MAX], shown[4 * CONFIG_WHY_MAX];
	struct config_places places;
	bool is_wrong = config_file_check(c->config_path, why) < 0;
	int rc = config_places_find(c->config_path, &places, unread);
	// A given path must exist, or the command would speak to another weir.
	if (rc < 0 && c->is_path_given)
		return ctl_fail(c, "%s", unread);
	if (is_wrong && !c->service_reads_file)
		fprintf(stderr, "weirctl: warning: the configuration cannot be used: %s\n",
			term_text(why, shown, sizeof(shown)));
	return paths_find(c, places.directory, places.hugepages, places.state_directory);
}

void ctl_close(struct ctl *c)
{
	config_free(c->config);
	c->config = NULL;
	explicit_bzero(&c->remote, sizeof(c->remote));
}
