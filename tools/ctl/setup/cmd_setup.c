// SPDX-License-Identifier: BSD-3-Clause
// `weirctl setup`: makes an installed package serve a network (docs/how-to/setup.md). It asks
// questions, runs checks of doctor, shows what it would write, and asks before it writes. The end
// of the input, a signal and a no change nothing.

#include "doctor/doctor.h"
#include "doctor/doctor_files.h"
#include "lib/config_prove.h"
#include "lib/http_get.h"
#include "lib/program.h"
#include "lib/show.h"
#include "lib/sysroot.h"
#include "lib/view.h"
#include "setup.h"
#include "terminal/progress.h"
#include "terminal/prompt.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/known.h>

enum { FILE_MAX = 4 << 20 };

static void signals(int how)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGPIPE);
	(void)sigprocmask(how, &set, NULL);
}

char *setup_file_path(const struct setup *s, const char *ending, char out[SETUP_PATH_MAX])
{
	snprintf(out, SETUP_PATH_MAX, "%s%s", s->c->config_path, ending);
	return out;
}

static bool why_errno(char why[SETUP_WHY_MAX], const char *path)
{
	snprintf(why, SETUP_WHY_MAX, "%.800s: %s", path, strerror(errno));
	return false;
}

// Reads FILE into s->text and s->before; config_path becomes its real path; sets the folder.
// CTL_OK, or CTL_FAILED after an error message.
static int setup_file_read(struct setup *s)
{
	if (!realpath(s->c->config_path, s->path))
		return ctl_fail(s->c, "%s: %s", s->c->config_path, strerror(errno));
	s->c->config_path = s->path;
	snprintf(s->folder, sizeof(s->folder), "%.*s", (int)(strrchr(s->path, '/') - s->path),
		s->path);
	FILE *f = fopen(s->c->config_path, "re");
	if (!f)
		return ctl_fail(s->c, "%s: %s", s->c->config_path, strerror(errno));
	s->text = calloc(1, FILE_MAX + 1);
	const size_t len = s->text ? fread(s->text, 1, FILE_MAX + 1, f) : 0;
	const bool failed = !s->text || ferror(f) || len > FILE_MAX || strlen(s->text) != len;
	fclose(f);
	s->before = failed ? NULL : strdup(s->text);
	return s->before ? CTL_OK
			 : ctl_fail(s->c, "%s cannot be read as a text of at most 4 MiB",
				 s->c->config_path);
}

