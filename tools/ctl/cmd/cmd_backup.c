// SPDX-License-Identifier: BSD-3-Clause
// `weirctl backup`: a tar archive of the configuration, its included files and the history in the
// state directory, or with --all of everything in that directory. It reads files, and asks no
// running service (docs/how-to/backup.md). The archive has
//
//   weir-backup     two lines: "weir-backup 1", and the name of the main file
//   config/...      the main file and the files that it includes, relative to its folder
//   state/...       files of the state directory
//
// `weirctl restore` unpacks the archive beside the configuration, refuses what `config check`
// refuses, and moves each file to its place by a rename, the main file last. With --force it keeps
// a file that it replaces as NAME.before.

#include "lib/ctl.h"
#include "lib/json_doc.h"
#include "lib/program.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/config_tools.h>

enum { FILE_TREE_MAX = 10000, FDS = 16 };

// nftw() has no argument for its callback.
static struct walk {
	int (*each)(void *arg, const char *relative);
	void *arg;
	size_t skip; // bytes of the folder's path and its slash
	unsigned count;
	int err;
} walk;

static int entry_remove(const char *path, const struct stat *, int, struct FTW *)
{
	(void)remove(path);
	return 0;
}

// Removes the folder and everything below it, without following links. Leaves what cannot be
// removed.
static void file_tree_remove(const char *folder)
{
	(void)nftw(folder, entry_remove, FDS, FTW_DEPTH | FTW_PHYS);
}

static int entry_visit(const char *path, const struct stat *st, int type, struct FTW *)
{
	if (type == FTW_D)
		return 0;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		walk.err = -ELOOP;
	else if (++walk.count > FILE_TREE_MAX)
		walk.err = -E2BIG;
	else
		walk.err = walk.each(walk.arg, path + walk.skip);
	return walk.err ? 1 : 0;
}

// Calls `each` for each plain file below the folder, with its path relative to the folder, in no
// order; stops with the first result that is not 0. -ELOOP: something is neither a plain file nor a
// folder; -E2BIG: more files than FILE_TREE_MAX. Not reentrant.
static int file_tree_walk(
	const char *folder, int (*each)(void *arg, const char *relative), void *arg)
{
	walk = (struct walk){.each = each, .arg = arg, .skip = strlen(folder) + 1};
	if (nftw(folder, entry_visit, FDS, FTW_PHYS) < 0)
		return -errno;
	return walk.err;
}

enum { TAR_MS = 3600 * 1000 };

struct backup {
	const struct ctl *c;
	char main[PATH_MAX];   // absolute path
	char folder[PATH_MAX]; // the main file's folder
	char stage[PATH_MAX];  // has the archive's head, and the archive while it grows
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

// The path relative to the main file's folder; NULL: `path` is not below that folder.
static const char *below(const struct backup *b, const char *path)
{
	const size_t len = strlen(b->folder);
	const bool is = strncmp(path, b->folder, len) == 0 && path[len] == '/';
	return is && !strstr(path, "/../") ? path + len + 1 : NULL;
}

// Refuses absolute paths, and patterns in other folders: a restore would check the files that are
// there at its time, not those of the backup.
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

// Writes the names of the folders above the file, for their modes and owners, and of the file.
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

// Adds the configuration. The archive has a link's target in place of the link.
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

// Adds the history of configurations, or with --all the whole state directory.
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
	// link() fails if the file exists; rename() replaces it.
	if (rc == CTL_OK
		&& (chmod(b->archive, 0600)
			|| (b->c->force ? rename(b->archive, b->c->operand)
					: link(b->archive, b->c->operand))))
		rc = ctl_fail(b->c, "%s: %s%s", b->c->operand, strerror(errno),
			errno == EEXIST ? " (--force replaces it)" : "");
	return rc;
}

static void backup_print(const struct ctl *c)
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

static int cmd_backup(struct ctl *c)
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
		backup_print(c);
	return rc;
}

struct restore {
	const struct ctl *c;
	char folder[PATH_MAX]; // the configuration's folder
	char stage[PATH_MAX];
	char main[NAME_MAX + 1]; // name of the main file in the archive
	const char *place;       // name of the main file here
	unsigned files;
	bool is_trial; // checks whether files could move, and moves none
};

