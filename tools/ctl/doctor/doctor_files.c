// SPDX-License-Identifier: BSD-3-Clause
// Checks of files: the permissions of each file of weir and of the folders above it, secrets in the
// configuration, the members of the admin group in /etc/group below WEIR_ROOT, and when
// certificates and lists of revoked ones expire.

#include "doctor_files.h"

#include "doctor_checks.h"
#include "lib/config_prove.h"
#include "lib/sysroot.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <weir/config_tools.h>
#include <weir/shm_region.h>
#include <weir/url.h>

enum { MAY_READ = 4, MAY_WRITE = 2, MAY_SEARCH = 1 };
// The most bytes of a path in an error.
enum { PATH_SHOWN = DOCTOR_TEXT_MAX - 256 };
enum { RUN_MODE = 03771, CONTROL_MODE = 02751, STATE_MODE = 0750, WHAT_MAX = 160 };

static bool mode_lets(const struct passwd_user *u, const struct stat *st, unsigned bits)
{
	const unsigned shift = st->st_uid == u->uid ? 6 : st->st_gid == u->gid ? 3 : 0;
	const bool by_a_group = u->is_in_all && shift == 0 && (st->st_mode >> 3 & bits) == bits;
	return u->uid == 0 || by_a_group || (st->st_mode >> shift & bits) == bits;
}

// May the user use this file or directory? 1, 0 or -errno, as doctor_file_may.
static int part_may(
	const struct passwd_user *u, const char *path, unsigned bits, struct doctor_block *b)
{
	snprintf(b->part, sizeof(b->part), "%s", path);
	b->bits = bits;
	if (stat(path, &b->st) != 0) {
		int err = errno;
		b->is_missing = err == ENOENT || err == ENOTDIR;
		snprintf(b->why, sizeof(b->why), "%.*s: %s", PATH_SHOWN, path, strerror(err));
		return b->is_missing ? 0 : -err;
	}
	if (mode_lets(u, &b->st, bits))
		return 1;
	snprintf(b->why, sizeof(b->why), "%.*s: mode %04o of user %u, group %u", PATH_SHOWN, path,
		(unsigned)b->st.st_mode & 07777, (unsigned)b->st.st_uid, (unsigned)b->st.st_gid);
	return 0;
}

int doctor_file_may(
	const struct passwd_user *u, const char *path, unsigned bits, struct doctor_block *b)
{
	char real[PATH_MAX];
	b->is_missing = b->is_way = false;
	if (!realpath(path, real))
		return part_may(u, path, bits, b); // which says why not
	int may = part_may(u, "/", MAY_SEARCH, b);
	for (char *slash = strchr(real + 1, '/'); may == 1 && slash;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		may = part_may(u, real, MAY_SEARCH, b);
		*slash = '/';
	}
	b->is_way = may != 1;
	return may == 1 ? part_may(u, real, bits, b) : may;
}

void doctor_block_do(struct doctor *d, const struct passwd_user *u, const struct doctor_block *b)
{
	const char *part = TEXT_QUOTE(b->part);
	char bits[4];
	snprintf(bits, sizeof(bits), "%s%s%s", b->bits & MAY_READ ? "r" : "",
		b->bits & MAY_WRITE ? "w" : "", b->bits & MAY_SEARCH ? "x" : "");
	if (b->is_missing)
		doctor_do(d, "weirctl -c %s config check", TEXT_QUOTE(d->c->config_path));
	else if (b->st.st_uid == u->uid)
		doctor_do(d, "chmod u+%s %s", bits, part);
	else if (b->st.st_gid == u->gid)
		doctor_do(d, "chmod g+%s %s", bits, part);
	else if (b->st.st_gid == 0 || !(b->st.st_mode & S_IRWXG))
		doctor_do(d, "chgrp %u %s && chmod g+%s %s", (unsigned)u->gid, part, bits, part);
	else // other users have that group
		doctor_do(d, "ls -ld %s # the user %s, group %u, needs %s there", part, u->name,
			(unsigned)u->gid, bits);
}

static bool is_missing(const char *path)
{
	struct stat st;
	return stat(path, &st) != 0 && errno == ENOENT;
}

// Will the start make the directory? Root makes its directories, and systemd that of
// StateDirectory=.
static bool is_made_at_start(const char *path, const struct passwd_user *u)
{
	return is_missing(path)
	       && (u->uid == 0
		       || (strcmp(path, "/var/lib/weir") == 0
			       && sysroot_exists("/lib/systemd/system/weir-controlplane.service")));
}