// Gives FILE.setup the owner and the mode of FILE.
static bool owner_set(const struct setup *s, int fd)
{
	struct stat st;
	return stat(s->c->config_path, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0
	       && fchmod(fd, st.st_mode & ALLPERMS) == 0;
}

bool setup_file_make(struct setup *s, const char *text, char why[SETUP_WHY_MAX])
{
	char path[SETUP_PATH_MAX];
	signals(SIG_BLOCK);
	setup_file_path(s, ".setup", path);
	(void)unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return why_errno(why, path);
	const size_t len = strlen(text);
	size_t done = 0;
	bool is_good = true;
	while (is_good && done < len) {
		const ssize_t put = write(fd, text + done, len - done);
		is_good = put >= 0 || errno == EINTR;
		done += put > 0 ? (size_t)put : 0;
	}
	is_good = is_good && owner_set(s, fd) && fsync(fd) == 0;
	if (!is_good)
		(void)why_errno(why, path);
	close(fd);
	return is_good;
}

void setup_file_end(struct setup *s)
{
	char path[SETUP_PATH_MAX];
	(void)unlink(setup_file_path(s, ".setup", path));
	signals(SIG_UNBLOCK);
}

static bool folder_sync(const struct setup *s, char why[SETUP_WHY_MAX])
{
	int fd = open(*s->folder ? s->folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const bool is_good = fd >= 0 && fsync(fd) == 0;
	if (!is_good)
		(void)why_errno(why, s->folder);
	if (fd >= 0)
		close(fd);
	return is_good;
}

// Renames FILE.setup to FILE, and keeps the present FILE as FILE.before: both or neither.
static bool setup_file_take(struct setup *s, char why[SETUP_WHY_MAX])
{
	char from[SETUP_PATH_MAX], before[SETUP_PATH_MAX];
	setup_file_path(s, ".setup", from);
	setup_file_path(s, ".before", before);
	if ((unlink(before) < 0 && errno != ENOENT) || link(s->c->config_path, before) < 0)
		return why_errno(why, before);
	if (rename(from, s->c->config_path) < 0)
		return why_errno(why, s->c->config_path);
	if (folder_sync(s, why))
		return true;
	(void)rename(before, s->c->config_path);
	return false;
}

// Renames FILE.before to FILE.
static bool setup_file_back(struct setup *s, char why[SETUP_WHY_MAX])
{
	char before[SETUP_PATH_MAX];
	setup_file_path(s, ".before", before);
	const int rc = rename(before, s->c->config_path);
	return rc == 0 ? folder_sync(s, why) : why_errno(why, before);
}

enum { OPENSSL_MS = 30000, SYSTEMCTL_MS = 120000, UP_MS = 60000, READY_MS = 15000, POLL_MS = 500 };
#define PAGE_USER "admin"

static void poll_sleep(void)
{
	nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
}

// Lets only the control plane read the file.
static bool owner_change(const char *path, char why[SETUP_WHY_MAX])
{
	struct passwd_user user = {0}; // root, if there is no such user
	if (!sysroot_user_find("weir-cp", 0, &user))
		user.uid = 0;
	if (chown(path, user.uid, 0) == 0 && chmod(path, 0400) == 0)
		return true;
	snprintf(why, SETUP_WHY_MAX, "%.800s: %s", path, strerror(errno));
	return false;
}

// False, with `why`: the control plane may not read the file, by its mode or that of a folder
// above. weir-cp may be in the groups of these.
static bool is_readable(const char *path, char why[SETUP_WHY_MAX])
{
	struct passwd_user user;
	struct doctor_block b;
	if (!sysroot_user_find("weir-cp", 0, &user))
		return true;
	user.is_in_all = true;
	const int rc = doctor_file_may(&user, path, R_OK, &b);
	if (rc > 0)
		return true;
	if (rc < 0)
		snprintf(why, SETUP_WHY_MAX, "%.400s: %.600s", path, b.why);
	else
		snprintf(why, SETUP_WHY_MAX,
			"%.400s: the user weir-cp may not read it: change the owner or the mode of "
			"%.400s",
			path, b.part);
	return false;
}

// Checks the present certificate, which stays: it may be from an authority.
static bool certificate_check(
	const struct setup *s, const char *cert, const char *key, char why[SETUP_WHY_MAX])
{
	char text[SOCKET_ADDRESS_TEXT_MAX], said[4096];
	bool is_of_key;
	const char *wrong = config_certificate_wrong(cert, key, &is_of_key);
	if (wrong) {
		snprintf(why, SETUP_WHY_MAX, "%.800s: %s", is_of_key ? key : cert, wrong);
		return false;
	}
	if (!is_readable(cert, why) || !is_readable(key, why))
		return false;
	ip_address_text(&s->address[0], false, text);
	const char *const args[] = {
		"/usr/bin/openssl", "x509", "-in", cert, "-noout", "-checkip", text, NULL};
	if (program_read(args, OPENSSL_MS, said, sizeof(said)) >= 0
		&& strstr(said, "does NOT match"))
		printf("%s is for another address than %s: browsers warn of that. To get a new "
		       "one, move it away and run setup again\n",
			cert, text);
	return true;
}

// Writes a self-signed certificate and its key. umask keeps the key from other users.
static bool openssl_run(
	const struct setup *s, const char *cert, const char *key, char why[SETUP_WHY_MAX])
{
	char text[SOCKET_ADDRESS_TEXT_MAX], names[512];
	size_t n = (size_t)snprintf(names, sizeof(names), "subjectAltName=");
	for (unsigned i = 0; i < s->address_count && i < CONFIG_CONTROL_LISTEN_MAX; i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%sIP:%s", i ? "," : "",
			ip_address_text(&s->address[i], false, text));
	const char *const args[] = {"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj", "/CN=weir",
		"-addext", names, "-keyout", key, "-out", cert, NULL};
	const mode_t mask = umask(077);
	char said[4096];
	const int rc = program_read(args, OPENSSL_MS, said, sizeof(said));
	umask(mask);
	if (rc != 0)
		snprintf(why, SETUP_WHY_MAX, "the page needs a certificate: /usr/bin/openssl: %s",
			rc == -ENOENT ? "not installed (apt install openssl)"
			: rc < 0      ? strerror(-rc)
				      : "it failed");
	return rc == 0;
}

static bool file_name(const char *from, const char *to, char why[SETUP_WHY_MAX])
{
	return rename(from, to) == 0 || why_errno(why, to);
}

// Makes a certificate, unless the page has one. The files get their names once the control plane
// may read them. One of them alone is not setup's, and stays.
static bool certificate_make(const struct setup *s, char why[SETUP_WHY_MAX])
{
	char cert[SETUP_PATH_MAX], key[SETUP_PATH_MAX], new_cert[SETUP_PATH_MAX],
		new_key[SETUP_PATH_MAX];
	snprintf(cert, sizeof(cert), "%s/control.pem", s->folder);
	snprintf(key, sizeof(key), "%s/control.key", s->folder);
	snprintf(new_cert, sizeof(new_cert), "%s/setup.pem", s->folder);
	snprintf(new_key, sizeof(new_key), "%s/setup.key", s->folder);
	const bool has_cert = access(cert, F_OK) == 0, has_key = access(key, F_OK) == 0;
	if (has_cert && has_key)
		return certificate_check(s, cert, key, why);
	bool is_of_key;
	// A setup before this one was killed between both names.
	if (has_key && access(new_cert, F_OK) == 0
		&& !config_certificate_wrong(new_cert, key, &is_of_key))
		return file_name(new_cert, cert, why);
	if (has_cert || has_key) {
		snprintf(why, SETUP_WHY_MAX,
			"%.400s is there without %.400s: add that, or move it away for a new "
			"certificate",
			has_cert ? cert : key, has_cert ? key : cert);
		return false;
	}
	(void)unlink(new_cert);
	(void)unlink(new_key);
	const bool is_named = openssl_run(s, new_cert, new_key, why) && owner_change(new_cert, why)
			      && owner_change(new_key, why) && file_name(new_key, key, why);
	const bool is_made = is_named && file_name(new_cert, cert, why);
	if (is_named && !is_made)
		(void)unlink(key);
	if (!is_made) {
		(void)unlink(new_cert);
		(void)unlink(new_key);
	}
	return is_made;
}

// Makes a version of the text on disk. A control plane that is down makes one at its start.
static enum http_outcome version_make(const struct setup *s, char why[SETUP_WHY_MAX])
{
	char said[HTTP_WHY_MAX] = "";
	struct json_doc *doc = NULL;
	const struct http_param params[] = {{"keep", "1"}, {NULL, NULL}};
	const enum http_outcome outcome =
		http_call(s->c, true, "/config/apply", params, HTTP_BUILD_MS, &doc, said);
	const struct json_node *root = json_doc_root(doc);
	if (outcome == HTTP_OK)
		printf("version %llu of the configuration (weirctl config history)\n",
			json_count(root, "version"));
	else
		snprintf(why, SETUP_WHY_MAX, "the running weir refuses it: %s", said);
	json_doc_free(doc);
	return outcome;
}

static bool is_made(enum http_outcome outcome)
{
	return outcome == HTTP_OK || outcome == HTTP_NOBODY;
}

static bool units_restart(char why[SETUP_WHY_MAX])
{
	const char *const args[] = {"/usr/bin/systemctl", "restart", "weir-dataplane.service",
		"weir-controlplane.service", NULL};
	printf("restarting both processes\n");
	fflush(stdout);
	const int rc = program_run(args, SYSTEMCTL_MS);
	if (rc != 0)
		snprintf(why, SETUP_WHY_MAX,
			"`systemctl restart weir-dataplane weir-controlplane`: %s",
			rc < 0 ? strerror(-rc)
			       : "it failed; `journalctl -u weir-dataplane` says why");
	return rc == 0;
}

static bool is_up(struct setup *s)
{
	struct view v;
	if (ctl_open(s->c) != CTL_OK || view_take(s->c, "/status", &v) != CTL_OK)
		return false;
	const bool up = v.dataplane == PROCESS_UP && v.controlplane == PROCESS_UP;
	view_free(&v);
	return up;
}

static bool up_wait(struct setup *s, char why[SETUP_WHY_MAX])
{
	const uint64_t until_ms = clock_mono_ms() + UP_MS;
	struct progress p = progress_begin("waiting for both processes", UP_MS / 1000);
	bool up = false;
	while (!(up = is_up(s)) && clock_mono_ms() < until_ms) {
		progress_step(&p);
		poll_sleep();
	}
	progress_end(&p);
	if (!up)
		snprintf(why, SETUP_WHY_MAX,
			"the processes are not both up after %d s; `journalctl -u weir-dataplane "
			"-u "
			"weir-controlplane` says why",
			UP_MS / 1000);
	return up;
}

// Prints whether weir answers clients, after some time for lists and upstream servers.
static void ready_print(struct setup *s)
{
	const uint64_t until_ms = clock_mono_ms() + READY_MS;
	struct progress p = progress_begin("waiting until weir answers clients", READY_MS / 1000);
	char why[HTTP_WHY_MAX], shown[1024];
	for (;;) {
		struct json_doc *doc = NULL;
		const enum http_outcome outcome =
			http_call(s->c, false, "/ready", NULL, HTTP_SHORT_MS, &doc, why);
		const struct json_node *root = json_doc_root(doc);
		const bool is_ready = outcome == HTTP_OK && json_flag(root, "ready");
		const bool is_late = clock_mono_ms() >= until_ms;
		if (is_ready || is_late)
			progress_end(&p);
		else
			progress_step(&p);
		if (is_ready)
			printf("weir answers clients\n");
		else if (is_late)
			printf("weir runs, and does not answer clients yet%s%s (weirctl ready)\n",
				outcome == HTTP_REFUSED ? "" : ": ",
				outcome == HTTP_REFUSED ? ""
							: term_text(why, shown, sizeof(shown)));
		if (is_late && !is_ready)
			show_texts(json_get(root, "why"), "  ");
		json_doc_free(doc);
		if (is_ready || is_late)
			return;
		poll_sleep();
	}
}

static int go_back(struct setup *s, const char *because)
{
	char why[SETUP_WHY_MAX] = "";
	(void)ctl_fail(s->c, "%s", because);
	bool is_back = setup_file_back(s, why) && is_made(version_make(s, why));
	if (is_back && sysroot_exists("/run/systemd/system"))
		is_back = units_restart(why) && up_wait(s, why);
	if (!is_back)
		return ctl_fail(s->c, "%s", *why ? why : "the former configuration is not back");
	return ctl_fail(s->c, "the configuration from before is in force again");
}

// Goes back after the version of the new file was not made. A weir that has refused it runs on with
// the file from before, needs no restart, and reads that again: else its last reload has failed.
static int unmade(struct setup *s, enum http_outcome outcome, char why[SETUP_WHY_MAX])
{
	char back[SETUP_WHY_MAX];
	if (outcome != HTTP_REFUSED && outcome != HTTP_MISSING && outcome != HTTP_FORBIDDEN)
		return go_back(s, why);
	if (!setup_file_back(s, back) || !is_made(version_make(s, back)))
		return ctl_fail(s->c, "%s; the former configuration is not back: %s", why, back);
	return ctl_fail(s->c, "%s; the configuration is as it was", why);
}

static bool file_write(struct setup *s, char why[SETUP_WHY_MAX])
{
	if (*s->password && !s->has_listen && !certificate_make(s, why))
		return false;
	return setup_file_make(s, s->text, why) && setup_file_take(s, why);
}

static int password_set(struct setup *s)
{
	const struct http_param params[] = {{"name", PAGE_USER}, {"role", "admin"},
		{HTTP_FORM "password", s->password}, {NULL, NULL}};
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	const bool is_set =
		http_call(s->c, true, "/password/set", params, HTTP_SHORT_MS, &doc, why) == HTTP_OK;
	json_doc_free(doc);
	if (!is_set)
		return ctl_fail(s->c,
			"weir runs, but the password is not set: %s (weirctl password set %s)", why,
			PAGE_USER " --role admin");
	printf("the page: https://%s/, user " PAGE_USER "\n", s->page_at);
	if (s->made_password)
		printf("password: %s (keep it: weir does not show it again; weirctl password "
		       "set " PAGE_USER " sets another)\n",
			s->password);
	return CTL_OK;
}

static int start(struct setup *s)
{
	char why[SETUP_WHY_MAX] = "";
	if (!file_write(s, why))
		return ctl_fail(s->c, "%s; the configuration is as it was", why);
	printf("%s is written; the file from before is %s.before\n", s->c->config_path,
		s->c->config_path);
	fflush(stdout);
	if (ctl_open(s->c) != CTL_OK)
		return go_back(s, why);
	const enum http_outcome outcome = version_make(s, why);
	if (!is_made(outcome))
		return unmade(s, outcome, why);
	if (!sysroot_exists("/run/systemd/system")) {
		printf("systemd does not manage this machine: restart both processes%s\n",
			*s->password ? ", then weirctl password set " PAGE_USER " --role admin"
				     : "");
		return CTL_OK;
	}
	if (!units_restart(why) || !up_wait(s, why))
		return go_back(s, why);
	ready_print(s);
	return *s->password ? password_set(s) : CTL_OK;
}

// Runs after the person's yes: writes the file, activates it as a new version (`config apply`),
// restarts both units, and waits until both processes are up, 60 s at most. If one is not, restores
// the file from before, and restarts both with it. Signals that end the program are blocked
// meanwhile. CTL_OK, or CTL_FAILED after an error message.
static int setup_start(struct setup *s)
{
	s->c->service_reads_file = true; // ctl_open() need not report its errors
	signals(SIG_BLOCK);
	const int rc = start(s);
	setup_file_end(s);
	return rc;
}

enum { TRIES = 20, PASSWORD_MIN = 10 };
#define NEED_ANSWER  "an answer is needed, without \", \\ and control characters"
#define NEED_DEFAULT "no default is to be found on this machine"

// Has the text no character with a meaning of its own in the file?
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f || strchr("\"\\", *text))
			return false;
	return true;
}