static int unpack(const struct restore *r, const char *member)
{
	const char *const args[] = {"/bin/tar", "--extract", "--force-local", "--file",
		r->c->operand, "--directory", r->stage, "--", member, NULL};
	int rc = program_run(args, TAR_MS);
	if (rc < 0)
		return ctl_fail(r->c, "/bin/tar: %s", strerror(-rc));
	return rc ? ctl_fail(r->c, "%s: tar cannot take `%s` out of it", r->c->operand, member)
		  : CTL_OK;
}

static int head_read(struct restore *r)
{
	char path[PATH_MAX + 16], line[NAME_MAX + 2] = "";
	struct stat st;
	snprintf(path, sizeof(path), "%s/weir-backup", r->stage);
	FILE *f = lstat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "re") : NULL;
	bool good = f && fgets(line, sizeof(line), f) && strcmp(line, "weir-backup 1\n") == 0
		    && fgets(line, sizeof(line), f);
	if (f)
		fclose(f);
	line[strcspn(line, "\n")] = '\0';
	good = good && *line && !strchr(line, '/') && line[0] != '.';
	if (!good)
		return ctl_fail(r->c, "%s is no backup of this weir", r->c->operand);
	snprintf(r->main, sizeof(r->main), "%.*s", NAME_MAX, line);
	return CTL_OK;
}

static int config_check(const struct restore *r)
{
	char path[PATH_MAX + NAME_MAX + 16];
	struct config *config = NULL;
	struct config_errors errors = {0};
	snprintf(path, sizeof(path), "%s/config/%s", r->stage, r->main);
	if (config_load_all(path, &config, &errors) == 0) {
		const bool has_absolute = config->include.has_absolute;
		config_free(config);
		return !has_absolute
			       ? CTL_OK
			       : ctl_fail(r->c,
				       "%s includes files by an absolute path, so not those of "
				       "the backup were checked: it is not restored",
				       r->main);
	}
	for (unsigned i = 0; i < errors.count && i < CONFIG_ERRORS_MAX; i++)
		(void)ctl_fail(r->c, "%s", errors.text[i]);
	return ctl_fail(r->c, "the configuration of the backup is not restored");
}

// Makes a folder with the mode and the owner that it has in the backup, because weir's user may
// need to search it.
static int folder_make(const struct restore *r, const char *path)
{
	char model[2 * PATH_MAX];
	struct stat st;
	snprintf(model, sizeof(model), "%s/config/%s", r->stage, path + strlen(r->folder) + 1);
	if (mkdir(path, 0700))
		return errno == EEXIST ? 0 : -errno;
	if (stat(model, &st) || chown(path, st.st_uid, st.st_gid)
		|| chmod(path, st.st_mode & ALLPERMS))
		return -errno;
	return 0;
}

static int folders_make(const struct restore *r, char *path)
{
	for (char *p = path + strlen(r->folder) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		int rc = folder_make(r, path);
		*p = '/';
		if (rc < 0)
			return rc;
	}
	return 0;
}

// Keeps `to` as `before`. A hard link leaves a file in its place whenever this process is killed.
static int before_keep(const char *to, const char *before)
{
	if (unlink(before) && errno != ENOENT)
		return -errno;
	return link(to, before) ? -errno : 0;
}

// Moves one file to its place, or checks that it could. -errno: the error is printed.
static int file_place(void *arg, const char *relative)
{
	struct restore *r = arg;
	const bool is_main = strcmp(relative, r->main) == 0;
	char from[2 * PATH_MAX], to[2 * PATH_MAX], before[2 * PATH_MAX + 8];
	struct stat st;
	snprintf(from, sizeof(from), "%s/config/%s", r->stage, relative);
	snprintf(to, sizeof(to), "%s/%s", r->folder, is_main ? r->place : relative);
	snprintf(before, sizeof(before), "%s.before", to);
	r->files++;
	const bool is_there = lstat(to, &st) == 0;
	int err = 0;
	if (is_there && !S_ISREG(st.st_mode))
		err = -EINVAL;
	else if (is_there && !r->c->force)
		err = -EEXIST;
	else if (!r->is_trial)
		err = folders_make(r, to);
	if (!err && !r->is_trial && is_there)
		err = before_keep(to, before);
	if (!err && !r->is_trial && rename(from, to))
		err = -errno;
	if (err)
		(void)ctl_fail(r->c, "%s: %s%s", to, strerror(-err),
			err == -EEXIST ? " (--force replaces it, and keeps it as NAME.before)"
				       : "");
	return err;
}

