// SPDX-License-Identifier: BSD-3-Clause

// `weirctl import`: the configuration of another resolver as one of weir (docs/how-to/import.md).
// It reads files, and writes the result to standard output or to a new file; it changes nothing
// else, and asks no running service.

#include "import_pihole_settings.h"
#include "import_rules.h"
#include "import_settle.h"
#include "import_sources.h"
#include "import_write.h"
#include "lib/ctl.h"
#include "lib/json_doc.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/config_tools.h>
#include <weir/text.h>

struct source {
	const char *word, *title;
	int (*read)(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX]);
	void (*end)(struct import_model *m); // after the last file, or NULL
};

static const struct source sources[] = {
	{"pihole", "Pi-hole", import_pihole, import_pihole_defaults},
	{"adguardhome", "AdGuard Home", import_adguard, import_rules_settle},
	{"unbound", "unbound", import_unbound, NULL},
	{"dnsmasq", "dnsmasq", import_dnsmasq, NULL},
	{"blocky", "blocky", import_blocky, import_rules_settle},
	{"technitium", "Technitium DNS Server", import_technitium, import_rules_settle},
	{"beyond-ads-dns", "beyond-ads-dns", import_beyond_ads, NULL},
};

// NULL: none, said.
static const struct source *source_find(const struct ctl *c, const char *word)
{
	struct text_near near;
	char names[200], shown[100];
	size_t n = 0;
	text_near_begin(&near, word);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		if (strcmp(word, sources[i].word) == 0)
			return &sources[i];
		text_near_try(&near, sources[i].word);
		n += (size_t)snprintf(
			names + n, sizeof(names) - n, "%s%s", i ? ", " : "", sources[i].word);
	}
	(void)ctl_fail(c, "no source \"%s\"; sources: %s%s%s%s",
		term_text(word, shown, sizeof(shown)), names, near.best ? "; did you mean " : "",
		near.best ? near.best : "", near.best ? "?" : "");
	return NULL;
}

static int model_fill(const struct ctl *c, const struct source *s, struct import_model *m)
{
	for (unsigned i = 1; i < c->operand_count; i++) {
		char why[IMPORT_WHY_MAX] = "", shown[IMPORT_WHY_MAX];
		m->place = c->operands[i];
		int rc = s->read(m, c->operands[i], why);
		if (rc < 0)
			return ctl_fail(c, "import: %s", term_text(why, shown, sizeof(shown)));
	}
	m->place = NULL;
	if (s->end)
		s->end(m);
	import_settle(m);
	return m->failed ? ctl_fail(c, "import: out of memory") : CTL_OK;
}

// What weir would say of the result. The gate of the model should leave nothing to say.
static int text_check(const struct ctl *c, const char *text, size_t len)
{
	struct config *config = NULL;
	struct config_errors errors = {0};
	char path[40];
	int fd = memfd_create("weir-import", MFD_CLOEXEC);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len) {
		if (fd >= 0)
			close(fd);
		return ctl_fail(c, "import: the result is not checked: %s", strerror(errno));
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	const bool good = config_load_all(path, &config, &errors) == 0;
	if (good)
		config_free(config);
	close(fd);
	for (unsigned i = 0; !good && i < errors.count && i < CONFIG_ERRORS_MAX; i++)
		(void)ctl_fail(c, "import: to be corrected in the result: %s", errors.text[i]);
	return good ? CTL_OK : CTL_FAILED;
}

// A new file, or with --force instead of one that is there: whole or not at all.
static int file_write(const struct ctl *c, const char *text, size_t len)
{
	char temporary[4096];
	int n = snprintf(temporary, sizeof(temporary), "%s%s", c->output, c->force ? ".new" : "");
	if (n < 0 || n >= (int)sizeof(temporary))
		return ctl_fail(c, "%s: the path is too long", c->output);
	if (c->force)
		(void)unlink(temporary);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return ctl_fail(c, "%s: %s%s", temporary, strerror(errno),
			errno == EEXIST ? " (--force replaces it)" : "");
	size_t done = 0;
	int err = 0;
	while (done < len && !err) {
		ssize_t put = write(fd, text + done, len - done);
		err = put < 0 && errno != EINTR ? errno : 0;
		done += put > 0 ? (size_t)put : 0;
	}
	if (!err && fsync(fd) < 0)
		err = errno;
	if (close(fd) < 0 && !err)
		err = errno;
	if (!err && c->force && rename(temporary, c->output) < 0)
		err = errno;
	if (!err)
		return CTL_OK;
	(void)unlink(temporary);
	return ctl_fail(c, "%s: %s", c->output, strerror(err));
}

static void json_print(const struct import_model *m, const struct ctl *c, const char *text)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc), *list;
	json_put_text(root, "source", m->source);
	json_put_count(root, "lists", m->list_count);
	json_put_count(root, "groups", m->group_count);
	json_put_count(root, "records", m->record_count);
	list = json_put_array(root, "missing");
	for (unsigned i = 0; i < m->misses.count; i++) {
		struct json_node *one = json_put_object(list, NULL);
		json_put_text(one, "place", m->misses.item[i].note);
		json_put_text(one, "text", m->misses.item[i].text);
	}
	if (!c->output)
		json_put_text(root, "configuration", text);
	json_doc_end(doc);
}

static int result_give(const struct ctl *c, const struct import_model *m)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return ctl_fail(c, "import: out of memory");
	import_write(m, out);
	if (fclose(out) != 0) {
		free(text);
		return ctl_fail(c, "import: out of memory");
	}
	int rc = text_check(c, text, len);
	if (c->output && file_write(c, text, len) != CTL_OK)
		rc = CTL_FAILED;
	else if (c->json)
		json_print(m, c, text);
	else if (!c->output)
		fwrite(text, 1, len, stdout);
	if (!c->json)
		import_write_misses(m, stderr);
	free(text);
	return rc;
}

int cmd_import(struct ctl *c)
{
	struct import_model m = {0};
	const struct source *s = source_find(c, c->operands[0]);
	if (!s)
		return CTL_USAGE;
	m.source = s->title;
	int rc = model_fill(c, s, &m);
	if (rc == CTL_OK)
		rc = result_give(c, &m);
	import_model_free(&m);
	return rc;
}