// Applies an answer and keeps it. False: `why` has a sentence, which is `need` if there is none.
static bool answer_take(struct setup *s, unsigned question, const char *answer, const char *need,
	char why[SETUP_WHY_MAX])
{
	snprintf(why, SETUP_WHY_MAX, "%s", need);
	const bool is_good = strcmp(answer, "keep") == 0
			     || (*answer && is_plain(answer)
				     && setup_questions[question].accept(s, answer, why));
	if (is_good)
		snprintf(s->answer[question], SETUP_ANSWER_MAX, "%s", answer);
	return is_good;
}

// Applies the answer of an option, or the default. CTL_OK, or CTL_FAILED after an error message.
static int question_accept(struct setup *s, unsigned question, const char *answer, const char *need)
{
	char why[SETUP_WHY_MAX];
	return answer_take(s, question, answer, need, why)
		       ? CTL_OK
		       : ctl_fail(s->c, "%s: %s", setup_questions[question].title, why);
}

static void why_print(const char *why)
{
	char shown[2 * SETUP_WHY_MAX];
	fprintf(stderr, "    %s\n", term_text(why, shown, sizeof(shown)));
}

static int question_ask(struct setup *s, unsigned question, const char *offer)
{
	const struct setup_question *q = &setup_questions[question];
	char answer[SETUP_ANSWER_MAX], choices[512] = "";
	char prompt[2 * SETUP_ANSWER_MAX], why[SETUP_WHY_MAX];
	if (q->choices)
		q->choices(choices, sizeof(choices));
	snprintf(prompt, sizeof(prompt), "%u/%u %s%s%s%s%s%s: ", question + 1, SETUP_QUESTIONS + 1,
		q->title, *choices ? " " : "", choices, *offer ? " [" : "", offer,
		*offer ? "]" : "");
	for (unsigned i = 0; i < TRIES; i++) {
		if (!prompt_ask(prompt, answer, sizeof(answer)))
			return ctl_fail(s->c, "no answer; nothing is changed");
		if (!*answer)
			snprintf(answer, sizeof(answer), "%s", offer);
		if (answer_take(s, question, answer, NEED_ANSWER, why))
			return CTL_OK;
		why_print(why);
	}
	return ctl_fail(s->c, "no good answer in %d tries; nothing is changed", TRIES);
}

