// SPDX-License-Identifier: BSD-3-Clause
#include "fake_https.h"

#include "tests/source_root.h"
#include "tests/unit/unit.h"

#include <sys/wait.h>

enum { START_MS = 30000, LINE_MAX_BYTES = 8192 };

static void run(const char *name, const char *folder, int input, int output)
{
	char script[256];
	snprintf(script, sizeof(script), WEIR_SOURCE_ROOT "/tests/unit/%s", name);
	if (dup2(input, 0) < 0 || dup2(output, 1) < 0)
		_exit(126);
	execl("/usr/bin/python3", "/usr/bin/python3", script, folder, (char *)NULL);
	_exit(127);
}

static void server_start(struct fake_https *f, const char *script)
{
	int in[2], out[2];
	char line[16] = "";
	strcpy(f->folder, "/tmp/weir-https-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->ca, sizeof(f->ca), "%s/ca.pem", f->folder);
	snprintf(f->other, sizeof(f->other), "%s/other.pem", f->folder);
	assert_return_code(pipe2(in, O_CLOEXEC), 0);
	assert_return_code(pipe2(out, O_CLOEXEC), 0);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0)
		run(script, f->folder, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	f->input = in[1];
	struct pollfd p = {.fd = out[0], .events = POLLIN};
	for (size_t len = 0; !strchr(line, '\n');) {
		assert_int_equal(poll(&p, 1, START_MS), 1);
		ssize_t n = read(out[0], line + len, sizeof(line) - 1 - len);
		assert_true(n > 0); // the script failed otherwise
		len += (size_t)n;
	}
	close(out[0]);
	f->port = (uint16_t)strtoul(line, NULL, 10);
	assert_true(f->port > 0);
}

void fake_https_start(struct fake_https *f)
{
	server_start(f, "https_server.py");
}

void fake_doh_start(struct fake_https *f)
{
	server_start(f, "doh_server.py");
}

void fake_https_stop(struct fake_https *f)
{
	char command[96];
	close(f->input);
	assert_int_equal(waitpid(f->pid, NULL, 0), f->pid);
	snprintf(command, sizeof(command), "rm -r %s", f->folder);
	assert_int_equal(system(command), 0);
}

unsigned fake_https_count(const struct fake_https *f, const char *text)
{
	char path[96], line[LINE_MAX_BYTES];
	unsigned count = 0;
	snprintf(path, sizeof(path), "%s/requests", f->folder);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		count += strstr(line, text) != NULL;
	if (file)
		fclose(file);
	return count;
}