static void folder_check(struct doctor *d, const char *what, const char *path,
	const struct passwd_user *u, unsigned mode)
{
	struct doctor_block b;
	if (is_made_at_start(path, u)) {
		doctor_add(d, DOCTOR_OK, "%s %s: it is made at the start", what, path);
		return;
	}
	int may = doctor_file_may(u, path, MAY_WRITE | MAY_SEARCH, &b);
	if (may < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s: %s", what, b.why);
	} else if (may == 1) {
		doctor_add(d, DOCTOR_OK, "%s %s: the user %s may write to it", what, path, u->name);
	} else {
		doctor_add(d, DOCTOR_WRONG, "%s: the user %s may not write to it: %s", what,
			u->name, b.why);
		if (b.is_way)
			doctor_block_do(d, u, &b);
		else
			doctor_do(d, "install -d -o %s -g %u -m %04o %s",
				mode == STATE_MODE ? u->name : "root", (unsigned)u->gid, mode,
				TEXT_QUOTE(path));
	}
}

// If the processes have two users, only the control plane may write to the folder: otherwise the
// data plane could prevent its start.
static void control_folder_check(struct doctor *d, const char *run)
{
	char path[PATH_MAX];
	struct stat st;
	snprintf(path, sizeof(path), "%s/" SHM_CONTROL, run);
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == d->cp.uid
		&& !(st.st_mode & (S_IWGRP | S_IWOTH))) {
		doctor_add(d, DOCTOR_OK, "%s is the user %s's alone", path, d->cp.name);
		return;
	}
	if (is_missing(path))
		doctor_add(d, DOCTOR_WARNING,
			"%s is not there yet: the user %s could make it first, and %s would not "
			"start",
			path, d->dp.name, d->cp.name);
	else
		doctor_add(d, DOCTOR_WRONG,
			"%s is no folder that the user %s alone may write to: the control plane "
			"does not start",
			path, d->cp.name);
	doctor_do(d, "install -d -o %s -g %u -m %04o %s", d->cp.name, (unsigned)d->cp.gid,
		CONTROL_MODE, TEXT_QUOTE(path));
}

// Checks a folder that the configuration names. The control plane makes a missing one.
static void named_folder_check(struct doctor *d, const char *key, const char *path)
{
	if (path && *path && !is_missing(path))
		folder_check(d, key, path, &d->cp, STATE_MODE);
}

static void config_file_check_by(struct doctor *d, const char *path, const struct passwd_user *u)
{
	struct doctor_block b;
	int may = doctor_file_may(u, path, MAY_READ, &b);
	if (may < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "configuration: %s", b.why);
	} else if (may == 0) {
		doctor_add(d, DOCTOR_WRONG, "configuration: the user %s may not read it: %s",
			u->name, b.why);
		doctor_block_do(d, u, &b);
	} else {
		doctor_add(
			d, DOCTOR_OK, "configuration %s: the user %s may read it", path, u->name);
	}
}

// Checks that others may not read the configuration, which may hold passwords.
static void config_others_check(struct doctor *d, const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "configuration: %s: %s", path, strerror(errno));
	} else if (st.st_mode & S_IRWXO) {
		doctor_add(d, DOCTOR_WARNING, "configuration: every user may read %s (mode %04o)",
			path, (unsigned)st.st_mode & 07777);
		doctor_do(d, "chmod o-rwx %s", TEXT_QUOTE(path));
	}
}

// Checks a file that the control plane reads beside its configuration: a list, a secret, a
// certificate or a hosts file.
static void named_check(struct doctor *d, const char *what, const char *path, unsigned *good)
{
	struct doctor_block b;
	if (!path || *path != '/') // no path, or a secret that is in no file
		return;
	int may = doctor_file_may(&d->cp, path, MAY_READ, &b);
	if (may < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s: %s", what, b.why);
	} else if (may == 0 && b.is_missing) {
		doctor_add(d, DOCTOR_WRONG, "%s: there is no file %s", what, path);
		doctor_block_do(d, &d->cp, &b);
	} else if (may == 0) {
		doctor_add(d, DOCTOR_WRONG, "%s: the user %s may not read it: %s", what, d->cp.name,
			b.why);
		doctor_block_do(d, &d->cp, &b);
	} else if (!S_ISREG(b.st.st_mode)) {
		doctor_add(d, DOCTOR_WRONG, "%s: %s is not a regular file", what, path);
		doctor_do(d, "ls -ld %s", TEXT_QUOTE(path));
	} else {
		(*good)++;
	}
}

