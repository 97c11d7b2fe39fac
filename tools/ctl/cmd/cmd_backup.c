// SPDX-License-Identifier: BSD-3-Clause

// `weirctl backup`: the configuration with its included files and the history in the state
// directory, or all of that directory, as a tar archive. It reads files, and asks no running
// service (docs/how-to/backup.md). The archive has
//
//   weir-backup     two lines: "weir-backup 1", and the name of the main file
//   config/...      the main file and those that it includes, relative to its folder
//   state/...       of the state directory

#include "lib/ctl.h"
#include "lib/file_tree.h"
#include "lib/json_doc.h"
#include "lib/program.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/config_tools.h>

enum { TAR_MS = 3600 * 1000 };

struct backup {
	const struct ctl *c;
	char main[PATH_MAX];   // absolute
	char folder[PATH_MAX]; // of the main file
	char stage[PATH_MAX];  // for the head of the archive, and the archive while it grows
	char archive[PATH_MAX + 8];
};

static int tar_run(const struct backup *b, const char *const args[])
{
	int rc = program_run(args, TAR_MS);
	if (rc == 0)
		return CTL_OK;
	return rc < 0 ? ctl_fail(b->c, "%s: %s", args[0], strerror(-rc))
		      : ctl_fail(b->c, "tar failed with status %d", rc);
}

static int head_write(const struct backup *b)
{
	char path[PATH_MAX + 16];
	snprintf(path, sizeof(path), "%s/weir-backup", b->stage);
	FILE *f = fopen(path, "wxe");
	if (!f)
		return ctl_fail(b->c, "%s: %s", path, strerror(errno));
	fprintf(f, "weir-backup 1\n%s\n", strrchr(b->main, '/') + 1);
	if (fclose(f) != 0)
		return ctl_fail(b->c, "%s: %s", path, strerror(errno));
	const char *const args[] = {"/bin/tar", "--create", "--force-local", "--file", b->archive,
		"--directory", b->stage, "weir-backup", NULL};
	return tar_run(b, args);
}

// Behind the folder of the main file; NULL: it is not below that.
static const char *below(const struct backup *b, const char *path)
{
	const size_t len = strlen(b->folder);
	const bool is = strncmp(path, b->folder, len) == 0 && path[len] == '/';
	return is && !strstr(path, "/../") ? path + len + 1 : NULL;
}

// A restore would check the files of its own day under an absolute path, and in a folder of
// patterns that is elsewhere.
static int entries_check(const struct backup *b, const struct config_include *in)
{
	if (in->has_absolute)
		return ctl_fail(b->c,
			"`include` has an absolute path, so a restore would read the files that "
			"stand there then: include files by paths relative to %s",
			b->folder);
	for (unsigned i = 0; i < in->folder_count; i++)
		if (!below(b, in->folders[i]))
			return ctl_fail(b->c,
				"a pattern of `include` names files in %s, which is not below %s, "
				"so a restore could not put them back: move the folder there, and "
				"include its files by a relative path",
				in->folders[i], b->folder);
	return CTL_OK;
}

// The folders on the way to the file, for their modes and owners, and the file.
static void name_write(FILE *f, const char *name)
{
	for (const char *p = name; (p = strchr(p, '/')); p++)
		fprintf(f, "%.*s%c", (int)(p - name), name, '\0');
	fprintf(f, "%s%c", name, '\0');
}

static int names_write(const struct backup *b, const struct config_include *in, const char *path)
{
	FILE *f = fopen(path, "wxe");
	if (!f)
		return ctl_fail(b->c, "%s: %s", path, strerror(errno));
	name_write(f, strrchr(b->main, '/') + 1);
	for (unsigned i = 0; i < in->file_count; i++) {
		const char *name = below(b, in->files[i]);
		if (!name) {
			fclose(f);
			return ctl_fail(b->c,
				"%s is not below %s, so a restore could not put it back: move it "
				"there, and include it by a relative path",
				in->files[i], b->folder);
		}
		name_write(f, name);
	}
	return fclose(f) ? ctl_fail(b->c, "%s: %s", path, strerror(errno)) : CTL_OK;
}

// What a link leads to is in the archive in its place.
static int config_add(const struct backup *b, const struct config *config)
{
	char names[PATH_MAX + 8];
	snprintf(names, sizeof(names), "%s/names", b->stage);
	const char *const args[] = {"/bin/tar", "--append", "--force-local", "--file", b->archive,
		"--directory", b->folder, "--transform=s,^,config/,", "--dereference",
		"--no-recursion", "--null", "--files-from", names, NULL};
	int rc = entries_check(b, &config->include);
	if (rc == CTL_OK)
		rc = names_write(b, &config->include, names);
	return rc == CTL_OK ? tar_run(b, args) : rc;
}

// The history of configurations; with --all everything.
static int state_add(const struct backup *b, const char *state)
{
	char history[PATH_MAX];
	struct stat st;
	snprintf(history, sizeof(history), "%s/config", state);
	if (stat(b->c->all ? state : history, &st) || !S_ISDIR(st.st_mode))
		return CTL_OK;
	const char *const args[] = {"/bin/tar", "--append", "--force-local", "--file", b->archive,
		"--directory", state,
		b->c->all ? "--transform=s,^\\.,state," : "--transform=s,^,state/,", "--",
		b->c->all ? "." : "config", NULL};
	return tar_run(b, args);
}

static int archive_make(const struct backup *b, const struct config *config)
{
	int rc = head_write(b);
	if (rc == CTL_OK)
		rc = config_add(b, config);
	if (rc == CTL_OK)
		rc = state_add(b, config->runtime.state_directory);
	// A link fails where there is a file; a rename replaces it.
	if (rc == CTL_OK
		&& (chmod(b->archive, 0600)
			|| (b->c->force ? rename(b->archive, b->c->operand)
					: link(b->archive, b->c->operand))))
		rc = ctl_fail(b->c, "%s: %s%s", b->c->operand, strerror(errno),
			errno == EEXIST ? " (--force replaces it)" : "");
	return rc;
}

static void result_print(const struct ctl *c)
{
	const unsigned files = c->config->include.file_count + 1;
	char shown[1024];
	if (c->json) {
		struct json_doc *doc = json_doc_new();
		json_put_text(json_doc_root(doc), "file", c->operand);
		json_put_count(json_doc_root(doc), "files", files);
		json_doc_end(doc);
		return;
	}
	printf("%s: %u file%s of the configuration%s\n",
		term_text(c->operand, shown, sizeof(shown)), files, files == 1 ? "" : "s",
		c->all ? ", and the state directory" : "");
}

int cmd_backup(struct ctl *c)
{
	struct backup b = {.c = c};
	int rc = ctl_open_config(c);
	if (rc != CTL_OK)
		return rc;
	if (!realpath(c->config_path, b.main))
		return ctl_fail(c, "%s: %s", c->config_path, strerror(errno));
	snprintf(b.folder, sizeof(b.folder), "%.*s", (int)(strrchr(b.main, '/') - b.main), b.main);
	int n = snprintf(b.stage, sizeof(b.stage), "%s.XXXXXX", c->operand);
	if (n < 0 || n >= (int)sizeof(b.stage) || !mkdtemp(b.stage))
		return ctl_fail(c, "%s: %s", c->operand, strerror(errno));
	snprintf(b.archive, sizeof(b.archive), "%s/tar", b.stage);
	rc = archive_make(&b, c->config);
	file_tree_remove(b.stage);
	if (rc == CTL_OK)
		result_print(c);
	return rc;
}
