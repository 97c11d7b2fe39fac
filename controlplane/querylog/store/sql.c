// SPDX-License-Identifier: BSD-3-Clause

#include "sql.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/heap_site.h>

enum { STEPS_BETWEEN_LOOKS = 4000, TEXT_MAX = 1 << 20 };

struct sql {
	sqlite3 *db;
	bool (*stop)(void *arg);
	void *arg;
};

// The SQLite statement behind weir's type, which has no fields.
static sqlite3_stmt *statement(struct sql_statement *t)
{
	return (sqlite3_stmt *)(void *)t;
}

static int open_error(sqlite3 *db)
{
	int err = db ? sqlite3_system_errno(db) : ENOMEM;
	return err ? -err : -ENOENT;
}

static int sql_error(sqlite3 *db, int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: // no such table: another program's database, or a remainder of weir's
	case SQLITE_MISMATCH:
	case SQLITE_CONSTRAINT:
	case SQLITE_SCHEMA:
		return -EUCLEAN;
	case SQLITE_CANTOPEN:
		return open_error(db);
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EROFS;
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return -EBUSY;
	case SQLITE_INTERRUPT:
		return -ECANCELED;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return sqlite3_system_errno(db) == ENOSPC ? -ENOSPC : -EIO;
	}
}

static int on_progress(void *arg)
{
	struct sql *s = arg;
	return s->stop && s->stop(s->arg);
}

static int connection_set(sqlite3 *db, enum sql_mode mode)
{
	if (mode == SQL_READ) {
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		int code = sqlite3_exec(db, "PRAGMA query_only=1", NULL, NULL, NULL);
		if (code != SQLITE_OK)
			return code;
	}
	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_busy_timeout(db, SQL_BUSY_MS);
	(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, TEXT_MAX);
	(void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	return sqlite3_exec(db,
		"PRAGMA cell_size_check=1; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;"
		"PRAGMA cache_size=-2048",
		NULL, NULL, NULL);
}
static_assert(SQL_CACHE_KIB == 2048);

// SQLITE_OPEN_NOFOLLOW would refuse links in any folder above, too.
static bool is_link(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

// Makes the file, because SQLite would make it readable to others. Does not open an existing file:
// closing its descriptor would drop the locks of other connections of this process.
static void file_make(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
}

static void *sqlite_malloc(int n)
{
	return n > 0 ? heap_sqlite_malloc((size_t)n) : NULL;
}

static void *sqlite_realloc(void *p, int n)
{
	return n > 0 ? heap_sqlite_realloc(p, (size_t)n) : NULL;
}

static int sqlite_size(void *p)
{
	size_t n = p ? heap_size(p) : 0;
	return n > INT_MAX ? INT_MAX : (int)n;
}

static int sqlite_roundup(int n)
{
	return n > INT_MAX - 7 ? n : (n + 7) & ~7;
}

static int sqlite_begin(void *)
{
	return SQLITE_OK;
}

static void sqlite_end(void *)
{
}

static pthread_once_t sqlite_once = PTHREAD_ONCE_INIT;

// Number of files that SQLite has open: databases, their logs and indexes, journals, folders.
static _Atomic unsigned files;

unsigned sql_files(void)
{
	return files;
}

static int file_open(const char *path, int flags, int mode)
{
	int fd = open(path, flags, mode);
	files += fd >= 0;
	return fd;
}

static int file_close(int fd)
{
	int rc = close(fd);
	files -= rc == 0;
	return rc;
}

static void files_count(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	if (!vfs || vfs->iVersion < 3)
		return;
	(void)vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)file_open);
	(void)vfs->xSetSystemCall(vfs, "close", (sqlite3_syscall_ptr)file_close);
}

// SQLite's memory gets a site of its own (heap_site.h); if SQLite refuses the hooks, its memory is
// not counted.
static void sqlite_start(void)
{
	static const struct sqlite3_mem_methods counted = {sqlite_malloc, heap_free, sqlite_realloc,
		sqlite_size, sqlite_roundup, sqlite_begin, sqlite_end, NULL};
	(void)sqlite3_config(SQLITE_CONFIG_MALLOC, &counted);
	files_count();
}