static int questions_put(struct setup *s)
{
	const char *const given[SETUP_QUESTIONS] = {
		s->c->interface, s->c->address, s->c->lists, s->c->upstreams};
	for (unsigned i = 0; i < SETUP_QUESTIONS; i++) {
		char offer[SETUP_ANSWER_MAX];
		if (!given[i])
			setup_questions[i].offer(s, offer, sizeof(offer));
		int rc = given[i]  ? question_accept(s, i, given[i], NEED_ANSWER)
			 : s->asks ? question_ask(s, i, offer)
				   : question_accept(s, i, offer, NEED_DEFAULT);
		if (rc != CTL_OK)
			return rc;
	}
	return CTL_OK;
}

static int password_of_file(struct setup *s)
{
	const char *path = s->c->password_file;
	if (strcmp(path, "none") == 0)
		return CTL_OK;
	FILE *f = fopen(path, "re");
	if (!f)
		return ctl_fail(s->c, "%s: %s", path, strerror(errno));
	if (!fgets(s->password, sizeof(s->password), f))
		*s->password = '\0';
	char *end = strchr(s->password, '\n');
	const bool is_long = !end && !feof(f);
	fclose(f);
	if (end)
		*end = '\0';
	if (is_long)
		return ctl_fail(s->c, "%s: the password has more than %d characters", path,
			SETUP_PASSWORD_MAX - 2);
	return strlen(s->password) >= PASSWORD_MIN
		       ? CTL_OK
		       : ctl_fail(s->c, "%s: the password has less than %d characters", path,
			       PASSWORD_MIN);
}