static void blocking_check(struct doctor *d, const struct config_blocking *b, unsigned *good)
{
	for (unsigned i = 0; i < b->list_count; i++) {
		const struct config_list *l = &b->lists[i];
		char what[WHAT_MAX];
		snprintf(what, sizeof(what), "list \"%s\"", l->name);
		named_check(d, what, l->path, good);
		if (l->tls)
			named_check(d, what, l->tls->ca_file, good);
	}
	for (unsigned i = 0; i < b->tsig_key_count; i++)
		named_check(
			d, "blocking.tsig_keys[].secret_file", b->tsig_keys[i].secret_file, good);
}

static void named_check_all(struct doctor *d, const struct config *c)
{
	unsigned good = 0;
	for (unsigned i = 0; i < c->tls.count; i++) {
		named_check(d, "tls.certificates[].cert", c->tls.certificate[i].cert, &good);
		named_check(d, "tls.certificates[].key", c->tls.certificate[i].key, &good);
	}
	for (unsigned i = 0; i < c->control.count; i++) {
		named_check(
			d, "control.certificates[].cert", c->control.certificate[i].cert, &good);
		named_check(d, "control.certificates[].key", c->control.certificate[i].key, &good);
	}
	named_check(d, "control.client_ca", c->control.client_ca, &good);
	named_check(d, "tls.tickets_file", c->tls.tickets_file, &good);
	named_check(d, "tls.client_ca", c->tls.client_ca, &good);
	named_check(d, "upstreams.ca_file", c->upstreams.ca_file, &good);
	named_check(d, "upstreams.root_hints", c->upstreams.root_hints, &good);
	named_check(d, "redis.password_file", c->redis.password_file, &good);
	named_check(d, "redis.sentinel_password_file", c->redis.sentinel_password_file, &good);
	named_check(d, "cookies.secret_file", c->cookies.secret_file, &good);
	named_check(d, "query_log.clickhouse.password_file", c->query_log.clickhouse.password_file,
		&good);
	named_check(d, "query_log.clickhouse.ca_file", c->query_log.clickhouse.ca_file, &good);
	if (c->dnssec.validate)
		named_check(d, "dnssec.anchors", c->dnssec.anchors, &good);
	for (unsigned i = 0; i < c->local.hosts_file_count; i++)
		named_check(d, "local.hosts_files", c->local.hosts_files[i], &good);
	for (unsigned i = 0; i < c->query_log.webhook_count; i++)
		named_check(d, "query_log.webhooks[].ca_file", c->query_log.webhooks[i].to.ca_file,
			&good);
	for (unsigned i = 0; i < c->events.webhook_count; i++)
		named_check(
			d, "events.webhooks[].ca_file", c->events.webhooks[i].to.ca_file, &good);
	blocking_check(d, &c->blocking, &good);
	if (good)
		doctor_add(d, DOCTOR_OK,
			"the user %s may read %u of the files that the configuration names",
			d->cp.name, good);
}

enum { OF_REDIS = 1, IS_PASSWORD = 2, IS_SENTINEL = 4 };

struct found {
	bool password, sentinel;
	unsigned urls;
};

static unsigned marks_of(const char *key)
{
	return strcmp(key, "redis") == 0               ? OF_REDIS
	       : strcmp(key, "password") == 0          ? IS_PASSWORD
	       : strcmp(key, "sentinel_password") == 0 ? IS_SENTINEL
						       : 0;
}

static void on_scalar(void *arg, const struct config_scalar *s)
{
	struct found *f = arg;
	struct url url;
	if (!*s->value)
		return;
	f->password |= s->marks == (OF_REDIS | IS_PASSWORD);
	f->sentinel |= s->marks == (OF_REDIS | IS_SENTINEL);
	f->urls += url_parse(s->value, &url) == 0 && url.userinfo_len;
}

// Counts the secrets in a file. False: it cannot be read, or is no YAML, which other checks report.
static bool secrets_read(const char *path, struct found *out)
{
	const struct config_scalars_to to = {marks_of, on_scalar, out};
	char *text = NULL;
	size_t cap = 0;
	FILE *f = fopen(path, "re");
	const ssize_t len = f ? getdelim(&text, &cap, '\0', f) : -1;
	const bool ok = len > 0 && config_scalars(text, (size_t)len, &to) == 0;
	free(text);
	if (f)
		fclose(f);
	return ok;
}