int sql_open(struct sql **out, const char *path, enum sql_mode mode)
{
	if (is_link(path))
		return -ELOOP;
	(void)pthread_once(&sqlite_once, sqlite_start);
	struct sql *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	if (mode == SQL_WRITE)
		file_make(path);
	// SQL_READ opens for writing too: the next connection undoes the unfinished work of a
	// killed writer, which needs write access. Without that access SQLite opens read-only.
	int flags = SQLITE_OPEN_READWRITE | (mode == SQL_WRITE ? SQLITE_OPEN_CREATE : 0);
	int code = sqlite3_open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (code == SQLITE_OK)
		code = connection_set(s->db, mode);
	if (code != SQLITE_OK) {
		int err = sql_error(s->db, code);
		sql_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void sql_close(struct sql *s)
{
	if (!s)
		return;
	(void)sqlite3_close_v2(s->db);
	heap_free(s);
}

void sql_stop_when(struct sql *s, bool (*stop)(void *arg), void *arg)
{
	s->stop = stop;
	s->arg = arg;
	sqlite3_progress_handler(s->db, STEPS_BETWEEN_LOOKS, on_progress, s);
}

int sql_run(struct sql *s, const char *constant)
{
	return sql_error(s->db, sqlite3_exec(s->db, constant, NULL, NULL, NULL));
}

int sql_number(struct sql *s, const char *constant, int64_t *out)
{
	struct sql_statement *t;
	int rc = sql_prepare(s, constant, &t);
	if (rc)
		return rc;
	rc = sql_step(t);
	if (rc > 0)
		*out = sql_column(t, 0);
	sql_free(t);
	return rc > 0 ? 0 : rc ? rc : -EUCLEAN;
}

static int journal_sync(struct sql *s)
{
	sqlite3_file *file = NULL;
	int code = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
	if (code == SQLITE_OK && file && file->pMethods)
		code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
	return sql_error(s->db, code);
}

int sql_checkpoint(struct sql *s)
{
	int frames = 0, copied = 0;
	int code =
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
	int rc = sql_error(s->db, code);
	return rc == -EBUSY || (rc == 0 && copied < frames) ? journal_sync(s) : rc;
}

int sql_prepare(struct sql *s, const char *constant, struct sql_statement **out)
{
	sqlite3_stmt *t = NULL;
	int code = sqlite3_prepare_v3(s->db, constant, -1, SQLITE_PREPARE_PERSISTENT, &t, NULL);
	if (code != SQLITE_OK)
		return sql_error(s->db, code);
	*out = (struct sql_statement *)(void *)t;
	return 0;
}

void sql_free(struct sql_statement *t)
{
	(void)sqlite3_finalize(statement(t));
}

// A parameter that cannot be bound stays NULL, and its statement fails: all columns are NOT NULL.
void sql_bind(struct sql_statement *t, int at, int64_t value)
{
	(void)sqlite3_bind_int64(statement(t), at, value);
}

void sql_bind_text(struct sql_statement *t, int at, const char *text, size_t len)
{
	(void)sqlite3_bind_text(statement(t), at, text, (int)len, SQLITE_STATIC);
}

void sql_bind_bytes(struct sql_statement *t, int at, const void *bytes, size_t len)
{
	(void)sqlite3_bind_blob(statement(t), at, bytes, (int)len, SQLITE_STATIC);
}

int sql_step(struct sql_statement *t)
{
	int code = sqlite3_step(statement(t));
	if (code == SQLITE_ROW)
		return 1;
	return sql_error(sqlite3_db_handle(statement(t)), code);
}

void sql_reset(struct sql_statement *t)
{
	(void)sqlite3_reset(statement(t));
}

int sql_do(struct sql_statement *t)
{
	int rc = sql_step(t);
	sql_reset(t);
	return rc < 0 ? rc : 0;
}

int64_t sql_last_id(const struct sql *s)
{
	return sqlite3_last_insert_rowid(s->db);
}

int64_t sql_column(struct sql_statement *t, int at)
{
	return sqlite3_column_int64(statement(t), at);
}

void sql_column_text(struct sql_statement *t, int at, char *out, size_t cap)
{
	const unsigned char *text = sqlite3_column_text(statement(t), at);
	size_t len = text ? (size_t)sqlite3_column_bytes(statement(t), at) : 0;
	size_t n = 0;
	for (; n < len && n + 1 < cap; n++)
		out[n] = text[n] >= 0x20 && text[n] < 0x7f ? (char)text[n] : '?';
	out[n] = '\0';
}

size_t sql_column_bytes(struct sql_statement *t, int at, void *out, size_t cap)
{
	const void *bytes = sqlite3_column_blob(statement(t), at);
	size_t len = bytes ? (size_t)sqlite3_column_bytes(statement(t), at) : 0;
	if (len > cap)
		return 0;
	if (len)
		memcpy(out, bytes, len);
	return len;
}