// Does Enter make a page? A machine that serves already stays as it is, and so does a control API
// that an operator has opened. The certificate and the user need these two programs.
static bool makes_page(const struct setup *s)
{
	return !s->has_page && !s->is_serving && !s->has_listen
	       && sysroot_exists("/usr/bin/openssl") && sysroot_exists("/run/systemd/system");
}

// Makes a password of 80 bits: "abcd-efgh-ijkm-npqr".
static int password_make(struct setup *s)
{
	static const char letters[32] = "abcdefghijkmnpqrstuvwxyz23456789";
	uint8_t bytes[16];
	char *out = s->password;
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return ctl_fail(s->c, "getrandom: %s; nothing is changed", strerror(errno));
	for (unsigned i = 0; i < sizeof(bytes); i++) {
		if (i && i % 4 == 0)
			*out++ = '-';
		*out++ = letters[bytes[i] % sizeof(letters)];
	}
	*out = '\0';
	explicit_bzero(bytes, sizeof(bytes));
	s->made_password = true;
	return CTL_OK;
}

static int password_ask(struct setup *s)
{
	char again[SETUP_PASSWORD_MAX];
	const bool makes = makes_page(s);
	const char *prompt =
		s->has_page ? "5/5 Password of the page, 10 characters or more [keep]: "
		: makes ? "5/5 Password of the page, 10 characters or more [weir makes one; none: "
			  "no page]: "
			: "5/5 Password of the page, 10 characters or more [none: no page]: ";
	for (unsigned i = 0; i < TRIES; i++) {
		if (!prompt_secret(prompt, s->password, sizeof(s->password)))
			return ctl_fail(s->c, "no answer; nothing is changed");
		if (!*s->password && makes)
			return password_make(s);
		if (!*s->password || strcmp(s->password, s->has_page ? "keep" : "none") == 0) {
			*s->password = '\0';
			return CTL_OK;
		}
		if (strlen(s->password) < PASSWORD_MIN) {
			fprintf(stderr, "    it has less than %d characters\n", PASSWORD_MIN);
			continue;
		}
		if (!prompt_secret("    again: ", again, sizeof(again)))
			return ctl_fail(s->c, "no answer; nothing is changed");
		const bool is_same = strcmp(again, s->password) == 0;
		explicit_bzero(again, sizeof(again));
		if (is_same)
			return CTL_OK;
		fprintf(stderr, "    these were two different ones\n");
	}
	return ctl_fail(s->c, "no password in %d tries; nothing is changed", TRIES);
}