static void password_report(struct doctor *d, const char *path, const char *key)
{
	doctor_add(d, DOCTOR_WARNING, "configuration: the user %s may read redis.%s in %s",
		d->dp.name, key, path);
	doctor_do(d, "install -o %s -m 0400 /dev/stdin /etc/weir/redis.%s # then redis.%s_file",
		d->cp.name, key, key);
}

// Warns of secrets in a file of the configuration that the data plane's user may read. That user
// must be able to read the file, as the data plane starts with it while there is no version.
static void secrets_check(struct doctor *d, const char *path)
{
	struct found f = {0};
	struct doctor_block b;
	if (d->dp.uid == d->cp.uid || doctor_file_may(&d->dp, path, 4, &b) != 1
		|| !secrets_read(path, &f))
		return;
	if (f.password)
		password_report(d, path, "password");
	if (f.sentinel)
		password_report(d, path, "sentinel_password");
	if (!f.urls)
		return;
	doctor_add(d, DOCTOR_WARNING,
		"configuration: the user %s may read a user or password of %u URLs in %s",
		d->dp.name, f.urls, path);
	doctor_do(d, "grep -n '://[^/]*@' %s", TEXT_QUOTE(path));
}

// Checks the rights of the configuration file, or of an included file.
static void config_rights_check(struct doctor *d, const char *path)
{
	config_file_check_by(d, path, &d->cp);
	if (d->dp.uid != d->cp.uid)
		config_file_check_by(d, path, &d->dp);
	config_others_check(d, path);
	secrets_check(d, path);
}

// Checks a folder of a pattern of `include`: each file in it can become a part of the
// configuration.
static void config_folder_check(struct doctor *d, const char *path)
{
	const struct passwd_user *const users[] = {&d->cp, &d->dp};
	struct doctor_block b;
	struct stat st;
	for (unsigned i = 0; i < (d->dp.uid != d->cp.uid ? 2 : 1); i++)
		if (doctor_file_may(users[i], path, MAY_READ | MAY_SEARCH, &b) == 0) {
			doctor_add(d, DOCTOR_WRONG,
				"configuration: the user %s may not read the folder: %s",
				users[i]->name, b.why);
			doctor_block_do(d, users[i], &b);
		}
	if (stat(path, &st) == 0 && st.st_mode & S_IWOTH) {
		doctor_add(d, DOCTOR_WRONG, "every user may add to the configuration in %s", path);
		doctor_do(d, "chmod o-w %s", TEXT_QUOTE(path));
	}
}

static void check_files(struct doctor *d)
{
	config_rights_check(d, d->c->config_path);
	if (doctor_lacks_config(d))
		return;
	for (unsigned i = 0; i < d->config->include.file_count; i++)
		config_rights_check(d, d->config->include.files[i]);
	for (unsigned i = 0; i < d->config->include.folder_count; i++)
		config_folder_check(d, d->config->include.folders[i]);
	const struct config_runtime *r = &d->config->runtime;
	folder_check(d, "runtime.directory", r->directory, &d->cp, RUN_MODE);
	if (d->dp.uid != d->cp.uid) {
		folder_check(d, "runtime.directory", r->directory, &d->dp, RUN_MODE);
		control_folder_check(d, r->directory);
	}
	folder_check(d, "runtime.state_directory", r->state_directory, &d->cp, STATE_MODE);
	const struct config_query_log *l = &d->config->query_log;
	named_folder_check(d, "query_log.store.directory", l->store.directory);
	named_folder_check(d, "query_log.requests.directory", l->requests.directory);
	named_folder_check(
		d, "query_log.clickhouse.spool_directory", l->clickhouse.spool_directory);
	named_check_all(d, d->config);
}

enum member { NO_GROUP, NOT_IN_IT, IN_IT, BY_BIRTH }; // BY_BIRTH: the user's own group

