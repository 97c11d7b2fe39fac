// SPDX-License-Identifier: BSD-3-Clause
#include "mem_doc.h"

#include "lib/figure.h"
#include "lib/http_get.h"
#include "mem_dataplane.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/own_file.h>

struct json_doc *mem_doc_take(const struct ctl *c)
{
	struct json_doc *doc = http_call_or_fail(c, false, "/mem", NULL, HTTP_SHORT_MS);
	if (doc) {
		json_put_count(json_doc_root(doc), "format", MEM_DOC_FORMAT);
		mem_dataplane_add(c, json_doc_root(doc));
	}
	return doc;
}

static bool name_good(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
	return n >= 1 && n <= MEM_NAME_MAX && name[n] == '\0';
}

static int path_make(const struct ctl *c, const char *name, char out[SHM_PATH_MAX])
{
	if (!name_good(name))
		return ctl_fail(c, "a snapshot's name is 1 to %d letters, digits, '-' and '_'",
			MEM_NAME_MAX);
	int n = snprintf(out, SHM_PATH_MAX, "%s/mem-%s.json", c->paths.run, name);
	return n < SHM_PATH_MAX ? CTL_OK : ctl_fail(c, "%s: path too long", name);
}

int mem_doc_keep(const struct ctl *c, const char *name, const struct json_doc *doc)
{
	char path[SHM_PATH_MAX];
	if (path_make(c, name, path) != CTL_OK)
		return CTL_FAILED;
	char *text = json_doc_text(doc);
	if (!text)
		return ctl_fail(c, "out of memory");
	int fd = own_file_make(path, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	bool good = f && fputs(text, f) >= 0;
	if (f)
		good = fclose(f) == 0 && good;
	int err = fd < 0 ? -fd : errno;
	free(text);
	return good ? CTL_OK : ctl_fail(c, "%s: %s", path, strerror(err));
}

struct json_doc *mem_doc_kept(const struct ctl *c, const char *name)
{
	char path[SHM_PATH_MAX];
	if (path_make(c, name, path) != CTL_OK)
		return NULL;
	int fd = own_file_open(path, O_RDONLY, 0);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	int err = fd < 0 ? -fd : errno;
	char *text = f ? malloc(MEM_DOC_MAX) : NULL;
	struct json_doc *doc = NULL;
	if (text) {
		size_t n = fread(text, 1, MEM_DOC_MAX, f);
		doc = json_doc_parse(text, n);
	}
	if (!f)
		ctl_fail(c, "%s: %s", path, err == ENOENT ? "no such snapshot" : strerror(err));
	else if (!doc)
		ctl_fail(c, "%s: is no snapshot", path);
	if (doc && json_count(json_doc_root(doc), "format") > MEM_DOC_FORMAT) {
		ctl_fail(c, "%s: was written by a later version", path);
		json_doc_free(doc);
		doc = NULL;
	}
	free(text);
	if (f)
		fclose(f);
	return doc;
}

void mem_doc_line(const char *name, uint64_t bytes, const char *text)
{
	char shown[FIGURE_MAX];
	printf("  %-24s %12s  %s\n", name, figure_bytes(bytes, shown), text);
}

void mem_doc_explained(uint64_t bytes, uint64_t rss)
{
	char text[64];
	snprintf(text, sizeof(text), "%.1f %% of the resident set",
		rss ? 100.0 * (double)bytes / (double)rss : 0);
	mem_doc_line("explained", bytes, text);
}

uint64_t mem_doc_above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}