// Puts the page into the text, if there is a password for it.
static int page_put(struct setup *s)
{
	char why[SETUP_WHY_MAX];
	return !*s->password || setup_answer_page(s, why) ? CTL_OK : ctl_fail(s->c, "%s", why);
}

// Makes the text again: asks question `number` again, and that for the address if the interface may
// be another one. The other answers stay, as far as they are still good.
static int answers_correct(struct setup *s, unsigned number)
{
	char offer[SETUP_ANSWER_MAX], why[SETUP_WHY_MAX];
	if (!setup_answer_restart(s, why))
		return ctl_fail(s->c, "%s", why);
	for (unsigned i = 0; i < SETUP_QUESTIONS; i++) {
		const bool is_it = i + 1 == number, is_next = i + 1 == 2 && number == 1;
		snprintf(offer, sizeof(offer), "%s", s->answer[i]);
		if (!is_it && !is_next) {
			if (answer_take(s, i, offer, NEED_ANSWER, why))
				continue;
			why_print(why);
		}
		if (!is_it)
			setup_questions[i].offer(s, offer, sizeof(offer));
		if (question_ask(s, i, offer) != CTL_OK)
			return CTL_FAILED;
	}
	return page_put(s);
}

// Checks the machine with the new text. Returns the number of findings that are wrong; -1 after an
// error message.
static int machine_check(struct setup *s)
{
	static const char *const checks[] = {"config", "memory", "ports", "xdp", "kernel",
		"resolvconf", "port53", "upstreams", "lists", NULL};
	char path[SETUP_PATH_MAX], why[SETUP_WHY_MAX];
	int wrong = -1;
	printf("\nCheck of this machine with it:\n");
	fflush(stdout);
	if (setup_file_make(s, s->text, why))
		wrong = (int)doctor_try(s->c, setup_file_path(s, ".setup", path), checks);
	else
		(void)ctl_fail(s->c, "%s", why);
	setup_file_end(s);
	return wrong;
}

