// SPDX-License-Identifier: BSD-3-Clause
#include "remote.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char port_usual[] = "9953";

static bool is_port(const char *text)
{
	const size_t len = strspn(text, "0123456789");
	return len > 0 && len <= 5 && !text[len] && atoi(text) > 0 && atoi(text) <= 65535;
}

// "box", "box:9953", "192.0.2.7", "[fd53::7]:9953", "fd53::7".
static bool host_take(struct remote *r, const char *text)
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

// SHA-256 of the public key: 64 hexadecimal digits, or base64 as in `pin` of the configuration.
static bool pin_take(struct remote *r, const char *text)
{
	static const char hex[] = "0123456789abcdef0123456789ABCDEF";
	uint8_t bytes[PIN_LEN];
	const size_t len = strlen(text);
	if (len == 2 * PIN_LEN && strspn(text, hex) == len) {
		for (unsigned i = 0; i < PIN_LEN; i++)
			bytes[i] = (uint8_t)((strchr(hex, text[2 * i]) - hex) % 16 << 4
					     | (strchr(hex, text[2 * i + 1]) - hex) % 16);
		pin_text(bytes, r->pin);
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

int remote_take(struct remote *r, const struct remote_options *o, char why[REMOTE_WHY_MAX])
{
	*r = (struct remote){.ca_file = o->ca};
	if (!host_take(r, o->host)) {
		snprintf(why, REMOTE_WHY_MAX, "--host: \"%.100s\" is not BOX or BOX:PORT", o->host);
		return -EINVAL;
	}
	if (o->pin && !pin_take(r, o->pin)) {
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