static enum member member_of(const struct passwd_user *u, const char *group)
{
	char path[SYSROOT_PATH_MAX], room[16384];
	struct group one, *found;
	enum member is = NO_GROUP;
	FILE *f = fopen(sysroot_path(path, "/etc/group"), "re");
	while (f && is == NO_GROUP && fgetgrent_r(f, &one, room, sizeof(room), &found) == 0) {
		if (strcmp(one.gr_name, group) != 0)
			continue;
		is = one.gr_gid == u->gid ? BY_BIRTH : NOT_IN_IT;
		for (char **name = one.gr_mem; is == NOT_IN_IT && *name; name++)
			if (strcmp(*name, u->name) == 0)
				is = IN_IT;
	}
	if (f)
		fclose(f);
	return is;
}

// Checks that the data plane's user is no operator, as the data plane parses untrusted input.
static void dataplane_check(struct doctor *d, const char *operators)
{
	const enum member is = member_of(&d->dp, operators);
	if (is == NO_GROUP) {
		doctor_add(d, DOCTOR_UNKNOWN, "/etc/group has no %s (runtime.group)", operators);
	} else if (is == NOT_IN_IT) {
		doctor_add(d, DOCTOR_OK, "the data plane's user %s is not in runtime.group",
			d->dp.name);
	} else {
		doctor_add(d, DOCTOR_WARNING,
			"the data plane's user %s is in %s (runtime.group): it is no operator",
			d->dp.name, operators);
		doctor_do(d,
			is == IN_IT ? "gpasswd -d %s %s && systemctl restart weir-dataplane"
				    : "id %s # its own group is %s: name another one in "
				      "runtime.group",
			d->dp.name, operators);
	}
}

// Checks that the user is in the group: a process can give a file only to a group of its own.
static void giver_check(
	struct doctor *d, const struct passwd_user *u, const char *key, const char *group)
{
	if (member_of(u, group) != NOT_IN_IT)
		return;
	doctor_add(d, DOCTOR_WARNING, "the user %s is not in %s (%s)", u->name, group, key);
	doctor_do(d, "usermod -aG %s %s && systemctl restart weir-dataplane weir-controlplane",
		group, u->name);
}

static void check_groups(struct doctor *d)
{
	if (doctor_lacks_config(d))
		return;
	const struct config_runtime *r = &d->config->runtime;
	if (!r->group[0])
		doctor_add(d, DOCTOR_OK, "no runtime.group: root alone is an operator");
	if (d->dp.uid == d->cp.uid) {
		doctor_add(d, DOCTOR_OK, "both processes have one user, %s", d->cp.name);
		return;
	}
	if (r->group[0]) {
		dataplane_check(d, r->group);
		giver_check(d, &d->cp, "runtime.group", r->group);
	}
	if (r->stats_group[0]) {
		giver_check(d, &d->dp, "runtime.stats_group", r->stats_group);
		giver_check(d, &d->cp, "runtime.stats_group", r->stats_group);
	} else if (r->group[0]) {
		doctor_add(d, DOCTOR_WARNING,
			"no runtime.stats_group: operators see no statistics while the control "
			"plane is down");
		doctor_do(d,
			"editor %s # below \"group: %s\" add \"stats_group: weir-stats\"; then "
			"systemctl restart weir-dataplane weir-controlplane",
			TEXT_QUOTE(d->c->config_path), r->group);
	}
}

enum { SOON_S = 14 * 86400, SOON_PART = 4, DATE_MAX = 32 };

// Who uses the certificates: weir's own, whose end ends its service, or trusted authorities'.
enum whose { OURS, AUTHORITIES };

