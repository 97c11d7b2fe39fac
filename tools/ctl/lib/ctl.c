// SPDX-License-Identifier: BSD-3-Clause
#include "ctl.h"

#include "json_doc.h"
#include "sysroot.h"
#include "terminal/term_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/config_tools.h>

void ctl_pin_text(const uint8_t pin[PIN_LEN], char out[PIN_TEXT_MAX])
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char prefix[] = "sha256//";
	memcpy(out, prefix, sizeof(prefix));
	out += sizeof(prefix) - 1;
	for (unsigned i = 0; i < PIN_LEN; i += 3) {
		const unsigned left = PIN_LEN - i;
		const uint32_t three = (uint32_t)pin[i] << 16
				       | (left > 1 ? (uint32_t)pin[i + 1] << 8 : 0)
				       | (left > 2 ? pin[i + 2] : 0);
		*out++ = digit[three >> 18];
		*out++ = digit[three >> 12 & 63];
		*out++ = left > 1 ? digit[three >> 6 & 63] : '=';
		*out++ = left > 2 ? digit[three & 63] : '=';
	}
	*out = '\0';
}

static const char port_usual[] = "9953";

static bool is_port(const char *text)
{
	const size_t len = strspn(text, "0123456789");
	return len > 0 && len <= 5 && !text[len] && atoi(text) > 0 && atoi(text) <= 65535;
}

// Reads "box", "box:9953", "192.0.2.7", "[fd53::7]:9953", "fd53::7".
static bool host_parse(struct remote *r, const char *text)
{
	char host[REMOTE_HOST_MAX + 1];
	struct in6_addr bare;
	const char *end, *port = port_usual;
	if (inet_pton(AF_INET6, text, &bare) == 1) {
		snprintf(r->authority, sizeof(r->authority), "[%s]:%s", text, port);
		return true;
	}
	end = text[0] == '[' ? strchr(text, ']') : text + strcspn(text, ":");
	if (!end)
		return false;
	end += text[0] == '[';
	const size_t len = (size_t)(end - text);
	if (*end == ':')
		port = end + 1;
	else if (*end)
		return false;
	const char *good = text[0] == '[' ? "[]:0123456789abcdefABCDEF."
					  : "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					    "0123456789-_.";
	if (len == 0 || len > REMOTE_HOST_MAX || !is_port(port))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (strspn(host, good) != len)
		return false;
	snprintf(r->authority, sizeof(r->authority), "%s:%s", host, port);
	return true;
}

static int token_read(struct remote *r, const char *path, char why[REMOTE_WHY_MAX])
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		const int err = errno;
		snprintf(why, REMOTE_WHY_MAX, "token file %.150s: %s", path, strerror(err));
		if (fd >= 0)
			close(fd);
		return -err;
	}
	ssize_t n = read(fd, r->token, sizeof(r->token) - 1);
	close(fd);
	r->token[n > 0 ? n : 0] = '\0';
	r->token[strcspn(r->token, "\r\n")] = '\0';
	if (S_ISREG(st.st_mode) && st.st_mode & (S_IRWXG | S_IRWXO))
		snprintf(why, REMOTE_WHY_MAX,
			"token file %.150s: others may use it: chmod 600 that file", path);
	else if (!r->token[0]
		 || strspn(r->token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789_-.~+/=")
			    != strlen(r->token))
		snprintf(
			why, REMOTE_WHY_MAX, "token file %.150s: no token in its first line", path);
	else
		return 0;
	return -EINVAL;
}

// Reads the SHA-256 of a public key: 64 hexadecimal digits, or base64 as in `pin` of the
// configuration.
static bool pin_parse(struct remote *r, const char *text)
{
	static const char hex[] = "0123456789abcdef0123456789ABCDEF";
	uint8_t bytes[PIN_LEN];
	const size_t len = strlen(text);
	if (len == 2 * PIN_LEN && strspn(text, hex) == len) {
		for (unsigned i = 0; i < PIN_LEN; i++)
			bytes[i] = (uint8_t)((strchr(hex, text[2 * i]) - hex) % 16 << 4
					     | (strchr(hex, text[2 * i + 1]) - hex) % 16);
		ctl_pin_text(bytes, r->pin);
	} else if (len == 44 && text[43] == '='
		   && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789+/")
			      == 43) {
		snprintf(r->pin, sizeof(r->pin), "sha256//%s", text);
	} else {
		return false;
	}
	return true;
}

