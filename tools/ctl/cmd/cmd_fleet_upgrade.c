// SPDX-License-Identifier: BSD-3-Clause
// `weirctl fleet upgrade --plan` prints the shell lines that upgrade the boxes of a fleet one after
// the other, the primary last. weirctl itself runs nothing on another box.
//
// Names, addresses and versions of boxes are texts of peers. A line of the plan has only those
// whose every byte is known to be harmless in a shell, within quotes and outside of them.

#include "lib/fleet_box.h"
#include "lib/http_get.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/text.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"
#define DEB     "/var/cache/apt/archives/weir-upgrade"
// A box that is silent ends the plan within a minute.
#define SSH "ssh -o ConnectTimeout=10 -o ServerAliveInterval=15"

enum { WORD_MAX = 128, ASK_MAX = 1024, TARGET_MAX = WORD_MAX + INET6_ADDRSTRLEN + 8 };

struct plan {
	const char *user;        // for ssh
	const char *sudo;        // before commands that need root
	const char *to;          // version that the boxes are to run; NULL: any
	const char *package;     // file; NULL: apt's
	const char *without;     // names of boxes that are left out, or ""
	char *boxes;             // names of secondaries that must be ready, or ""
	char deb[2 * WORD_MAX];  // operand of apt-get install
	char questions[ASK_MAX]; // operands of kdig
};

struct box {
	const char *name, *version; // harmless
	char target[TARGET_MAX];    // "USER@ADDRESS"; "": this machine
	bool is_primary, is_done;   // done: it has the version, and serves
};

// Has a word only these bytes, and does it not look like an option?
static bool is_harmless(const char *word, const char *bytes)
{
	return *word && *word != '-' && strlen(word) < WORD_MAX
	       && word[strspn(word, bytes)] == '\0';
}

static bool is_name(const char *word)
{
	return is_harmless(word, LETTERS DIGITS "-_.");
}

static bool is_version(const char *word)
{
	return is_harmless(word, LETTERS DIGITS "-_.+~");
}

static bool is_address(const char *text)
{
	struct in6_addr a;
	return inet_pton(AF_INET, text, &a) == 1 || inet_pton(AF_INET6, text, &a) == 1;
}