static const char *date_of(time_t when, char out[DATE_MAX])
{
	struct tm tm;
	if (!gmtime_r(&when, &tm) || strftime(out, DATE_MAX, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(out, DATE_MAX, "?");
	return out;
}

// Does the certificate end soon: within two weeks, or in the last quarter of a short validity?
static bool is_soon(const struct config_end *e, time_t now)
{
	const time_t part = (e->ends - e->begins) / SOON_PART;
	return e->ends - now < (part < SOON_S ? part : SOON_S);
}

static void end_do(struct doctor *d, const struct config_end *e, const char *path)
{
	if (e->is_list)
		doctor_do(d, "openssl crl -noout -issuer -nextupdate -in %s", TEXT_QUOTE(path));
	else
		doctor_do(d, "openssl x509 -noout -subject -enddate -in %s", TEXT_QUOTE(path));
}

// Reports an end that has come or is near. False: there is nothing to report.
static bool end_report(struct doctor *d, const char *what, const char *path,
	const struct config_end *e, enum whose whose)
{
	const time_t now = time(NULL);
	char date[DATE_MAX];
	const bool is_over = e->ends && e->ends <= now;

	if (is_over && (e->is_list || whose == OURS))
		doctor_add(d, DOCTOR_WRONG, "%s: the %s of \"%s\" in %s ended on %s%s", what,
			e->is_list ? "list of revoked certificates" : "certificate", e->name, path,
			date_of(e->ends, date),
			e->is_list ? ": no certificate of that authority is good" : "");
	else if (e->ends && (is_over || is_soon(e, now)))
		doctor_add(d, DOCTOR_WARNING, "%s: the %s of \"%s\" in %s %s on %s", what,
			e->is_list ? "list of revoked certificates" : "certificate", e->name, path,
			is_over ? "ended" : "ends", date_of(e->ends, date));
	else if (e->lacks_list && whose == AUTHORITIES)
		doctor_add(d, DOCTOR_WARNING,
			"%s: %s has lists of revoked certificates, and none of \"%s\": no "
			"certificate of that authority is good",
			what, path, e->name);
	else
		return false;
	end_do(d, e, path);
	return true;
}

// Checks the ends in a file. Returns the number of files read: 1, or 0 without such a key.
static unsigned file_check(struct doctor *d, const char *what, const char *path, enum whose whose)
{
	static struct config_end end[CONFIG_ENDS_MAX];
	const struct config_end *first = NULL;
	const char *why;
	char date[DATE_MAX];
	unsigned reported = 0;

	if (!path || !*path)
		return 0;
	const unsigned count = config_ends_read(path, end, &why);
	for (unsigned i = 0; i < count; i++) {
		reported += end_report(d, what, path, &end[i], whose);
		if (end[i].ends && (!first || end[i].ends < first->ends))
			first = &end[i];
	}
	if (count == 0)
		doctor_add(d, DOCTOR_UNKNOWN, "%s: %s: %s", what, path, why);
	else if (reported == 0 && first)
		doctor_add(d, DOCTOR_OK, "%s: %s is good until %s", what, path,
			date_of(first->ends, date));
	else if (reported == 0)
		doctor_add(d, DOCTOR_OK, "%s: %s has no end", what, path);
	return 1;
}

static unsigned own_check(struct doctor *d, const char *what, unsigned count,
	const struct config_certificate *certificate)
{
	for (unsigned i = 0; i < count; i++)
		(void)file_check(d, what, certificate[i].cert, OURS);
	return count;
}

static unsigned webhooks_check(struct doctor *d, const struct config *c)
{
	unsigned n = 0;
	for (unsigned i = 0; i < c->query_log.webhook_count; i++)
		n += file_check(d, "query_log.webhooks[].ca_file",
			c->query_log.webhooks[i].to.ca_file, AUTHORITIES);
	for (unsigned i = 0; i < c->events.webhook_count; i++)
		n += file_check(d, "events.webhooks[].ca_file", c->events.webhooks[i].to.ca_file,
			AUTHORITIES);
	return n;
}

static unsigned lists_check(struct doctor *d, const struct config_blocking *b)
{
	unsigned n = 0;
	for (unsigned i = 0; i < b->list_count; i++) {
		char what[WHAT_MAX];
		snprintf(what, sizeof(what), "list \"%s\"", b->lists[i].name);
		n += b->lists[i].tls ? file_check(d, what, b->lists[i].tls->ca_file, AUTHORITIES)
				     : 0;
	}
	return n;
}

static void check_certificates(struct doctor *d)
{
	const struct config *c = d->config;

	if (doctor_lacks_config(d))
		return;
	unsigned n = own_check(d, "tls.certificates", c->tls.count, c->tls.certificate);
	n += own_check(d, "control.certificates", c->control.count, c->control.certificate);
	n += file_check(d, "tls.client_ca", c->tls.client_ca, AUTHORITIES);
	n += file_check(d, "control.client_ca", c->control.client_ca, AUTHORITIES);
	n += file_check(d, "upstreams.ca_file", c->upstreams.ca_file, AUTHORITIES);
	n += file_check(
		d, "query_log.clickhouse.ca_file", c->query_log.clickhouse.ca_file, AUTHORITIES);
	n += webhooks_check(d, c) + lists_check(d, &c->blocking);
	if (n == 0)
		doctor_add(d, DOCTOR_OK, "the configuration names no certificates");
}

const struct doctor_check doctor_files_checks[] = {
	{"files", check_files},
	{"certificates", check_certificates},
	{"groups", check_groups},
	{NULL, NULL},
};
