// SPDX-License-Identifier: BSD-3-Clause
// Which texts a process starts with: a version's, or the files on disk.

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/config/shared.h>
#include <weir/config/versions.h>
#include <weir/heap_site.h>
#include <weir/log.h>

struct search {
	const char *path; // absolute path of the configuration file
	enum config_secrets_kind secrets;
	int (*read)(const char *folder, unsigned number, struct config_version *v,
		struct config_bundle *b, char why[CONFIG_WHY_MAX]);
	unsigned current; // number of the version in force; 0: there is no such version, or unknown
	struct config_start *out;
};

// Is the version's file damaged or missing? After other errors the next load may succeed.
static bool is_damage(int err)
{
	return err == -EBADMSG || err == -EPERM || err == -ENOENT || err == -ELOOP;
}

// Uses version `number` if it can be used; else `skipped` says why it cannot.
static bool version_take(const struct search *s, unsigned number)
{
	struct config_start *out = s->out;
	struct config_errors errors = {0};
	struct config_version v;
	struct config_bundle b;
	char why[CONFIG_WHY_MAX] = "";
	const bool is_current = number == s->current;
	int rc = s->read(out->folder, number, &v, &b, why);
	if (rc < 0) {
		out->is_held |= is_current && !is_damage(rc);
		snprintf(out->skipped, sizeof(out->skipped), "%s", why);
		return false;
	}
	const bool is_mine = strcmp(b.main.path, s->path) == 0;
	const bool was_good =
		v.result == CONFIG_VERSION_applied
		|| (is_current
			&& (config_version_is_watched(&v) || v.result == CONFIG_VERSION_fallen));
	if (is_mine && was_good && config_bundle_load(&b, s->secrets, &out->config, &errors) == 0) {
		out->version = v;
		out->bundle = b;
		return true;
	}
	config_bundle_free(&b);
	if (errors.count) {
		out->is_held |= is_current;
		config_errors_tell(&errors, why);
		snprintf(out->skipped, sizeof(out->skipped), "version %u: %.450s", number, why);
	}
	return false;
}

// Uses the newest usable version below `below`.
static bool older_take(const struct search *s, unsigned below)
{
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	int count = config_versions_list(s->out->folder, numbers);
	for (int i = count - 1; i >= 0; i--)
		if (numbers[i] < below && version_take(s, numbers[i]))
			return true;
	return false;
}

static void version_find(struct search *s)
{
	struct config_start *out = s->out;
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	int count = config_versions_list(out->folder, numbers);
	if (count < 0 && count != -ENOENT)
		snprintf(out->skipped, sizeof(out->skipped), "%s: %s", out->folder,
			strerror(-count));
	if (count <= 0)
		return;
	int rc = config_version_current(out->folder, &s->current, out->skipped);
	if (rc == 0 && s->current == 0) // no version was ever in force
		return;
	if (rc < 0 || !version_take(s, s->current))
		(void)older_take(s, rc < 0 ? UINT_MAX : s->current);
}

// Digests of the texts on disk: [0] with secrets, [1] blotted.
struct disk_digests {
	uint64_t disk[2], all[2];
};

// Has the version this digest? A version that does not load without its secrets keeps them in its
// blotted file, so [0] counts for that, too.
static bool is_digest(const uint64_t of[2], const struct config_version *v, uint64_t digest)
{
	return digest == of[0] || (v->is_blotted && digest == of[1]);
}

// Blotted digests are 0, which no version has, if they are not needed, or without memory.
static void disk_digests_find(
	const struct search *s, const struct config_bundle *b, struct disk_digests *out)
{
	struct config_bundle blotted;
	unsigned blots;
	*out = (struct disk_digests){{config_bundle_disk_digest(b)}, {config_bundle_digest(b)}};
	if (s->read != config_version_read_any || config_bundle_blot(b, &blotted, &blots) < 0)
		return;
	out->disk[1] = config_bundle_disk_digest(&blotted);
	out->all[1] = config_bundle_digest(&blotted);
	config_bundle_free(&blotted);
}