// -EINVAL or -errno with `why`.
static int remote_parse(struct remote *r, const struct remote_options *o, char why[REMOTE_WHY_MAX])
{
	*r = (struct remote){.ca_file = o->ca};
	if (!host_parse(r, o->host)) {
		snprintf(why, REMOTE_WHY_MAX, "--host: \"%.100s\" is not BOX or BOX:PORT", o->host);
		return -EINVAL;
	}
	if (o->pin && !pin_parse(r, o->pin)) {
		snprintf(why, REMOTE_WHY_MAX,
			"--pin takes the SHA-256 of the box's public key: 64 hexadecimal digits, "
			"or base64");
		return -EINVAL;
	}
	if (o->ca && access(o->ca, R_OK) < 0) {
		const int err = errno;
		snprintf(why, REMOTE_WHY_MAX, "--ca: %.150s: %s", o->ca, strerror(err));
		return -err;
	}
	return o->token_file ? token_read(r, o->token_file, why) : 0;
}

// The state directory may be out of sight: an operator may not enter a folder above it, and a
// container may lack it.
void ctl_servers_find(struct ctl_servers *s, const char *state_directory)
{
	struct passwd_user user = {.uid = 0};
	struct stat st = {.st_uid = 0};

	s->err = stat(state_directory, &st) == 0 ? 0 : errno;
	s->owner = s->err ? 0 : st.st_uid;
	s->user = sysroot_user_find("weir-cp", 0, &user) ? user.uid : 0;
}

int ctl_fail(const struct ctl *c, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (c->json) {
		struct json_doc *doc = json_doc_new();
		json_put_text(json_doc_root(doc), "error", text);
		json_doc_end(doc);
	} else {
		char shown[4 * sizeof(text)];
		fprintf(stderr, "weirctl: %s\n", term_text(text, shown, sizeof(shown)));
	}
	return CTL_FAILED;
}

static int paths_find(
	struct ctl *c, const char *directory, const char *hugepages, const char *state_directory)
{
	char why[CONFIG_WHY_MAX] = "";
	ctl_servers_find(&c->servers, state_directory);
	int rc = shm_paths_find(&c->paths, directory, hugepages, why);
	if (rc == -ENOENT) { // never started: each command then says which process is down
		snprintf(c->paths.run, sizeof(c->paths.run), "%s", directory);
		snprintf(c->paths.mem, sizeof(c->paths.mem), "%s", directory);
	} else if (rc < 0) {
		return ctl_fail(c, "%s", why);
	}
	return CTL_OK;
}

int ctl_open_config(struct ctl *c)
{
	char why[CONFIG_WHY_MAX] = "";
	if (config_load_public(c->config_path, &c->config, why) < 0)
		return ctl_fail(c, "%s", why);
	const struct config_runtime *r = &c->config->runtime;
	return paths_find(c, r->directory, r->hugepages, r->state_directory);
}

// A remote command reads nothing of this machine, so it gets directories that do not exist.
static int remote_open(struct ctl *c)
{
	static const char none[] = "/dev/null";
	char why[REMOTE_WHY_MAX];
	memcpy(c->paths.run, none, sizeof(none));
	memcpy(c->paths.mem, none, sizeof(none));
	return remote_parse(&c->remote, &c->remote_options, why) < 0 ? ctl_fail(c, "%s", why)
								     : CTL_OK;
}

// A running service ignores a file that is being edited. So do the commands that call it: they only
// need the place of the socket.
int ctl_open(struct ctl *c)
{
	if (c->remote_options.host)
		return remote_open(c);
	char why[CONFIG_WHY_MAX] = "", unread[CONFIG_WHY_MAX], shown[4 * CONFIG_WHY_MAX];
	struct config_places places;
	bool is_wrong = config_file_check(c->config_path, why) < 0;
	int rc = config_places_find(c->config_path, &places, unread);
	// A given path must exist, or the command would call another weir.
	if (rc < 0 && c->is_path_given)
		return ctl_fail(c, "%s", unread);
	if (is_wrong && !c->service_reads_file)
		fprintf(stderr, "weirctl: warning: the configuration cannot be used: %s\n",
			term_text(why, shown, sizeof(shown)));
	return paths_find(c, places.directory, places.hugepages, places.state_directory);
}

void ctl_close(struct ctl *c)
{
	config_free(c->config);
	c->config = NULL;
	explicit_bzero(&c->remote, sizeof(c->remote));
}