enum { CORRECT_END = -1, CORRECT_NOTHING };
// Returns the number of the question whose answer the person corrects, or one of these.
static int correction_ask(const struct setup *s)
{
	char answer[16] = "";
	fflush(stdout);
	while (s->asks
		&& prompt_ask("Correct answer 1, 2, 3 or 4, `check` again, or `end` [end]: ",
			answer, sizeof(answer))
		&& *answer && strcmp(answer, "end") != 0) {
		if (strcmp(answer, "check") == 0)
			return CORRECT_NOTHING;
		if (answer[0] >= '1' && answer[0] <= '0' + SETUP_QUESTIONS && !answer[1])
			return answer[0] - '0';
	}
	return CORRECT_END;
}

static bool has_all_already(const struct setup *s)
{
	return !*s->password && strcmp(s->text, s->before) == 0;
}

// Checks the machine until nothing is wrong, and lets the person correct answers meanwhile.
static int checks_pass(struct setup *s)
{
	for (unsigned i = 0; i < TRIES && !has_all_already(s); i++) {
		const int wrong = machine_check(s);
		if (wrong < 0)
			return CTL_FAILED;
		if (wrong == 0 || s->c->force)
			return CTL_OK;
		const int number = correction_ask(s);
		if (number == CORRECT_END)
			break;
		if (number != CORRECT_NOTHING && answers_correct(s, (unsigned)number) != CTL_OK)
			return CTL_FAILED;
	}
	return has_all_already(s) ? CTL_OK
				  : ctl_fail(s->c, "nothing is changed: mend what is wrong "
						   "(--force: write it anyway)");
}

static int consent_ask(const struct setup *s)
{
	char answer[16];
	printf("\n%s\n"
	       "Then %s has this, and all else as it is; the file from before stays beside it,\n"
	       "and in `weirctl config history`. Both processes restart: for some seconds weir\n"
	       "answers nobody. If they do not come up, the file from before comes back.\n\n",
		s->shown, s->c->config_path);
	fflush(stdout);
	if (s->c->dry_run) {
		printf("--dry-run: nothing is changed\n");
		return CTL_OK;
	}
	if (s->c->yes)
		return CTL_OK;
	const bool is_read = prompt_ask("Write it? yes or no [no]: ", answer, sizeof(answer));
	if (is_read && (strcmp(answer, "yes") == 0 || strcmp(answer, "y") == 0))
		return CTL_OK;
	return ctl_fail(s->c, "nothing is changed");
}

static void next_print(const struct setup *s)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	ip_address_text(&s->address[0], false, text);
	printf("\nNext: ask it from another machine (kdig @%s www.debian.org), keep this address "
	       "for\n"
	       "this machine in the router, and name it in the router as the DNS server of its "
	       "DHCP.\n",
		text);
}