// Prints a line that runs a command on the box; the command has no single quote. It reads nothing
// of what is pasted after it.
static void line(const struct box *b, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void line(const struct box *b, const char *fmt, ...)
{
	va_list args;
	if (*b->target)
		printf(SSH " -n %s '", b->target);
	else
		printf("sh -c '");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(*b->target ? "'\n" : "' </dev/null\n");
}

// The primary has a box's name and address by the box's poll, which names itself as it likes.
static void name_check_print(const struct plan *p, const struct box *b)
{
	printf("\n# The box behind this address is %s.\n", b->name);
	line(b,
		"%sweirctl --json fleet status | grep -qFx \"  \\\"box\\\": \\\"%s\\\",\" || { "
		"echo "
		"\"another box than %s answers\" >&2; exit 1; }",
		p->sudo, b->name, b->name);
}

static void package_print(const struct plan *p, const struct box *b)
{
	if (!p->package) {
		printf("\n# The package is fetched while the box serves.\n");
		line(b,
			"%sapt-get -q update && %sapt-get -q -y --allow-downgrades install "
			"--download-only %s",
			p->sudo, p->sudo, p->deb);
		return;
	}
	printf("\n# The package is copied, and its weirctl checks the box's configuration.\n");
	if (*b->target)
		printf(SSH " %s '%sdd of=" DEB ".deb status=none' <%s\n", b->target, p->sudo,
			TEXT_QUOTE(p->package));
	else
		printf("%scp -- %s " DEB ".deb\n", p->sudo, TEXT_QUOTE(p->package));
	line(b,
		"%srm -rf " DEB " && %sdpkg-deb -x " DEB ".deb " DEB " && %s" DEB
		"/usr/bin/weirctl config check",
		p->sudo, p->sudo, p->sudo);
}

// The rows of the fleet show boxes that left service, or went away, since the plan began.
static void others_print(const struct plan *p, const struct box *primary)
{
	printf("\n# The primary and all secondaries are there and ready: one of them may leave.\n");
	line(primary, "%sweirctl ready", p->sudo);
	if (*p->boxes)
		line(primary, "%sweirctl wait fleet %s --for 2m", p->sudo, p->boxes);
}

static void install_print(const struct plan *p, const struct box *b)
{
	printf("\n# The box leaves service: /ready is 503, and connections end.\n");
	line(b, "%sweirctl drain --wait", p->sudo);
	printf("\n# The package restarts both processes unless the new version refuses the "
	       "configuration. That ends the\n# drain, so the box drains again, also where apt "
	       "fails afterwards.\n");
	line(b,
		"%senv DEBIAN_FRONTEND=noninteractive apt-get -q -y --allow-downgrades -o "
		"Dpkg::Options::=--force-confold install %s && rc=0 || rc=$?; timeout 60 sh -c "
		"\"until %sweirctl drain --grace 1; do sleep 0.2; done\" && exit $rc",
		p->sudo, p->deb, p->sudo);
	if (p->package)
		line(b, "%srm -rf " DEB " " DEB ".deb", p->sudo);
}

static void check_print(const struct plan *p, const struct box *b)
{
	printf("\n# Both processes run the installed version");
	if (p->to)
		printf(", %s", p->to);
	printf(", and every service address answers over TCP.\n");
	if (p->to)
		line(b, "weirctl version; test \"$(weirctl version)\" = \"weirctl %s\"", p->to);
	line(b,
		"%sweirctl doctor versions; test \"$(%sweirctl doctor versions | grep -c ^ok)\" = "
		"2",
		p->sudo, p->sudo);
	line(b,
		"%sss -Hltnp \"sport = :53\" | grep weir-controlp | { n=0; while read -r _ _ _ at "
		"_; "
		"do at=${at%%:53} at=${at#[} at=${at%%]} n=1; for name in %s; do kdig +tcp +time=2 "
		"+retry=2 \"@$at\" \"$name\" A | grep -q \"status: NOERROR\" || { echo \"$at: "
		"$name: "
		"no answer with NOERROR\" >&2; exit 1; }; done; done; test $n = 1; }",
		p->sudo, p->questions);
}

static void back_print(const struct plan *p, const struct box *b)
{
	printf("\n# The box is back, and the next one follows once it has been ready for 30 s%s.\n",
		b->is_primary ? "" : "\n# and has the primary's version of the configuration");
	line(b, "%sweirctl undrain", p->sudo);
	line(b,
		"timeout 600 sh -c \"until %sweirctl ready --for anycast >/dev/null; do sleep 2; "
		"done\"",
		p->sudo);
	if (!b->is_primary)
		line(b,
			"timeout 120 sh -c \"until %sweirctl fleet status | grep -q \\\", "
			"held\\\"; do "
			"sleep 2; done\"",
			p->sudo);
}

static void box_print(const struct plan *p, const struct box *primary, const struct box *b)
{
	printf("\n# --- %s, %s%s%s\n", b->name, b->is_primary ? "the primary" : "a secondary",
		*b->version ? ", runs " : "", b->version);
	name_check_print(p, b);
	package_print(p, b);
	others_print(p, primary);
	install_print(p, b);
	check_print(p, b);
	back_print(p, b);
}

static void head_print(const struct plan *p, unsigned count)
{
	printf("# Upgrades %u boxes%s%s, one after the other, the primary last.\n"
	       "# Run it as a script (sh FILE), or paste its lines into a shell of its own (sh):\n"
	       "# set -e ends that shell at the first line that fails. The box of that line stays\n"
	       "# drained, and boxes behind it stay as they are. See what the line says, and on\n"
	       "# the box: weirctl status; journalctl -u weir-controlplane -u weir-dataplane\n"
	       "# To go on: mend that, and run the rest of the lines. To go back on that box:\n"
	       "#   apt-get install --allow-downgrades weir=VERSION && weirctl undrain\n"
	       "# docs/how-to/fleet-upgrade.md has more.\nset -eu\n",
		count, p->to ? " to weir " : "", p->to ? p->to : "");
}

static bool is_listed(const char *names, const char *name)
{
	const char *one;
	for (size_t len; (len = fleet_name_next(&names, &one));)
		if (strlen(name) == len && memcmp(name, one, len) == 0)
			return true;
	return false;
}

// Why a row has no part in the plan; NULL: its box must be there.
static const char *left_out(
	const struct plan *p, const struct json_node *list, const struct json_node *n)
{
	const char *name = json_text(n, "name");
	if (is_listed(p->without, name))
		return "is left out";
	if (!json_flag(n, "away"))
		return NULL;
	if (!is_name(name))
		return "is away, and has a name that no box may have";
	return fleet_box_find(list, name, strlen(name)) == n ? NULL : "has left an address";
}

// Fills in a box of the reply. False: it has no part in the plan, as a comment of the plan says.
static bool box_read(const struct plan *p, const struct json_node *list, const struct json_node *n,
	struct box *b)
{
	*b = (struct box){.name = json_text(n, "name"), .version = json_text(n, "software")};
	if (!is_version(b->version))
		b->version = "";
	snprintf(b->target, sizeof(b->target), "%s@%s", p->user, json_text(n, "from"));
	// A run that failed leaves its box drained with the version.
	b->is_done = p->to && strcmp(p->to, b->version) == 0 && json_flag(n, "ready");
	const char *out = left_out(p, list, n);
	if (out || b->is_done)
		printf("# Not in the plan: %s %s.\n", is_name(b->name) ? b->name : "a box",
			out ? out : "has this version");
	return !out;
}

// The row before row `i` with the same address that has a part in the plan.
static const struct json_node *neighbour(
	const struct plan *p, const struct json_node *list, size_t i)
{
	const char *from = json_text(json_at(list, i), "from");
	for (size_t j = 0; j < i; j++)
		if (!left_out(p, list, json_at(list, j))
			&& strcmp(json_text(json_at(list, j), "from"), from) == 0)
			return json_at(list, j);
	return NULL;
}

// Is row `i` fit for a plan? CTL_FAILED after an error message.
static int box_check(
	const struct ctl *c, const struct plan *p, const struct json_node *list, size_t i)
{
	const struct json_node *n = json_at(list, i), *other = neighbour(p, list, i);
	const char *name = json_text(n, "name"), *from = json_text(n, "from");
	if (!is_name(name))
		return ctl_fail(c, "the box at %s has a name that no box may have",
			is_address(from) ? from : "no address");
	if (json_flag(n, "twin"))
		return ctl_fail(c, "two boxes have the name %s: give each its own sync.name", name);
	if (json_flag(n, "away"))
		return ctl_fail(
			c, "%s is away: mend it, or leave it out with --without %s", name, name);
	if (!is_address(from))
		return ctl_fail(c, "%s has no address in the reply", name);
	if (other)
		return ctl_fail(c,
			"%s and %s poll from one address, %s, so ssh cannot tell them apart: "
			"upgrade them by hand, and leave them out with --without",
			json_text(other, "name"), name, from);
	return CTL_OK;
}

static int without_check(const struct ctl *c, const struct plan *p, const struct json_node *list)
{
	const char *names = p->without, *name;
	for (size_t len; (len = fleet_name_next(&names, &name));)
		if (!fleet_box_find(list, name, len))
			return ctl_fail(
				c, "--without: no secondary has the name %.*s", (int)len, name);
	return *names ? ctl_fail(c, "--without takes names, separated by commas") : CTL_OK;
}

// Are the primary and the boxes of the plan fit for it? CTL_FAILED after an error message.
static int boxes_check(const struct ctl *c, const struct plan *p, const struct json_node *root)
{
	const struct json_node *list = json_get(json_get(root, "primary"), "boxes");
	if (json_get(root, "secondary"))
		return ctl_fail(c, "this box is a secondary: make the plan on the primary");
	if (!is_name(json_text(root, "box")))
		return ctl_fail(c, "the primary's name is none that a box may have");
	if (without_check(c, p, list) != CTL_OK)
		return CTL_FAILED;
	for (size_t i = 0; i < json_length(list); i++)
		if (!left_out(p, list, json_at(list, i)) && box_check(c, p, list, i) != CTL_OK)
			return CTL_FAILED;
	return CTL_OK;
}

// The primary comes last: by ssh with --host, else it is this machine.
static int primary_read(
	const struct ctl *c, const struct plan *p, const struct json_node *root, struct box *b)
{
	const char *host = c->remote_options.host;
	*b = (struct box){.name = json_text(root, "box"), .version = "", .is_primary = true};
	if (!host)
		return CTL_OK;
	char bare[WORD_MAX];
	snprintf(bare, sizeof(bare), "%s", host + (*host == '['));
	if (*host == '[')
		bare[strcspn(bare, "]")] = '\0';
	else if (!is_address(bare))
		bare[strcspn(bare, ":")] = '\0';
	if (!is_name(bare) && !is_address(bare))
		return ctl_fail(c, "--host: ssh gets no such name");
	snprintf(b->target, sizeof(b->target), "%s@%s", p->user, bare);
	return CTL_OK;
}

// Reads the boxes of the plan, the primary last, and their names into `p->boxes`. Returns how many.
static unsigned boxes_read(
	struct plan *p, const struct json_node *list, const struct box *primary, struct box *box)
{
	unsigned there = 0;
	for (size_t i = 0, len = 0; i < json_length(list); i++)
		if (box_read(p, list, json_at(list, i), &box[there]))
			len += (size_t)sprintf(
				p->boxes + len, "%s%s", len ? "," : "", box[there++].name);
	box[there++] = *primary;
	return there;
}

static void lines_print(const struct plan *p, const struct box *box, unsigned there)
{
	unsigned done = 0;
	for (unsigned i = 0; i < there; i++)
		done += box[i].is_done;
	head_print(p, there - done);
	printf("\n# All boxes have the programs of the checks, and are ready.\n");
	for (unsigned i = 0; i < there; i++)
		line(&box[i], "command -V kdig && command -V ss && %sweirctl ready", p->sudo);
	for (unsigned i = 0; i < there; i++)
		if (!box[i].is_done)
			box_print(p, &box[there - 1], &box[i]);
	printf("\n# All boxes are upgraded. Keys that only the new version knows may come now.\n");
	line(&box[there - 1], "%sweirctl fleet status", p->sudo);
}

static int plan_print(const struct ctl *c, struct plan *p, const struct json_node *root)
{
	const struct json_node *list = json_get(json_get(root, "primary"), "boxes");
	const size_t count = json_length(list);
	struct box primary;
	if (boxes_check(c, p, root) != CTL_OK || primary_read(c, p, root, &primary) != CTL_OK)
		return CTL_FAILED;
	struct box *box = calloc(count + 1, sizeof(*box));
	p->boxes = calloc(
		count + 1, WORD_MAX); // is_name: each with its comma has at most so many bytes
	if (box && p->boxes)
		lines_print(p, box, boxes_read(p, list, &primary, box));
	const int rc = box && p->boxes ? CTL_OK : ctl_fail(c, "no memory");
	free(p->boxes);
	free(box);
	return rc;
}

// Reads --ask: names, separated by commas, as operands of kdig.
static bool questions_read(struct plan *p, const char *ask)
{
	const size_t len = strlen(ask);
	if (len == 0 || len >= sizeof(p->questions) || *ask == '-' || strstr(ask, ",-")
		|| ask[strspn(ask, LETTERS DIGITS "-_.,")])
		return false;
	for (size_t i = 0; i <= len; i++)
		p->questions[i] = ask[i] == ',' ? ' ' : ask[i];
	return true;
}

// The version of apt's package: it has "~" where the program has "-", and its end names the Debian.
static void deb_name(struct plan *p)
{
	if (p->package)
		snprintf(p->deb, sizeof(p->deb), DEB ".deb");
	else if (p->to)
		snprintf(p->deb, sizeof(p->deb), "\"weir=%s+deb*\"", p->to);
	else
		snprintf(p->deb, sizeof(p->deb), "weir");
	for (char *at = p->package ? NULL : strchr(p->deb, '-'); at; at = strchr(at, '-'))
		*at = '~';
}

static int plan_read(const struct ctl *c, struct plan *p)
{
	const char *package = c->package && strcmp(c->package, "apt") != 0 ? c->package : NULL;
	*p = (struct plan){.user = c->ssh ? c->ssh : "root",
		.to = c->to,
		.package = package,
		.without = c->without ? c->without : ""};
	p->sudo = strcmp(p->user, "root") == 0 ? "" : "sudo ";
	if (!c->plan)
		return ctl_fail(
			c, "weirctl upgrades no other box; --plan prints the lines that do");
	if (c->json)
		return ctl_fail(c, "a plan is text; weirctl --json fleet status has the boxes");
	if (!is_name(p->user))
		return ctl_fail(c, "--ssh takes the name of a user");
	if (p->to && !is_version(p->to))
		return ctl_fail(c, "--to takes a version, such as 0.2.0");
	if (package && (!*package || strlen(package) > TEXT_QUOTE_MAX / 8))
		return ctl_fail(c, "--package takes apt or the path of a file, %d bytes at most",
			TEXT_QUOTE_MAX / 8);
	if (!questions_read(p, c->ask ? c->ask : "."))
		return ctl_fail(c, "--ask takes names, separated by commas");
	deb_name(p);
	return CTL_OK;
}

static int cmd_fleet_upgrade(struct ctl *c)
{
	struct plan p;
	if (plan_read(c, &p) != CTL_OK || ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = http_call_or_fail(c, false, "/fleet", NULL, HTTP_SHORT_MS);
	const int rc = doc ? plan_print(c, &p, json_doc_root(doc)) : CTL_FAILED;
	json_doc_free(doc);
	return rc;
}

CTL_COMMANDS = {
	{"fleet", "upgrade", 0, 0, CTL_OPT_UPGRADE, cmd_fleet_upgrade,
		"--plan [--to VERSION] [--package FILE|apt] [--ssh USER] [--ask NAME,...] "
		"[--without NAME,...]",
		"Print the shell lines that upgrade the boxes one after the other, the primary "
		"last: drain, install, check, undrain. Nothing is run. --package: apt's or FILE's; "
		"--ssh: as USER (root) by sudo; --ask: A of these names must be answered; "
		"--without: "
		"leave out these boxes."},
};