// Digest of a version's shared and managed part. 0: it cannot be read.
static uint64_t parts_digest(const struct search *s, unsigned number)
{
	struct config_version v;
	struct config_bundle b;
	char why[CONFIG_WHY_MAX];
	if (s->read(s->out->folder, number, &v, &b, why) < 0)
		return 0;
	const uint64_t digest = config_bundle_digest(
		&(struct config_bundle){.shared = b.shared, .managed = b.managed});
	config_bundle_free(&b);
	return digest;
}

// Has the version the shared and the managed part of the one before its watch? Then its file was
// the fault. All versions of a watch are taken back together.
static bool is_fault_of_file(const struct search *s, const struct config_version *v)
{
	struct config_version base = *v;
	char why[CONFIG_WHY_MAX];
	do {
		const unsigned before = base.before;
		if (!before || before >= base.number
			|| s->read(s->out->folder, before, &base, NULL, why) < 0)
			return false;
	} while (base.result == CONFIG_VERSION_taken_back);
	const uint64_t parts = parts_digest(s, v->number);
	return base.disk_digest != v->disk_digest && parts && parts == parts_digest(s, base.number);
}

// The version of this text that weir went back from; 0: there is no such version, or a newer
// version of the text was applied. Versions with another shared or managed part count as bad only
// if that part was not the fault.
static unsigned taken_back_as(const struct search *s, const struct disk_digests *d)
{
	const char *folder = s->out->folder;
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	int count = config_versions_list(folder, numbers);
	for (int i = count - 1; i >= 0; i--) {
		struct config_version v;
		char why[CONFIG_WHY_MAX];
		if (s->read(folder, numbers[i], &v, NULL, why) < 0
			|| !is_digest(d->disk, &v, v.disk_digest))
			continue;
		if (v.result == CONFIG_VERSION_taken_back
			&& (is_digest(d->all, &v, v.digest) || is_fault_of_file(s, &v)))
			return v.number;
		if (v.result == CONFIG_VERSION_applied)
			return 0;
	}
	return 0;
}

static bool was_stopped(const char *folder)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/stopped", folder);
	return access(path, F_OK) == 0;
}

static void disk_use(struct config_start *out, struct config_bundle *b, struct config *c)
{
	config_free(out->config);
	config_bundle_free(&out->bundle);
	out->version = (struct config_version){0};
	out->config = c;
	out->bundle = *b;
	out->is_new = true;
}

static int disk_look(const struct search *s, const char *path, char why[CONFIG_WHY_MAX])
{
	struct config_start *out = s->out;
	const struct config_bundle *kept = out->config ? &out->bundle : NULL;
	struct config_errors errors;
	struct config_bundle b;
	struct config *c = NULL;
	int rc = config_bundle_read(path, kept, CONFIG_SECRETS_NONE, &b, &c, &errors);
	if (rc < 0) {
		config_errors_tell(&errors, out->config ? out->disk_why : why);
		out->differs = true;
		return out->config ? 0 : rc;
	}
	struct disk_digests digests;
	disk_digests_find(s, &b, &digests);
	out->differs =
		out->config && !is_digest(digests.disk, &out->version, out->version.disk_digest);
	if (out->differs && out->was_stopped)
		out->taken_back_as = taken_back_as(s, &digests);
	const bool is_wanted = out->differs && out->was_stopped && !out->taken_back_as;
	if (!out->config || is_wanted) {
		disk_use(out, &b, c);
		out->differs = false;
		return 0;
	}
	config_free(c);
	config_bundle_free(&b);
	return 0;
}

// Uses the version in force, or an older one: the secrets of the file on disk, or of the version,
// cannot be read.
static bool fall_back(const struct search *s, const char *why)
{
	struct config_start *out = s->out;
	const unsigned below = out->is_new ? s->current : out->version.number;
	const bool is_disk = out->is_new;
	if (is_disk) {
		snprintf(out->disk_why, sizeof(out->disk_why), "%s", why);
		out->differs = true;
	} else {
		out->is_held |= out->version.number == s->current;
		snprintf(out->skipped, sizeof(out->skipped), "version %u: %.450s",
			out->version.number, why);
	}
	config_free(out->config);
	config_bundle_free(&out->bundle);
	out->config = NULL;
	out->is_new = false;
	return (is_disk && s->current && version_take(s, s->current)) || older_take(s, below);
}

