// SPDX-License-Identifier: BSD-3-Clause

#include "fault_run.h"

#include "tests/unit/folder.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/log.h>

enum { CHILD_SECONDS_MAX = 30 };

static const struct {
	const char *name;
	enum fault_group group;
} sites[FAULT_SITES_COUNT] = {
#define X(name, group) [FAULT_AT_##name] = {#name, FAULT_GROUP_##group},
	FAULT_SITES(X)
#undef X
};

static const struct fault_scene *scene;
static enum fault_site site_now = FAULT_SITES_COUNT;
static unsigned passage_now;
static struct shm_paths folders;
static bool in_child;

enum fault_group fault_group_of(enum fault_site site)
{
	return sites[site].group;
}

static void folders_remove(void)
{
	if (!folders.run[0])
		return;
	if (folder_remove(folders.run, folders.mem) != 0)
		fprintf(stderr, "%s: left over\n", folders.run);
}

void fault_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s, %s passage %u: %s:%d: %s\n", scene->name,
		site_now < FAULT_SITES_COUNT ? sites[site_now].name : "no fault", passage_now, file,
		line, what);
	if (!in_child)
		folders_remove();
	_exit(1);
}

void *fault_shared(size_t size)
{
	void *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	FAULT_CHECK(m != MAP_FAILED);
	return m;
}

const struct shm_paths *fault_folders(void)
{
	char run[FOLDER_MAX], why[SHM_WHY_MAX] = "no folder";
	folders_remove();
	if (folder_make(run, scene->name) || shm_paths_init(&folders, run, "off", why) < 0)
		fault_fail(__FILE__, __LINE__, why);
	return &folders;
}

__attribute__((noreturn)) static void child(void)
{
	in_child = true;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(CHILD_SECONDS_MAX);
#ifdef WEIR_FAULT_POINTS
	fault_arm(site_now, passage_now);
#endif
	scene->work();
	_exit(0);
}

// One death and the restart after it. False: the work ended without passing the site so often.
static bool run_one(void)
{
	scene->prepare();
	fflush(NULL);
	pid_t pid = fork();
	FAULT_CHECK(pid >= 0);
	if (pid == 0)
		child();
	if (scene->peer)
		scene->peer(pid);
	int status = 0;
	FAULT_CHECK(waitpid(pid, &status, 0) == pid);
	FAULT_CHECK(!WIFSIGNALED(status));
	bool died = WEXITSTATUS(status) == FAULT_EXIT;
	FAULT_CHECK(died || WEXITSTATUS(status) == 0);
	if (died || site_now == FAULT_SITES_COUNT)
		scene->audit(site_now);
	return died;
}

#ifdef WEIR_FAULT_POINTS
enum { PASSAGES = 3 };
// Reached in some scenes only.
static const unsigned late_passages[] = {50, 1500};

static unsigned run_site(void)
{
	unsigned deaths = 0;
	for (passage_now = 1; passage_now <= PASSAGES; passage_now++) {
		bool died = run_one();
		if (!died)
			fault_fail(__FILE__, __LINE__, "the work never came here so often");
		deaths++;
	}
	for (unsigned i = 0; i < ARRAY_LEN(late_passages); i++) {
		passage_now = late_passages[i];
		if (!run_one())
			break;
		deaths++;
	}
	return deaths;
}

static unsigned run_all(void)
{
	unsigned deaths = 0, reached = 0;
	for (unsigned i = 0; i < FAULT_SITES_COUNT; i++) {
		if (!(scene->groups >> sites[i].group & 1))
			continue;
		site_now = (enum fault_site)i;
		deaths += run_site();
		reached++;
	}
	printf("%s: %u sites, %u deaths\n", scene->name, reached, deaths);
	return deaths;
}
#endif

static int run_named(const char *name, const char *passage)
{
	for (unsigned i = 0; i < FAULT_SITES_COUNT; i++) {
		if (strcmp(name, sites[i].name) != 0)
			continue;
		site_now = (enum fault_site)i;
		passage_now = (unsigned)strtoul(passage, NULL, 10);
		bool died = run_one();
		printf("%s: %s\n", name, died ? "died there" : "not reached");
		return died ? 0 : 1;
	}
	fprintf(stderr, "%s: no such site\n", name);
	return 2;
}

int fault_run(const struct fault_scene *s, int argc, char **argv)
{
	int rc = 0;
	scene = s;
	log_init(s->name, (enum log_level)0);
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (unsigned i = 0; i < FAULT_SITES_COUNT; i++)
			puts(sites[i].name);
		return 0;
	}
	if (argc == 3) {
		rc = run_named(argv[1], argv[2]);
	} else {
		(void)run_one(); // the work and the audit must hold without any death
#ifdef WEIR_FAULT_POINTS
		(void)run_all();
#endif
	}
	folders_remove();
	return rc;
}