static int others_place(void *arg, const char *relative)
{
	const struct restore *r = arg;
	return strcmp(relative, r->main) == 0 ? 0 : file_place(arg, relative);
}

// Checks that all files could move to their places.
static int files_try(struct restore *r, const char *folder)
{
	r->is_trial = true;
	int err = file_tree_walk(folder, file_place, r);
	if (err == -ELOOP || err == -E2BIG)
		return ctl_fail(
			r->c, "%s has something else than plain files, or too many", r->c->operand);
	return err ? CTL_FAILED : CTL_OK;
}

// Writes the file system to disk: before the renames the files that they put in place, after them
// the renames.
static int disk_write(const struct restore *r)
{
	int fd = open(r->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || syncfs(fd) ? errno : 0;
	if (fd >= 0)
		close(fd);
	return err ? ctl_fail(r->c, "%s: %s", r->folder, strerror(err)) : CTL_OK;
}

static int files_place(struct restore *r, const char *folder)
{
	r->is_trial = false;
	r->files = 0;
	if (disk_write(r) != CTL_OK)
		return CTL_FAILED;
	int err = file_tree_walk(folder, others_place, r);
	if (!err)
		err = file_place(r, r->main);
	return err ? CTL_FAILED : disk_write(r);
}

static int restore_do(struct restore *r)
{
	char folder[PATH_MAX + 16];
	snprintf(folder, sizeof(folder), "%s/config", r->stage);
	int rc = unpack(r, "weir-backup");
	if (rc == CTL_OK)
		rc = head_read(r);
	if (rc == CTL_OK)
		rc = unpack(r, "config");
	if (rc == CTL_OK)
		rc = files_try(r, folder);
	if (rc == CTL_OK)
		rc = config_check(r);
	return rc == CTL_OK && !r->c->dry_run ? files_place(r, folder) : rc;
}

static void restored_print(const struct restore *r)
{
	char shown[1024];
	if (r->c->json) {
		struct json_doc *doc = json_doc_new();
		json_put_text(json_doc_root(doc), "folder", r->folder);
		json_put_count(json_doc_root(doc), "files", r->files);
		json_put_bool(json_doc_root(doc), "dry_run", r->c->dry_run);
		json_doc_end(doc);
		return;
	}
	printf("%s: %u file%s %s", term_text(r->folder, shown, sizeof(shown)), r->files,
		r->files == 1 ? "" : "s", r->c->dry_run ? "could be restored\n" : "restored");
	if (!r->c->dry_run)
		puts("; weirctl config reload activates them");
}

static int cmd_restore(struct ctl *c)
{
	struct restore r = {.c = c};
	const char *slash = strrchr(c->config_path, '/');
	char folder[PATH_MAX];
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - c->config_path) : 1,
		slash ? c->config_path : ".");
	r.place = slash ? slash + 1 : c->config_path;
	if (!realpath(*folder ? folder : "/", r.folder))
		return ctl_fail(c, "%s: %s", folder, strerror(errno));
	int n = snprintf(r.stage, sizeof(r.stage), "%s/.restore.XXXXXX", r.folder);
	if (n < 0 || n >= (int)sizeof(r.stage) || !mkdtemp(r.stage))
		return ctl_fail(c, "%s: %s", r.folder, strerror(errno));
	int rc = restore_do(&r);
	file_tree_remove(r.stage);
	if (rc == CTL_OK)
		restored_print(&r);
	return rc;
}

CTL_COMMANDS = {
	{"backup", NULL, 1, 1, CTL_OPT_ALL | CTL_OPT_FORCE | CTL_OPT_LOCAL, cmd_backup,
		"[--all] [--force] FILE",
		"Write the configuration with its included files and its history to the new FILE, "
		"a tar archive; --all: all of the state directory, too."},
	{"restore", NULL, 1, 1, CTL_OPT_FORCE | CTL_OPT_DRY_RUN | CTL_OPT_LOCAL, cmd_restore,
		"[--dry-run] [--force] FILE",
		"Put the configuration of a backup back, unless config check refuses it; --force: "
		"replace files, and keep them as NAME.before."},
};
