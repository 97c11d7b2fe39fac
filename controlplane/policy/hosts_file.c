// SPDX-License-Identifier: BSD-3-Clause

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/heap_site.h>
#include <weir/hosts_file.h>

struct text {
	char *bytes;
	size_t len;
};

static int text_fill(int fd, struct text *out)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EISDIR;
	if (st.st_size > HOSTS_BYTES_MAX)
		return -EFBIG;
	out->bytes = heap_malloc((size_t)st.st_size + 1);
	if (!out->bytes)
		return -ENOMEM;
	while (out->len < (size_t)st.st_size) {
		ssize_t n = read(fd, out->bytes + out->len, (size_t)st.st_size - out->len);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		out->len += (size_t)n;
	}
	return 0;
}

static const char *word_next(const char **p, const char *end, size_t *len)
{
	while (*p < end && (**p == ' ' || **p == '\t' || **p == '\r'))
		++*p;
	const char *word = *p;
	while (*p < end && **p != ' ' && **p != '\t' && **p != '\r')
		++*p;
	*len = (size_t)(*p - word);
	return *len ? word : NULL;
}

static bool address_read(const char *word, size_t len, struct ip_address *out)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	if (len >= sizeof(text) || memchr(word, '/', len))
		return false;
	memcpy(text, word, len);
	text[len] = '\0';
	return ip_address_parse(text, out) == 0;
}

bool hosts_is_localhost(const struct ip_address *a)
{
	static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
	return a->version == 4 ? memcmp(a->bytes, v4, sizeof(v4)) == 0
			       : memcmp(a->bytes, v6, sizeof(v6)) == 0;
}

static bool is_own(const struct ip_address *a)
{
	return a->version == 4 && a->bytes[0] == 127 && !hosts_is_localhost(a);
}

static void reject(struct hosts_counts *counts, uint32_t line, int err)
{
	if (counts->rejected++ == 0)
		counts->rejected_line = line;
	if (err == -EILSEQ && counts->not_ascii++ == 0)
		counts->not_ascii_line = line;
}

static int line_read(const char *p, const char *end, uint32_t line, hosts_take take, void *arg,
	struct hosts_counts *counts)
{
	struct ip_address address;
	size_t len;
	bool own = true;
	int rc = 0;
	const char *comment = memchr(p, '#', (size_t)(end - p));
	end = comment ? comment : end;
	const char *word = word_next(&p, end, &len);
	if (!word)
		return 0;
	if (!address_read(word, len, &address)) {
		reject(counts, line, 0);
		return 0;
	}
	while (rc == 0 && !is_own(&address) && (word = word_next(&p, end, &len))) {
		struct dns_name name;
		int err = memchr(word, '\\', len) ? -EINVAL : dns_name_from_text(word, len, &name);
		if (err < 0 || name.labels == 0) {
			reject(counts, line, err);
			continue;
		}
		counts->names++;
		rc = take(arg, &address, &name, own, line);
		own = false;
	}
	return rc;
}

int hosts_file_read(const char *path, hosts_take take, void *arg, struct hosts_counts *counts)
{
	struct text text = {0};
	uint32_t line = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	int rc = text_fill(fd, &text);
	close(fd);
	const char *p = text.bytes, *end = p + text.len;
	while (rc == 0 && p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		const char *stop = newline ? newline : end;
		counts->lines++;
		rc = line_read(p, stop, ++line, take, arg, counts);
		p = newline ? newline + 1 : end;
	}
	heap_free(text.bytes);
	return rc;
}

void hosts_reverse_name(const struct ip_address *a, struct dns_name *out)
{
	char text[80], *p = text;
	if (a->version == 4)
		p += sprintf(p, "%u.%u.%u.%u.in-addr.arpa", a->bytes[3], a->bytes[2], a->bytes[1],
			a->bytes[0]);
	for (unsigned i = 16; a->version == 6 && i-- > 0;)
		p += sprintf(p, "%x.%x.", a->bytes[i] & 15, a->bytes[i] >> 4);
	if (a->version == 6)
		p = stpcpy(p, "ip6.arpa");
	int rc = dns_name_from_text(text, (size_t)(p - text), out);
	assert(rc == 0);
	(void)rc;
}