// Loads the outcome of the decision again, with its secrets. The decision itself is made without
// them, so that both processes decide alike.
static int secrets_load(const struct search *s, char why[CONFIG_WHY_MAX])
{
	struct config_start *out = s->out;
	struct config_errors errors = {0};
	struct config *c = NULL;
	if (s->secrets == CONFIG_SECRETS_NONE)
		return 0;
	int rc = config_bundle_load(&out->bundle, s->secrets, &c, &errors);
	if (rc < 0) {
		config_errors_tell(&errors, why);
		return fall_back(s, why) ? 0 : rc;
	}
	config_free(out->config);
	out->config = c;
	return 0;
}

int config_start(const char *path, enum config_secrets_kind secrets, struct config_start *out,
	char why[CONFIG_WHY_MAX])
{
	struct config_places places;
	char unread[CONFIG_WHY_MAX], *absolute = NULL;
	*out = (struct config_start){0};
	(void)!config_places_find(path, &places, unread);
	int rc = config_versions_folder(out->folder, places.state_directory);
	if (rc == 0)
		rc = config_path_absolute(path, &absolute);
	if (rc < 0) {
		snprintf(why, CONFIG_WHY_MAX, "%s: %s", path, strerror(-rc));
		return rc;
	}
	struct search s = {.path = absolute,
		.secrets = CONFIG_SECRETS_NONE,
		.read = secrets == CONFIG_SECRETS_NONE ? config_version_read_any
						       : config_version_read,
		.out = out};
	out->was_stopped = was_stopped(out->folder);
	version_find(&s);
	rc = disk_look(&s, path, why);
	s.secrets = secrets;
	if (rc == 0)
		rc = secrets_load(&s, why);
	heap_free(absolute);
	return rc;
}

int config_version_kept(const char *path, struct config_bundle *out, char why[CONFIG_WHY_MAX])
{
	struct config_places places;
	struct config_version v;
	struct config_bundle b = {0};
	char folder[CONFIG_VERSION_FOLDER_MAX], unread[CONFIG_WHY_MAX], *absolute = NULL;
	struct stat st;
	unsigned number = 0;
	*out = (struct config_bundle){0};
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode)) // a pipe can be read only once
		return 0;
	(void)!config_places_find(path, &places, unread);
	int rc = config_versions_folder(folder, places.state_directory);
	if (rc == 0)
		rc = config_path_absolute(path, &absolute);
	snprintf(why, CONFIG_WHY_MAX, "%s: %s", path, strerror(-rc));
	if (rc == 0)
		rc = config_version_current(folder, &number, why);
	if (rc == 0 && number)
		rc = config_version_read(folder, number, &v, &b, why);
	if (rc == 0 && b.main.path && strcmp(b.main.path, absolute) == 0) {
		out->shared = b.shared;
		out->managed = b.managed;
		b.shared = b.managed = (struct config_text){0};
	}
	config_bundle_free(&b);
	heap_free(absolute);
	return rc;
}

void config_start_log(const struct config_start *s, const char *path, const struct config *c)
{
	char names[CONFIG_SHARED_NAMES_MAX];
	if (s->skipped[0])
		log_warning("configuration: version not used: %s", s->skipped);
	if (c->sync.ignored)
		log_warning("configuration: the shared part replaces %s of this box's files",
			config_shared_names(c->sync.ignored, names));
	if (s->version.number == 0) {
		log_info("configuration: %s, which is no version yet", path);
		return;
	}
	log_info("configuration: version %u, by %s: %s", s->version.number, s->version.who,
		s->version.what);
	if (s->disk_why[0])
		log_warning("configuration: %s cannot be used, version %u stays in force: %s", path,
			s->version.number, s->disk_why);
	else if (s->taken_back_as)
		log_warning("configuration: %s is not used, as it was taken back as version %u: "
			    "weirctl config apply activates it all the same",
			path, s->taken_back_as);
	else if (s->differs)
		log_warning("configuration: %s differs from version %u, which is in force "
			    "(weirctl config diff, weirctl config apply)",
			path, s->version.number);
}

void config_start_free(struct config_start *s)
{
	config_bundle_free(&s->bundle);
}