static int setup_run(struct setup *s)
{
	char why[SETUP_WHY_MAX];
	if (setup_file_read(s) != CTL_OK)
		return CTL_FAILED;
	if (!setup_answer_begin(s, why))
		return ctl_fail(s->c, "%s", why);
	int rc = questions_put(s);
	if (rc == CTL_OK && s->c->password_file)
		rc = password_of_file(s);
	else if (rc == CTL_OK && s->asks)
		rc = password_ask(s);
	if (rc == CTL_OK)
		rc = page_put(s);
	if (rc == CTL_OK)
		rc = checks_pass(s);
	if (rc == CTL_OK && has_all_already(s)) {
		printf("%s has all this already: nothing is changed\n", s->c->config_path);
		return CTL_OK;
	}
	if (rc == CTL_OK)
		rc = consent_ask(s);
	if (rc != CTL_OK || s->c->dry_run)
		return rc;
	rc = setup_start(s);
	if (rc == CTL_OK)
		next_print(s);
	return rc;
}

// Prints a line each: "list NAME URL", "servers NAME ADDRESS...".
static void known_all_print(bool is_ipv6)
{
	const struct known_list *l;
	const struct known_resolver *r;
	for (unsigned i = 0; (l = known_list_at(i)) != NULL; i++)
		printf("list %s %s\n", l->name, l->url);
	for (unsigned i = 0; (r = known_resolver_at(i)) != NULL; i++) {
		const char *const *server = is_ipv6 ? r->ipv6 : r->ipv4;
		printf("servers %s", r->name);
		for (; *server; server++)
			printf(" %s", *server);
		printf("\n");
	}
}

// Prints for programs that make a configuration (tools/container): the default interface, or
// --interface, its addresses, and the known lists and servers.
static int known_print(struct ctl *c)
{
	struct ip_address own[CONFIG_ADDRESSES_MAX];
	char name[64], why[SETUP_WHY_MAX], text[SOCKET_ADDRESS_TEXT_MAX];
	if (c->interface)
		snprintf(name, sizeof(name), "%s", c->interface);
	else
		setup_machine_interface("", name, sizeof(name));
	if (c->interface && !setup_machine_has_interface("", name, why, sizeof(why)))
		return ctl_fail(c, "%s", why);
	if (*name)
		printf("interface %s\n", name);
	const unsigned count = setup_machine_addresses(name, own, ARRAY_LEN(own));
	for (unsigned i = 0; i < count; i++)
		printf("address %s\n", ip_address_text(&own[i], true, text));
	for (unsigned i = 0; i < count; i++) {
		setup_answer_network(&own[i]);
		printf("network %s\n", ip_address_text(&own[i], true, text));
	}
	known_all_print(setup_machine_is_ipv6_only());
	return CTL_OK;
}

static int cmd_setup(struct ctl *c)
{
	if (c->known)
		return known_print(c);
	struct setup *s = calloc(1, sizeof(*s));
	if (!s)
		return ctl_fail(c, "out of memory");
	const char *const path = c->config_path; // setup_file_read() changes it
	s->c = c;
	s->asks = isatty(STDIN_FILENO) && !c->yes;
	int rc;
	if (c->json)
		rc = ctl_fail(c, "setup speaks to a person; use its options without --json");
	else if (!s->asks && !c->yes)
		rc = ctl_fail(
			c, "no terminal; --yes takes options and defaults without a question");
	else if (geteuid() != 0)
		rc = ctl_fail(c, "setup needs root");
	else
		rc = setup_run(s);
	free(s->text);
	free(s->before);
	c->config_path = path;
	explicit_bzero(s, sizeof(*s));
	free(s);
	return rc;
}

CTL_COMMANDS = {
	{"setup", NULL, 0, 0, CTL_OPT_SETUP | CTL_OPT_FORCE | CTL_OPT_DRY_RUN | CTL_OPT_LOCAL,
		cmd_setup,
		"[--interface IF] [--address A,...] [--lists L,...] [--upstreams U,...] "
		"[--password-file FILE|none] [--yes] [--force] [--dry-run] [--known]",
		"Make weir serve a network: ask five questions, check the machine, write the "
		"configuration, restart both processes; --yes: ask nothing; --known: only list the "
		"interface, its addresses, and names of lists and servers."},
};
