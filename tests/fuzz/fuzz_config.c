// SPDX-License-Identifier: BSD-3-Clause

// Configuration files: whatever the text, a whole configuration or one line that says where it is
// wrong. An accepted one equals itself and keeps the promises of its header. What follows a line
// end and a NUL is the content of a file that the text may name, for passwords and secrets: what
// was read of it stands there, and no refusal repeats it. It may be included, too.

#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <weir/config.h>
#include <weir/config_tools.h>

#define NAMED "/proc/self/fd/99"
enum { NAMED_FD = 99, NAMED_MAX = 2048 };

static int text_fd;
static char text_path[32];
static char named[NAMED_MAX + 1]; // of the named file, up to its first NUL

static bool is_named(const char *path)
{
	return strcmp(path, NAMED) == 0;
}

// Is it one of the words that the named file has?
static void check_secret(const uint8_t secret[DNS_COOKIE_SECRET_LEN])
{
	char hex[2 * DNS_COOKIE_SECRET_LEN + 1];
	for (unsigned i = 0; i < DNS_COOKIE_SECRET_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", secret[i]);
	FUZZ_CHECK(strcasestr(named, hex));
}

static void check_password(const char *password)
{
	size_t n = strlen(password);
	FUZZ_CHECK(n > 0 && strncmp(named, password, n) == 0);
	FUZZ_CHECK(named[n] == '\0' || named[n] == '\n' || named[n] == '\r');
}

static void check_named(const struct config *c)
{
	if (is_named(c->cookies.secret_file)) {
		FUZZ_CHECK(c->cookies.count > 0);
		for (unsigned i = 0; i < c->cookies.count; i++)
			check_secret(c->cookies.secret[i]);
	}
	if (is_named(c->redis.password_file))
		check_password(c->redis.password);
	const struct config_query_log_clickhouse *log = &c->query_log.clickhouse;
	if (log->url[0] && is_named(log->password_file))
		check_password(log->password);
}

static void check_list(const struct config_list *l)
{
	FUZZ_CHECK(l->name && l->name[0]);
	FUZZ_CHECK(!l->path != !l->url);
	FUZZ_CHECK(!l->path || l->path[0] == '/');
	const char *way = l->url ? l->url : "";
	bool is_transfer = strncmp(way, "axfr", 4) == 0 || strncmp(way, "ixfr", 4) == 0;
	bool is_tls = is_transfer && strncmp(way + 4, "+tls://", 7) == 0;
	bool is_axfr = is_tls || (is_transfer && strncmp(way + 4, "://", 3) == 0);
	FUZZ_CHECK(!l->url || is_axfr || strncmp(l->url, "http", 4) == 0);
	FUZZ_CHECK(!is_axfr || l->format == LIST_FORMAT_RPZ);
	FUZZ_CHECK(is_axfr || !l->tsig);
	FUZZ_CHECK(is_tls == (l->tls != NULL));
	FUZZ_CHECK(!is_tls || l->tls->pin_count <= CONFIG_PINS_MAX);
}

static void check_config(const struct config *c)
{
	char names[64] = "?";
	FUZZ_CHECK(config_needs_restart(c, c, names, sizeof(names)) == 0 && names[0] == '\0');
	FUZZ_CHECK(c->dataplane.port_count >= 1 && c->dataplane.port_count <= CONFIG_PORTS_MAX);
	FUZZ_CHECK(c->dataplane.worker_count >= 1);
	FUZZ_CHECK(c->cookies.count <= DNS_COOKIE_SECRETS_MAX);
	FUZZ_CHECK(c->upstreams.count >= 1 && c->upstreams.count <= CONFIG_UPSTREAMS_MAX);
	FUZZ_CHECK(c->cache.min_ttl_s <= c->cache.max_ttl_s);
	FUZZ_CHECK(c->limits.udp_reply_size >= 512 && c->limits.udp_reply_size <= 4096);
	for (unsigned i = 0; i < c->blocking.list_count; i++)
		check_list(&c->blocking.lists[i]);
	for (unsigned i = 0; i < c->dataplane.worker_count; i++)
		for (unsigned j = 0; j < i; j++)
			FUZZ_CHECK(c->dataplane.worker_lcores[i] != c->dataplane.worker_lcores[j]);
}

// "config: ... (PATH:LINE:COLUMN) ..." in printable ASCII; PATH: of the text, or of a file that it
// includes.
static void check_why(const char *path, bool includes, const char *why)
{
	unsigned line = 0, column = 0;
	char place[64] = " (/";
	FUZZ_CHECK(strncmp(why, "config: ", 8) == 0);
	if (!includes)
		snprintf(place, sizeof(place), " (%s:", path);
	bool found = false;
	for (const char *at = why; !found && (at = strstr(at, place)) != NULL; at++) {
		const char *colon = strchr(at, ':');
		found = colon && sscanf(colon, ":%u:%u)", &line, &column) == 2;
	}
	FUZZ_CHECK(found && line && column);
	for (; *why; why++)
		FUZZ_CHECK(*why >= 0x20 && *why <= 0x7e);
}

// The first line of the named file, where it is long enough to be known again and is no part of the
// text itself, which a refusal may quote.
static void check_kept_secret(const char *text, size_t len, const char *why)
{
	char line[CONFIG_WHY_MAX];
	size_t n = strcspn(named, "\r\n");
	if (n < 16 || n >= sizeof(line))
		return;
	memcpy(line, named, n);
	line[n] = '\0';
	FUZZ_CHECK(!strstr(why, line) || memmem(text, len, line, n));
}

static void refill(int fd, const void *data, size_t len)
{
	FUZZ_CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, data, len, 0) == (ssize_t)len);
}

