// SPDX-License-Identifier: BSD-3-Clause

#include "lib/config_prove.h"
#include "lib/say.h"
#include "lib/show.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/config/versions.h>
#include <weir/hosts_file.h>

// 0 or -errno: whether a build could read it.
static int list_file_check(const char *path)
{
	struct stat st;
	if (stat(path, &st) || access(path, R_OK))
		return -errno;
	if (S_ISREG(st.st_mode))
		return 0;
	return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
}

static void warning_print(struct json_node *warnings, const char *text)
{
	char shown[1024];

	if (warnings)
		json_put_text(warnings, NULL, text);
	else
		printf("warning: %s\n", term_text(text, shown, sizeof(shown)));
}

// A missing list file is a warning and no error, as a reload takes all else. Lists with a URL are
// not checked: weir fetches them once the configuration is in force. Returns the number of
// warnings.
static unsigned lists_check(const struct config *config, struct json_node *warnings)
{
	unsigned found = 0;
	for (unsigned i = 0; i < config->blocking.list_count; i++) {
		const struct config_list *l = &config->blocking.lists[i];
		int err = l->path ? list_file_check(l->path) : 0;
		if (!err)
			continue;
		found++;
		char text[640];
		snprintf(text, sizeof(text), "list \"%s\" cannot be read: %s: %s", l->name, l->path,
			strerror(-err));
		warning_print(warnings, text);
	}
	return found;
}

static int name_pass(
	void *, const struct ip_address *, const struct dns_name *, bool own, uint32_t line)
{
	(void)own, (void)line;
	return 0;
}

// What a reload leaves out of the hosts files, as it takes all else. The number of warnings.
static unsigned hosts_check(const struct config *config, struct json_node *warnings)
{
	unsigned found = 0;
	for (unsigned i = 0; i < config->local.hosts_file_count; i++) {
		const char *path = config->local.hosts_files[i];
		struct hosts_counts n = {0};
		char text[CONFIG_WHY_MAX + 256] = "";
		const int err = hosts_file_read(path, name_pass, NULL, &n);
		if (err < 0)
			snprintf(text, sizeof(text), "hosts file %s cannot be read: %s", path,
				strerror(-err));
		else if (n.not_ascii)
			snprintf(text, sizeof(text),
				"hosts file %s line %u: weir ignores names outside ASCII (%" PRIu64
				" in the file): write them with xn--",
				path, n.not_ascii_line, n.not_ascii);
		else if (n.rejected)
			snprintf(text, sizeof(text),
				"hosts file %s line %u: weir ignores what is no address or no name "
				"(%" PRIu64 " in the file)",
				path, n.rejected_line, n.rejected);
		if (!text[0])
			continue;
		found++;
		warning_print(warnings, text);
	}
	return found;
}

// On standard output, or into `warnings`; their number.
static unsigned warnings_find(
	const struct config *config, const char *unread, struct json_node *warnings)
{
	const bool is_unproven =
		config->upstreams.mode == UPSTREAM_FORWARD_FIRST && !config->dnssec.validate;

	if (is_unproven)
		warning_print(warnings, "upstreams.mode: `forward-first` without "
					"`dnssec.validate`: weir may answer "
					"from recursion what the servers refuse as bogus");
	if (*unread) {
		char text[CONFIG_WHY_MAX + 64];
		snprintf(text, sizeof(text), "the managed part is not checked: %s", unread);
		warning_print(warnings, text);
	}
	return lists_check(config, warnings) + hosts_check(config, warnings) + is_unproven
	       + (*unread != '\0');
}

static int errors_print(const struct ctl *c, const struct config_errors *e)
{
	unsigned texts = e->count < CONFIG_ERRORS_MAX ? e->count : CONFIG_ERRORS_MAX;
	if (c->json) {
		struct json_doc *doc = json_doc_new();
		struct json_node *root = json_doc_root(doc), *list;
		json_put_text(root, "error", e->text[0]);
		json_put_count(root, "count", e->count);
		list = json_put_array(root, "errors");
		for (unsigned i = 0; i < texts; i++)
			json_put_text(list, NULL, e->text[i]);
		json_doc_end(doc);
		return CTL_FAILED;
	}
	for (unsigned i = 0; i < texts; i++)
		(void)ctl_fail(c, "%s", e->text[i]);
	if (e->count > texts)
		(void)ctl_fail(c, "and %u more errors", e->count - texts);
	return CTL_FAILED;
}

static void good_print_json(const struct config *config, bool has_managed, const char *unread)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc), *included;

	json_put_bool(root, "ok", true);
	json_put_text(root, "directory", config->runtime.directory);
	included = json_put_array(root, "included");
	for (unsigned i = 0; i < config->include.file_count; i++)
		json_put_text(included, NULL, config->include.files[i]);
	json_put_bool(root, "managed", has_managed);
	(void)warnings_find(config, unread, json_put_array(root, "warnings"));
	json_doc_end(doc);
}

static void good_print(
	const char *path, const struct config *config, bool has_managed, const char *unread)
{
	const unsigned warnings = warnings_find(config, unread, NULL),
		       files = config->include.file_count;
	char shown[1024], with[40] = "";

	if (files)
		snprintf(with, sizeof(with), " with %u included file%s", files,
			files == 1 ? "" : "s");
	printf("%s%s%s: good%s\n", term_text(path, shown, sizeof(shown)), with,
		has_managed ? " with the managed part" : "",
		warnings ? ", but see the warnings above" : "");
}

// Reads the files as an apply would, with the managed part of the version in force. `unread`: that
// part cannot be read, and why.
static int managed_load(struct ctl *c, const char *path, struct config_bundle *out,
	struct config_errors *errors, char unread[CONFIG_WHY_MAX])
{
	struct config_text managed;
	if (config_version_managed(path, &managed, unread) == 0)
		unread[0] = '\0';
	const int rc =
		config_bundle_read(path, &managed, CONFIG_SECRETS_FOUND, out, &c->config, errors);
	free(managed.path);
	free(managed.bytes);
	return rc;
}

int cmd_config_check(struct ctl *c)
{
	const char *path = c->operand ? c->operand : c->config_path;
	struct config_errors errors;
	struct config_bundle texts = {0};
	char unread[CONFIG_WHY_MAX];
	const int rc = managed_load(c, path, &texts, &errors, unread);
	const bool has_managed = texts.managed.bytes != NULL;
	if (rc == 0) {
		const struct config_proof proof = {.texts = &texts, .errors = &errors};
		config_prove(c->config, &proof);
		config_prove_control(c->config, &proof);
	}
	config_bundle_free(&texts);
	if (errors.count > 0)
		return errors_print(c, &errors);
	if (c->json)
		good_print_json(c->config, has_managed, unread);
	else
		good_print(path, c->config, has_managed, unread);
	return CTL_OK;
}

static void reload_print(const struct json_node *root)
{
	printf("reloaded");
	say_if(root, "needs_restart", ", except for what needs a restart: {needs_restart}");
	printf("\n");
}

int cmd_config_reload(struct ctl *c)
{
	c->service_reads_file = true;
	const struct http_param params[] = {{"keep", c->keep ? "1" : NULL}, {NULL, NULL}};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = http_call_or_fail(c, true, "/config/reload", params, HTTP_BUILD_MS);
	const bool is_whole = doc && !show_warning(json_doc_root(doc));
	const int rc = show_doc(c, doc, is_whole ? reload_print : NULL);
	return is_whole ? rc : CTL_FAILED;
}
