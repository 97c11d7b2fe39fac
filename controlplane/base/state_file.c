// SPDX-License-Identifier: BSD-3-Clause
#include "state_file.h"

#include "base/file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/keyhash.h>

static_assert((int)STATE_FILE_WHY_MAX == (int)FILE_WRITE_WHY_MAX);

static void ATTR_PRINTF(2, 3) append(struct state_file *f, const char *fmt, ...)
{
	va_list ap;
	size_t left = sizeof(f->text) - f->len;
	va_start(ap, fmt);
	int n = vsnprintf(f->text + f->len, left, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= left)
		f->full = true;
	else
		f->len += (size_t)n;
}

void state_file_begin(struct state_file *f, const char *kind, unsigned version)
{
	f->len = 0;
	f->full = false;
	append(f, "%s %u\n", kind, version);
}

static int printable(const char *text)
{
	int n = 0;
	while (text[n] >= 0x20 && text[n] <= 0x7e)
		n++;
	return n;
}

void state_file_text(struct state_file *f, const char *key, const char *value)
{
	append(f, "%s %.*s\n", key, printable(value), value);
}

void state_file_number(struct state_file *f, const char *key, uint64_t value)
{
	append(f, "%s %" PRIu64 "\n", key, value);
}

int state_file_write(struct state_file *f, const char *path, char why[STATE_FILE_WHY_MAX])
{
	append(f, "sum %016" PRIx64 "\n", contenthash(f->text, f->len));
	if (f->full) {
		snprintf(why, STATE_FILE_WHY_MAX, "%.150s: too long", path);
		return -EFBIG;
	}
	return file_write(path, f->text, f->len, why);
}

static int read_text(struct state_file *f, const char *path)
{
	f->len = 0;
	f->full = false;
	// O_NONBLOCK, so that the open of a FIFO does not wait for its writer.
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int err = 0;
	while (!err && f->len < sizeof(f->text) - 1) {
		ssize_t n = read(fd, f->text + f->len, sizeof(f->text) - 1 - f->len);
		if (n == 0)
			break;
		if (n > 0)
			f->len += (size_t)n;
		else if (errno != EINTR)
			err = -errno;
	}
	close(fd);
	f->text[f->len] = '\0';
	return err;
}

int state_file_read(struct state_file *f, const char *path, const char *kind, unsigned version)
{
	enum { SUM_LINE = 4 + 16 + 1 };
	char first[64], last[SUM_LINE + 1];
	int err = read_text(f, path);
	if (err)
		return err;
	int head = snprintf(first, sizeof(first), "%s %u\n", kind, version);
	if (f->len < (size_t)head + SUM_LINE || memcmp(f->text, first, (size_t)head) != 0
		|| memchr(f->text, '\0', f->len))
		return -EPROTO;
	f->len -= SUM_LINE;
	snprintf(last, sizeof(last), "sum %016" PRIx64 "\n", contenthash(f->text, f->len));
	if (memcmp(f->text + f->len, last, SUM_LINE) != 0)
		return -EPROTO;
	f->text[f->len] = '\0';
	return 0;
}

bool state_file_get(const struct state_file *f, const char *key, char *out, size_t cap)
{
	size_t key_len = strlen(key);
	out[0] = '\0';
	for (const char *line = f->text; *line;) {
		size_t len = strcspn(line, "\n");
		if (len > key_len && memcmp(line, key, key_len) == 0 && line[key_len] == ' ') {
			size_t value_len = len - key_len - 1;
			if (value_len >= cap)
				return false;
			memcpy(out, line + key_len + 1, value_len);
			out[value_len] = '\0';
			return true;
		}
		line += len + (line[len] == '\n');
	}
	return true;
}

uint64_t state_file_get_number(const struct state_file *f, const char *key)
{
	char text[24];
	if (!state_file_get(f, key, text, sizeof(text)))
		return 0;
	return strtoull(text, NULL, 10);
}