FUZZ_BEGIN
{
	int fd = memfd_create("named", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && fd < NAMED_FD && fcntl(NAMED_FD, F_GETFD) < 0);
	FUZZ_CHECK(dup3(fd, NAMED_FD, O_CLOEXEC) == NAMED_FD);
	close(fd);
	text_fd = memfd_create("config", MFD_CLOEXEC);
	FUZZ_CHECK(text_fd >= 0);
	snprintf(text_path, sizeof(text_path), "/proc/self/fd/%d", text_fd);
	return 0;
}

static unsigned marks_of(const char *key)
{
	return key[0] == 'p';
}

static void scalar_check(void *arg, const struct config_scalar *s)
{
	size_t *last = arg; // end of the one before; an empty one may begin sooner
	FUZZ_CHECK(s->begin <= last[1] && s->end <= last[1]);
	FUZZ_CHECK(s->end <= s->begin || s->begin >= last[0]);
	last[0] = s->end > last[0] ? s->end : last[0];
}

// The bytes of the scalars lie in the text, one behind the other.
static void scalars_check(const uint8_t *data, size_t len)
{
	size_t last[2] = {0, len};
	(void)!config_scalars(
		(const char *)data, len, &(struct config_scalars_to){marks_of, scalar_check, last});
}

FUZZ_BODY(data, len)
{
	char why[CONFIG_WHY_MAX] = "";
	struct config *c = NULL;
	const uint8_t *cut = len ? memmem(data, len, "\n", 2) : NULL;
	size_t text_len = cut ? (size_t)(cut + 1 - data) : len;
	size_t file_len = cut ? len - text_len - 1 : 0;
	file_len = file_len < NAMED_MAX ? file_len : NAMED_MAX;
	if (file_len)
		memcpy(named, data + text_len + 1, file_len);
	named[file_len] = '\0';
	refill(NAMED_FD, named, file_len);
	refill(text_fd, data, text_len);
	scalars_check(data, text_len);
	struct config_places places;
	FUZZ_CHECK(config_places_find(text_path, &places, why) == 0);
	FUZZ_CHECK(places.directory[0] == '/' && places.hugepages[0] && !why[0]);
	int ret = config_load(text_path, &c, why);
	FUZZ_CHECK(ret == 0 ? c != NULL : c == NULL && ret == -EINVAL);
	if (ret == 0) {
		check_config(c);
		check_named(c);
	} else {
		const bool includes = memmem(data, text_len, "include", 7) != NULL;
		check_why(text_path, includes, why);
		if (!includes) // an included file is no secret
			check_kept_secret((const char *)data, text_len, why);
	}
	config_free(c);
	return 0;
}
